"""What a job remembers of its runs until they are stored: rows per lane, in the store's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ablation.store import EPISODE_COLUMNS, EVALUATION_COLUMNS

Row = dict[str, float | int | bool]


@dataclass
class LaneRecords:
    """The rows of one run's three tables, in the order they happened."""

    episodes: list[Row] = field(default_factory=list)
    evaluations: list[Row] = field(default_factory=list)
    learner: list[Row] = field(default_factory=list)


class Records:
    """The rows of all lanes, and the running return and length of each lane's episode."""

    def __init__(self, lanes: int) -> None:
        self.lanes = [LaneRecords() for _ in range(lanes)]
        self._return = np.zeros(lanes)
        self._length = np.zeros(lanes, np.int64)

    def add_step(
        self,
        env_step: int,
        gradient_step: int,
        reward: NDArray[np.float32],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Count one environment step of every lane and close the episodes that ended with it."""
        self._return += reward
        self._length += 1
        for lane in np.flatnonzero(terminated | truncated):
            rows = self.lanes[lane].episodes
            values = (
                env_step,
                gradient_step,
                len(rows),
                float(self._return[lane]),
                int(self._length[lane]),
                bool(terminated[lane]),
                bool(truncated[lane]),
            )
            rows.append(dict(zip(EPISODE_COLUMNS, values, strict=True)))
            self._return[lane] = 0
            self._length[lane] = 0

    def add_evaluation(
        self,
        env_step: int,
        gradient_step: int,
        returns: NDArray[np.float64],
        lengths: NDArray[np.int64],
    ) -> None:
        """Add the episodes of one evaluation, returns and lengths `[L, episodes]`."""
        for lane, rows in enumerate(record.evaluations for record in self.lanes):
            for episode in range(returns.shape[1]):
                values = (
                    env_step,
                    gradient_step,
                    episode,
                    float(returns[lane, episode]),
                    int(lengths[lane, episode]),
                )
                rows.append(dict(zip(EVALUATION_COLUMNS, values, strict=True)))

    def add_learner(
        self, env_step: int, gradient_step: int, values: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Add one row of diagnostics per lane, each value `[L]`."""
        for lane, record in enumerate(self.lanes):
            row: Row = {"env_step": env_step, "gradient_step": gradient_step}
            record.learner.append(row | {name: float(value[lane]) for name, value in values.items()})
