"""What a plan says of its configurations beside their runs: what they cannot learn from, odd inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ablation.config.cell import Cell
from ablation.config.source import has_method
from ablation.config.source_modules import is_component
from ablation.config.tasks import options_of, stepped_by
from ablation.config.training_path import trained_by
from ablation.study.plan import Plan

IMAGE_DIMENSIONS = 3
"""Of the shape of an observation: channels, height, width."""
MNIH_BATCH, MNIH_EPSILON = 32, 0.01
"""Batch size, and the epsilon that Mnih et al. 2015 add to the variance of gradients summed over it."""


def notes(plan: Plan) -> Iterator[str]:
    """Yield a line for each thing that a reader of the plan would not expect."""
    yield from _unlearned(plan)
    yield from _environments(plan.configured.values())
    yield from _epsilons(plan)
    yield from _own_samplers(plan)


def _unlearned(plan: Plan) -> Iterator[str]:
    """Name the arms that overwrite transitions before a gradient step can learn from them."""
    arms: dict[tuple[int, float], list[str]] = {}
    for arm in plan.arms:
        schedule = plan.configured[arm.cell].schedule
        share = schedule.learnable_share()
        # A fork had its parent's buffer before.
        if share < 1 and not plan.configured[arm.cell].shared_steps:
            arms.setdefault((schedule.capacity, share), []).append(f"{arm.name} ({arm.env_id})")
    for (capacity, share), names in arms.items():
        # Rounded down: 99.97 % is not all of them.
        percent = int(share * 1000) / 10
        kept = f"at most {percent} % of transitions, keeping the newest {capacity:,}"
        yield f"{'; '.join(names)} can learn from {kept if share else 'nothing: no step is due'}"


def _environments(cells: Iterable[Cell]) -> Iterator[str]:
    """Say how environments are used where that is not evident, and which are not reproducible."""
    from ablation.envs.spec import env_spec

    said: dict[str, list[str]] = {}
    for env in dict.fromkeys((cell.config.env.id, options_of(cell.config.env)) for cell in cells):
        spec = env_spec(*env)
        image, is_byte = len(spec.observation_shape) == IMAGE_DIMENSIONS, spec.dtype in ("uint8", "int8")
        lines = [*spec.notes]
        if image and spec.dtype == "uint8":
            lines.append("pixels are divided by 255")
        elif is_byte:
            lines.append(f"observations ({spec.dtype} vectors) are learned from as they are")
        if spec.not_reproducible is not None:
            lines.append(
                f"not reproducible ({spec.not_reproducible}): the same seed gives other numbers each "
                "time, and interrupted runs start again"
            )
        for line in lines:
            said.setdefault(line, []).append(env[0])
    for line, ids in said.items():
        yield f"{', '.join(dict.fromkeys(ids))}: {line}"


def _own_samplers(plan: Plan) -> Iterator[str]:
    """Name the arms that a class of the user's keeps out of compiled blocks, which costs time."""
    arms: dict[str, list[str]] = {}
    for arm in plan.arms:
        config = plan.configured[arm.cell].config
        if stepped_by(config.env) != "tensor" or trained_by(config.agent) != "compiled":
            continue
        kind, eviction = config.replay.kind, config.replay.eviction
        slow = [kind] if is_component(kind) and not has_method(kind, "compiled") else []
        slow += [eviction] if is_component(eviction) else []
        for path in slow:
            arms.setdefault(path, []).append(f"{arm.name} ({arm.env_id})")
    for path, names in arms.items():
        yield (
            f"{'; '.join(names)}: trained step by step, which is slower than compiled blocks, because "
            f"{path} has no compiled kernels; plan --calibrate measures by how much"
        )


def _epsilons(plan: Plan) -> Iterator[str]:
    """Name the arms that have Mnih et al.'s epsilon for another batch size than their own."""
    arms: dict[int, list[str]] = {}
    for arm in plan.arms:
        cell = plan.configured[arm.cell]
        agent, size = cell.config.agent, cell.schedule.batch_size
        converted = agent.optimizer == "rmsprop" and agent.rmsprop_epsilon_enters == "variance"
        if converted and size != MNIH_BATCH and agent.rmsprop_epsilon == MNIH_EPSILON / MNIH_BATCH**2:
            arms.setdefault(size, []).append(f"{arm.name} ({arm.env_id})")
    for size, names in arms.items():
        yield (
            f"{'; '.join(names)}: agent.rmsprop_epsilon = {MNIH_EPSILON / MNIH_BATCH**2} is that of "
            f"Mnih et al. 2015 for batches of {MNIH_BATCH}; for batches of {size} it is "
            f"{MNIH_EPSILON / size**2:.6g}"
        )
