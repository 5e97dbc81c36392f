"""How long jobs will take, from stored runs or from a few seconds of training each cell.

Measured speeds are kept in `results/calibration.json`, by host and cell.
"""

from __future__ import annotations

import heapq
import math
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ablation.config.cell import Cell
from ablation.config.fork import without_fork
from ablation.config.schema import CellConfig
from ablation.config.step_schedule import derive_schedule
from ablation.store.files import read_json, write_json
from ablation.store.runs import Store

BUDGET_SECONDS = 6.0
_WARM_UP, _BLOCK = 20, 20
"""Environment steps before timing begins, and between readings of the clock."""


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


def calibrate(store: Store, cells: Sequence[tuple[Cell, int]], device: str) -> None:
    """Train each cell, with its number of lanes, for its share of a few seconds, and keep the speeds.

    The cells that come first are measured if there are more than there is time for.
    """
    speeds = known_speeds(store)
    ends = time.perf_counter() + BUDGET_SECONDS
    for number, (cell, lanes) in enumerate(cells):
        left = ends - time.perf_counter()
        if left <= 0:
            break
        share = max(left / (len(cells) - number), BUDGET_SECONDS / 10)
        speeds[cell.name] = Speed(_measure(cell.config, lanes, device, share), lanes)
    values: Any = read_json(_path(store)) or {}
    own = {cell: asdict(speed) for cell, speed in speeds.items()}
    write_json(_path(store), values | {platform.node(): own})


def job_seconds(
    cells: Mapping[str, Cell], cell: Cell, lanes: int, speeds: Mapping[str, Speed]
) -> float | None:
    """Return the seconds of a job, by the speed of its own cell or else of the most similar of `cells`.

    Evaluations are not counted. None if none of the cells has a speed.
    """
    rated = [cells[name] for name in speeds if name in cells]
    if not rated:
        return None
    nearest = min(rated, key=lambda other: (other.name != cell.name, *_distance(cell, other)))
    steps = cell.schedule.env_steps - cell.shared_steps
    return speeds[nearest.name].step_seconds(lanes) * steps


def makespan(seconds: Sequence[float], workers: int) -> float:
    """Return the time until all jobs have ended, each given to the worker that is free first."""
    free = [0.0] * workers
    for job in seconds:
        heapq.heapreplace(free, free[0] + job)
    return max(free)


def _distance(one: Cell, other: Cell) -> tuple[bool, bool, float]:
    """Return how unlike two cells are: first environment, then replay kind, then gradient work."""
    batches = math.log(one.schedule.batch_size / other.schedule.batch_size)
    ratios = math.log(one.schedule.replay_ratio / other.schedule.replay_ratio)
    return (
        one.config.env.id != other.config.env.id,
        one.config.replay.kind != other.config.replay.kind,
        abs(batches) + abs(ratios),
    )


def _measure(config: CellConfig, lanes: int, device: str, seconds: float) -> float:
    """Return the seconds of an environment step with all that belongs to it, evaluation apart."""
    import torch

    from ablation.tasks.registry import make_trainer

    torch.set_num_threads(1)
    # Learning from the first step that it can: steps before it are cheaper than the rest.
    first = min(config.replay.min_replay_size, config.agent.batch_size + config.replay.n_step - 1)
    config = without_fork(replace(config, replay=replace(config.replay, min_replay_size=first)))
    schedule = derive_schedule(config)
    trainer = make_trainer(config, range(lanes), torch.device(device))
    trainer.advance(schedule.min_replay_size + _WARM_UP)
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds and trainer.env_step < schedule.env_steps:
        trainer.advance(_BLOCK)
        steps += _BLOCK
    elapsed = time.perf_counter() - began
    trainer.close()
    return elapsed / max(steps, 1)


def _path(store: Store) -> Any:
    return store.root / "calibration.json"
