"""Forked runs: they share their parent's run up to a step, and go on with something changed."""

from __future__ import annotations

import dataclasses
from typing import Any

from ablation.config.replay_kinds import PRIORITY_KEYS, REPLAY_KINDS
from ablation.config.schema import AgentConfig, CellConfig, Fork, ReplayConfig
from ablation.config.source_modules import is_component
from ablation.config.tasks import IN_ENVIRONMENTS, task_of
from ablation.config.validation import ConfigError, validate

CHANGEABLE = frozenset(
    {"agent.batch_size", "agent.target_network", "replay.kind", "replay.capacity", "replay.options"}
) | {f"replay.{key}" for key in PRIORITY_KEYS}
"""The keys that can change in the middle of a run."""
IN_WORDS = (
    "replay.kind and its priorities, replay.capacity, agent.batch_size and agent.target_network can"
)


def forked(parent: CellConfig, changed: CellConfig, share: float) -> CellConfig:
    """Return the configuration of runs that have `parent`'s until a share of the run, then `changed`.

    Raises `ConfigError` for what no run can change on its way.
    """
    at = round(share * (parent.train.env_steps or 0))
    _check_step(parent, share, at)
    before = {
        f"{section}.{key}": value
        for section in ("agent", "replay")
        for key, value in dataclasses.asdict(getattr(parent, section)).items()
        if getattr(getattr(parent, section), key) != getattr(getattr(changed, section), key)
    }
    config = _with_fork(changed, Fork(at, before))
    check_fork(config)
    return config


def parent_of(config: CellConfig) -> CellConfig:
    """Return the configuration that a forked run has until its fork."""
    fork = config.train.fork
    assert fork is not None, "it is no fork"

    def before(section: str) -> dict[str, Any]:
        own = {key.removeprefix(f"{section}."): value for key, value in fork.before.items()}
        values = dataclasses.asdict(getattr(config, section))
        return values | {key: value for key, value in own.items() if key in values}

    agent, replay = validate(AgentConfig, before("agent")), validate(ReplayConfig, before("replay"))
    return dataclasses.replace(_with_fork(config, None), agent=agent, replay=replay)


def without_fork(config: CellConfig) -> CellConfig:
    """Return the configuration of runs that have from their first step what a fork has later."""
    return _with_fork(config, None)


def empties_buffer(config: CellConfig) -> bool:
    """Return whether a fork begins with an empty buffer: it goes over to learning without replay."""
    kind, before = config.replay.kind, parent_of(config).replay.kind
    return kind != before and "min_replay_size" in REPLAY_KINDS[kind].ignores


def check_fork(config: CellConfig) -> None:
    """Raise `ConfigError` for a fork that changes what cannot change in the middle of a run."""
    fork = config.train.fork
    if fork is None:
        return
    if task_of(config.env.id).trainer != IN_ENVIRONMENTS:
        raise ConfigError("fork", config.env.id, "only agents in environments can be forked")
    _check_step(config, fork.at, fork.at)
    for key, value in fork.before.items():
        if key not in CHANGEABLE:
            allowed = f"cannot change in the middle of a run; {IN_WORDS}"
            raise ConfigError("fork", f"{key} other than {value}", allowed)
    if fork.before.keys() - {"agent.target_network"}:
        _check_buffer(config)


def _check_step(config: CellConfig, given: float, at: int) -> None:
    """Raise `ConfigError` for a fork that is not between the first and the last step of the run."""
    steps, held = config.train.env_steps, config.train.hold_fixed
    if held != "env_steps" or steps is None:
        allowed = "must be env_steps with forks: they begin after a share of them"
        raise ConfigError("train.hold_fixed", held, allowed)
    if not 1 <= at < steps:
        raise ConfigError("fork.at", given, f"is step {at} of {steps}; allowed are 1 to {steps - 1}")


def _check_buffer(config: CellConfig) -> None:
    """Raise `ConfigError` for a buffer whose items cannot be taken over by a changed one."""
    for replay in (parent_of(config).replay, config.replay):
        for key, value in (("kind", replay.kind), ("eviction", replay.eviction)):
            if is_component(value):
                allowed = "a class of your own keeps its state: only the target network can change"
                raise ConfigError(f"fork.replay.{key}", value, allowed)
    if config.replay.eviction != "fifo":
        allowed = "must be fifo where a fork changes the buffer: it keeps the newest transitions"
        raise ConfigError("fork.replay.eviction", config.replay.eviction, allowed)


def _with_fork(config: CellConfig, fork: Fork | None) -> CellConfig:
    return dataclasses.replace(config, train=dataclasses.replace(config.train, fork=fork))
