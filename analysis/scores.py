"""Scores: one number per run, from the rows that the run stored.

Each score is a function of a run's columns; a run without the rows that it needs scores NaN, which
later counts as missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
Score = Callable[[Columns, Columns], float]
"""(episodes, evaluations) -> the score of a run."""

FINAL_SHARE = 0.1
TRAINING_EPISODES = 100


def curve(evaluations: Columns) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the steps of a run's evaluations and the mean return of each, both `[evaluations]`."""
    steps, where = np.unique(evaluations["env_step"], return_inverse=True)
    counts = np.bincount(where, minlength=len(steps))
    sums = np.bincount(where, weights=evaluations["episode_return"], minlength=len(steps))
    return steps, sums / np.maximum(counts, 1)


def final(_episodes: Columns, evaluations: Columns) -> float:
    """Return the mean over the last 10 % of evaluations, at least one of them."""
    _, returns = curve(evaluations)
    return _mean(returns[-math.ceil(FINAL_SHARE * len(returns)) :])


def area_under_curve(_episodes: Columns, evaluations: Columns) -> float:
    """Return the mean of all evaluations: the area under the curve per environment step."""
    return _mean(curve(evaluations)[1])


def best(_episodes: Columns, evaluations: Columns) -> float:
    """Return the best evaluation (optimistic: the largest of several noisy means)."""
    returns = curve(evaluations)[1]
    return float(returns.max()) if len(returns) else math.nan


def last_training_episodes(episodes: Columns, _evaluations: Columns) -> float:
    """Return the mean return of the last 100 training episodes, exploration included."""
    return _mean(np.asarray(episodes["episode_return"][-TRAINING_EPISODES:], float))


SCORES: dict[str, Score] = {
    "final": final,
    "area_under_curve": area_under_curve,
    "best": best,
    "last_training_episodes": last_training_episodes,
}

DESCRIPTIONS = {
    "final": "mean return of the greedy evaluations in the last 10 % of training",
    "area_under_curve": "mean return of all greedy evaluations",
    "best": "largest mean return of one greedy evaluation",
    "last_training_episodes": "mean return of the last 100 training episodes",
}


def summary_scores(records: Any) -> dict[str, float]:
    """Return every score of a run from the rows that its job still holds in memory."""
    episodes, evaluations = (
        {name: np.array([row[name] for row in rows]) for name in ("env_step", "episode_return")}
        for rows in (records.episodes, records.evaluations)
    )
    values = {name: score(episodes, evaluations) for name, score in SCORES.items()}
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan
