"""Scores: one number per run, from the rows that the run stored.

A run without the rows that a score needs scores NaN, which later counts as missing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.config.source_modules import is_component
from ablation.config.validation import ConfigError
from ablation.results.references import Reference, reference
from ablation.results.score_table import ScoreDefinition, Scores
from ablation.store.records import LaneRecords

log = logging.getLogger(__name__)

Columns = Mapping[str, NDArray[Any]]
Returns = NDArray[np.float64]

FINAL_SHARE = 0.1
TRAINING_EPISODES = 100
RETURNS = ("env_step", "gradient_step", "episode_return")


@dataclass(frozen=True)
class RunRows:
    """The rows that scores are computed from, with the run's environment and requested length.

    A table is an array `[rows]` for each column, by the column's name.
    """

    episodes: Columns
    evaluations: Columns
    env_id: str = ""
    env_steps: int | None = None
    own_reference: Reference | None = None
    """Those of the environment's settings, in place of those of its id."""
    learner: Columns = field(default_factory=dict)

    @cached_property
    def curve(self) -> tuple[NDArray[np.int64], Returns]:
        """Return the steps of the evaluations and the mean return of each, both `[evaluations]`."""
        return curve(self.evaluations)

    @cached_property
    def threshold(self) -> float:
        """Return the return that counts as solved; NaN for an environment without a reference."""
        environment = self.own_reference or reference(self.env_id)
        return math.nan if environment is None else environment.threshold

    @property
    def last_returns(self) -> Returns:
        """Return the last 10 % of the evaluations' mean returns, at least one of them."""
        returns = self.curve[1]
        return returns[-math.ceil(FINAL_SHARE * len(returns)) :]


def curve(evaluations: Columns) -> tuple[NDArray[np.int64], Returns]:
    """Return the steps of a run's evaluations and the mean return of each, both `[evaluations]`."""
    steps, where = np.unique(evaluations["env_step"], return_inverse=True)
    counts = np.bincount(where, minlength=len(steps))
    sums = np.bincount(where, weights=evaluations["episode_return"], minlength=len(steps))
    return steps, sums / np.maximum(counts, 1)


def final(run: RunRows) -> float:
    """Return the mean over the last 10 % of evaluations, at least one of them."""
    return _mean(run.last_returns)


def last_training_episodes(run: RunRows) -> float:
    """Return the mean return of the last 100 training episodes, exploration included."""
    return _mean(np.asarray(run.episodes["episode_return"][-TRAINING_EPISODES:], float))


def online_return(run: RunRows) -> float:
    """Return the mean training return per environment step over the whole run, exploration included.

    Each training episode counts with its number of steps, as in the online evaluation of Patterson et
    al. (2024): the area under the curve of training returns. An episode that the run's end cut short has
    no return and is left out.
    """
    return _area(run.episodes["env_step"], np.asarray(run.episodes["episode_return"], float))


def area_under_curve(run: RunRows) -> float:
    """Return the area under the curve per environment step: each evaluation stands for the steps
    since the one before.
    """
    return _area(*run.curve)


def area_per_gradient_step(run: RunRows) -> float:
    """Return the area under the curve per gradient step; arms that learn more often are not favored."""
    if "gradient_step" not in run.evaluations:
        return math.nan
    _, first = np.unique(run.evaluations["env_step"], return_index=True)
    return _area(run.evaluations["gradient_step"][first], run.curve[1])


def best(run: RunRows) -> float:
    """Return the best evaluation (optimistic: the largest of several noisy means)."""
    returns = run.curve[1]
    return float(returns.max()) if len(returns) else math.nan


def steps_to_threshold(run: RunRows) -> float:
    """Return the step of the first evaluation at or above the threshold.

    A run that never gets there is censored: it counts with the length asked for.
    """
    steps, returns = run.curve
    if math.isnan(run.threshold) or not len(steps):
        return math.nan
    reached = np.flatnonzero(returns >= run.threshold)
    return float(steps[reached[0]] if len(reached) else run.env_steps or steps[-1])


def reached_threshold(run: RunRows) -> float:
    """Return 1 if any evaluation is at or above the threshold, else 0."""
    return _share(run.curve[1], run.threshold, np.any)


def kept_threshold(run: RunRows) -> float:
    """Return 1 if every one of the last 10 % of evaluations is at or above the threshold, else 0."""
    return _share(run.last_returns, run.threshold, np.all)


SCORES = Scores(
    {
        "final": ScoreDefinition(
            final, "mean return of the greedy evaluations in the last 10 % of training"
        ),
        "area_under_curve": ScoreDefinition(
            area_under_curve,
            "mean return of all greedy evaluations (area under the curve per environment step)",
        ),
        "area_per_gradient_step": ScoreDefinition(
            area_per_gradient_step, "area under the curve of greedy evaluations per gradient step"
        ),
        "best": ScoreDefinition(best, "largest mean return of one greedy evaluation"),
        "last_training_episodes": ScoreDefinition(
            last_training_episodes, "mean return of the last 100 training episodes", rows="episodes"
        ),
        "online_return": ScoreDefinition(
            online_return,
            "mean training return per environment step over the whole run",
            rows="episodes",
        ),
        "steps_to_threshold": ScoreDefinition(
            steps_to_threshold,
            "environment steps to the first greedy evaluation at the solved threshold",
            "steps",
            higher_is_better=False,
        ),
        "reached_threshold": ScoreDefinition(
            reached_threshold, "share of runs with a greedy evaluation at the solved threshold", "share"
        ),
        "kept_threshold": ScoreDefinition(
            kept_threshold,
            "share of runs with all evaluations of the last 10 % of training at the solved threshold",
            "share",
        ),
    }
)


def score_run(name: str, run: RunRows) -> float:
    """Return one of `SCORES` of a run, NaN where its rows do not say or are not finite."""
    score = SCORES[name]
    needed = [run.episodes, run.evaluations] if score.rows is None else [getattr(run, score.rows)]
    if not any(len(table["env_step"]) for table in needed):
        return math.nan
    value = score.compute(run)
    return value if math.isfinite(value) else math.nan


def summary_scores(
    records: LaneRecords,
    env_id: str = "",
    env_steps: int | None = None,
    own_reference: Reference | None = None,
    primary: str = "",
) -> dict[str, float]:
    """Return every score that a run has, from the rows that its job still holds in memory.

    `primary` is the study's; one of a user's own that fails is named in a warning and left out.
    """
    episodes, evaluations = (_columns(rows, RETURNS) for rows in (records.episodes, records.evaluations))
    learner = _columns(records.learner)
    run = RunRows(episodes, evaluations, env_id, env_steps, own_reference, learner)
    values = {name: score_run(name, run) for name in SCORES}
    if is_component(primary):
        try:
            values[primary] = score_run(primary, run)
        # Reports compute it again, and end with this line.
        except ConfigError as error:
            log.warning("%s", error)
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _columns(rows: Sequence[Mapping[str, Any]], known: Iterable[str] = ()) -> Columns:
    """Return rows as columns; `known` are those of a table that may have no rows."""
    names = dict.fromkeys([*known, *(rows[0] if rows else ())])
    return {name: np.array([row[name] for row in rows]) for name in names}


def _mean(values: Returns) -> float:
    return float(values.mean()) if len(values) else math.nan


def _area(counter: NDArray[np.int64], returns: Returns) -> float:
    if not len(counter) or counter[-1] == 0:
        return math.nan
    return float(np.average(returns, weights=np.diff(counter, prepend=0)))


def _share(returns: Returns, threshold: float, quantifier: Callable[[Any], Any]) -> float:
    if math.isnan(threshold) or not len(returns):
        return math.nan
    return float(quantifier(returns >= threshold))
