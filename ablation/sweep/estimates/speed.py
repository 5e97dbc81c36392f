"""How long jobs will take: from runs that were stored, or from a few seconds of training each cell.

Measured speeds are kept in `results/calibration.json`, by host and cell.
"""

from __future__ import annotations

import heapq
import math
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

from ablation.config.schema import CellConfig
from ablation.store.files import read_json, write_json
from ablation.store.runs import Store

BUDGET_SECONDS = 6.0
_WARM_UP, _BLOCK = 20, 20
"""Environment steps: before timing, and between looks at the clock."""


@dataclass(frozen=True)
class Speed:
    """Seconds that one environment step of a job takes, with so many lanes."""

    seconds: float
    lanes: int

    def step_seconds(self, lanes: int) -> float:
        """Return the seconds of a step with other lanes: in proportion for more, equal for fewer."""
        return self.seconds * max(1.0, lanes / self.lanes)


def known_speeds(store: Store) -> dict[str, Speed]:
    """Return the speeds of cells that were measured on this host."""
    values: Any = read_json(_path(store)) or {}
    return {cell: Speed(**speed) for cell, speed in values.get(platform.node(), {}).items()}


def calibrate(store: Store, cells: Sequence[tuple[str, CellConfig, int]], device: str) -> None:
    """Train each cell, with its lanes, for its share of a few seconds, and keep the speeds.

    The cells that come first are measured if there are more than there is time for.
    """
    speeds = known_speeds(store)
    ends = time.perf_counter() + BUDGET_SECONDS
    for number, (cell, config, lanes) in enumerate(cells):
        left = ends - time.perf_counter()
        if left <= 0:
            break
        share = max(left / (len(cells) - number), BUDGET_SECONDS / 10)
        speeds[cell] = Speed(_measure(config, lanes, device, share), lanes)
    values: Any = read_json(_path(store)) or {}
    own = {cell: asdict(speed) for cell, speed in speeds.items()}
    write_json(_path(store), values | {platform.node(): own})


def job_seconds(
    cells: Mapping[str, Mapping[str, Any]], cell: str, lanes: int, speeds: Mapping[str, Speed]
) -> float | None:
    """Return the seconds of a job; of a cell without a speed, by the most similar one that has one.

    `cells` are canonical configurations. Evaluations are not counted.
    """
    own = cells[cell]
    rated = [name for name in speeds if name in cells]
    if not rated:
        return None
    nearest = min(rated, key=lambda name: (name != cell, *_distance(own, cells[name])))
    return float(speeds[nearest].step_seconds(lanes) * own["train"]["env_steps"])


def makespan(seconds: Sequence[float], workers: int) -> float:
    """Return the time until all jobs have ended, each given to the worker that is free first."""
    free = [0.0] * workers
    for job in seconds:
        heapq.heapreplace(free, free[0] + job)
    return max(free)


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[bool, bool, float]:
    batches, ratios = (
        math.log(of(one["agent"]) / of(other["agent"])) for of in (_batch_size, _replay_ratio)
    )
    return (
        one["env"]["id"] != other["env"]["id"],
        one["replay"]["kind"] != other["replay"]["kind"],
        abs(batches) + abs(ratios),
    )


def _batch_size(agent: Mapping[str, Any]) -> float:
    return float(agent["batch_size"])


def _replay_ratio(agent: Mapping[str, Any]) -> float:
    return float(Fraction(agent["replay_ratio"]))


def _measure(config: CellConfig, lanes: int, device: str, seconds: float) -> float:
    """Return the seconds of an environment step with all that belongs to it, evaluation apart."""
    import torch

    from ablation.config.step_schedule import derive_schedule
    from ablation.tasks.registry import trainer_of

    torch.set_num_threads(1)
    # Learning from the first step that it can: what comes before is cheaper than the rest.
    first = min(config.replay.min_replay_size, config.agent.batch_size + config.replay.n_step - 1)
    config = replace(config, replay=replace(config.replay, min_replay_size=first))
    trainer = trainer_of(config, range(lanes), torch.device(device))
    trainer.advance(derive_schedule(config).min_replay_size + _WARM_UP)
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds and trainer.env_step < derive_schedule(config).env_steps:
        trainer.advance(_BLOCK)
        steps += _BLOCK
    taken = time.perf_counter() - began
    trainer.close()
    return taken / max(steps, 1)


def _path(store: Store) -> Any:
    return store.root / "calibration.json"
