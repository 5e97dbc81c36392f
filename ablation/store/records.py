"""The rows of a job's runs until they are stored: one set of tables per lane, in the store's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.store.tables import EPISODE_COLUMNS, EVALUATION_COLUMNS

Row = dict[str, Any]
"""Numbers and truth values by column; None for a diagnostic that is not defined."""


@dataclass
class LaneRecords:
    """The rows of one run's three tables in their order; `ended` is set only if the run ended early."""

    episodes: list[Row] = field(default_factory=list)
    evaluations: list[Row] = field(default_factory=list)
    learner: list[Row] = field(default_factory=list)
    ended: EarlyEnd | None = None

    def tables(self) -> dict[str, list[Row]]:
        """Return the rows by the name of the table that they are stored in."""
        return {"episodes": self.episodes, "evaluations": self.evaluations, "learner": self.learner}


@dataclass(frozen=True)
class EarlyEnd:
    """Why and when a run ended while its neighbors went on; `status` is one of the store's."""

    status: str
    error: str | None
    env_step: int
    gradient_step: int

    def repeats(self, status: str, error: str | None) -> bool:
        """Return whether an earlier attempt ended with this failure, its step and all."""
        last = (self.error or "").rstrip().rpartition("\n")[2]
        return self.status == status == "failed" and bool(last) and last in (error or "")


@dataclass(frozen=True)
class Evaluation:
    """The results of greedy episodes, `[L, episodes]` each.

    `start_values` are the network's values of the greedy actions in the first states, its predictions of
    `discounted_returns`.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    start_values: NDArray[np.float64]
    discounted_returns: NDArray[np.float64]


class Records:
    """The rows of all lanes, and the running return and length of each lane's episode."""

    def __init__(self, lanes: int) -> None:
        self.lanes = [LaneRecords() for _ in range(lanes)]
        self.failed_diagnostics: dict[str, str] = {}
        """The exception of each diagnostic whose column is missing."""
        self._return = np.zeros(lanes)
        self._length = np.zeros(lanes, np.int64)

    def going_on(self) -> list[tuple[int, LaneRecords]]:
        """Return the lanes, by number, that have not ended early."""
        return [(lane, record) for lane, record in enumerate(self.lanes) if record.ended is None]

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
        ended = (terminated | truncated).nonzero()[0]
        if not len(ended):
            return
        columns = (ended, self._return[ended], self._length[ended], terminated[ended], truncated[ended])
        for lane, return_, length, *ends in zip(*(values.tolist() for values in columns), strict=True):
            record = self.lanes[lane]
            values = (env_step, gradient_step, len(record.episodes), return_, length, *ends)
            if record.ended is None:
                record.episodes.append(dict(zip(EPISODE_COLUMNS, values, strict=True)))
        self._return[ended] = 0
        self._length[ended] = 0

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the running return and length of each lane's episode, `[L]`, for compiled loops."""
        return self._return, self._length

    def add_episodes(self, lane: int, episodes: NDArray[np.float64]) -> None:
        """Add finished episodes of a lane: columns as in the store, without the episode's number."""
        record = self.lanes[lane]
        for env_step, gradient_step, return_, length, *ends in episodes.tolist():
            counts = int(env_step), int(gradient_step), len(record.episodes)
            values = (*counts, return_, int(length), *map(bool, ends))
            record.episodes.append(dict(zip(EPISODE_COLUMNS, values, strict=True)))

    def add_evaluation(
        self,
        env_step: int,
        gradient_step: int,
        evaluation: Evaluation,
        only: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add the episodes of one evaluation, to the lanes `only [L]` if given."""
        columns = (*EVALUATION_COLUMNS, "start_value", "discounted_return")
        for lane, record in self.going_on():
            if only is not None and not only[lane]:
                continue
            for episode in range(evaluation.returns.shape[1]):
                at = lane, episode
                values = (
                    env_step,
                    gradient_step,
                    episode,
                    float(evaluation.returns[at]),
                    int(evaluation.lengths[at]),
                    float(evaluation.start_values[at]),
                    float(evaluation.discounted_returns[at]),
                )
                record.evaluations.append(dict(zip(columns, values, strict=True)))

    def add_learner(
        self, env_step: int, gradient_step: int, values: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Add one row of diagnostics per lane, each value `[L]`; one that is not finite is missing."""
        for lane, record in self.going_on():
            row: Row = {"env_step": env_step, "gradient_step": gradient_step}
            for name, value in values.items():
                row[name] = float(value[lane]) if np.isfinite(value[lane]) else None
            record.learner.append(row)

    def end(self, lane: int, end: EarlyEnd) -> None:
        """Note that a run ended early; it gets no more rows. The first reason stays."""
        if self.lanes[lane].ended is None:
            self.lanes[lane].ended = end

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as plain values and arrays."""
        lanes = [asdict(record) for record in self.lanes]
        episode = {"return": self._return.tolist(), "length": self._length.tolist()}
        return {"lanes": lanes, "failed_diagnostics": dict(self.failed_diagnostics), **episode}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        for record, saved in zip(self.lanes, state["lanes"], strict=True):
            for name, rows in record.tables().items():
                rows[:] = saved[name]
            record.ended = EarlyEnd(**saved["ended"]) if saved["ended"] else None
        self.failed_diagnostics = dict(state.get("failed_diagnostics", {}))
        self._return[:] = state["return"]
        self._length[:] = state["length"]
