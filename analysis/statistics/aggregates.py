"""Aggregates over tasks as rliable defines them, with stratified bootstrap intervals.

Tasks are the strata: runs are resampled within each. With one task they are the statistics of a single
sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.statistics.intervals import LEVEL, Estimate, Sample, t_quantile
from analysis.statistics.tasks import ByTask, as_tasks

TRIM = 0.25
"""Fraction cut off each end for the interquartile mean."""

REPETITIONS = 10_000
Strata = Sequence[NDArray[np.float64]]
"""`K` arrays `[..., R_k]`."""


@dataclass(frozen=True)
class Aggregate:
    """A statistic of strata `[..., R_k]` -> `[...]`, and the degrees of freedom of its variance."""

    statistic: Callable[[Strata], NDArray[Any]]
    degrees: Callable[[Sequence[int]], int]


def iqm_of_tasks(strata: Strata) -> NDArray[Any]:
    """Return the mean of the middle half of the runs of all tasks together, `[...]`."""
    runs = _flat(strata)
    cut = int(TRIM * runs.shape[-1])
    return np.asarray(_middle(runs, cut).mean(axis=-1))


def mean_of_tasks(strata: Strata) -> NDArray[Any]:
    """Return the mean over tasks of the mean over runs, `[...]`."""
    return np.asarray(_task_means(strata).mean(axis=0))


def median_of_tasks(strata: Strata) -> NDArray[Any]:
    """Return the median over tasks of the mean over runs, `[...]`."""
    return np.asarray(np.median(_task_means(strata), axis=0))


def optimality_gap(strata: Strata, target: float = 1.0) -> NDArray[Any]:
    """Return by how much runs fall short of the target on average, `[...]`; runs beyond it count 0."""
    return np.asarray(target - _flat([np.minimum(runs, target) for runs in strata]).mean(axis=-1))


def _all_runs(sizes: Sequence[int]) -> int:
    return sum(sizes) - len(sizes)


def _untrimmed_runs(sizes: Sequence[int]) -> int:
    return sum(sizes) - 2 * int(TRIM * sum(sizes)) - len(sizes)


def _runs_of_one_task(sizes: Sequence[int]) -> int:
    return min(sizes) - 1


AGGREGATES = {
    "iqm": Aggregate(iqm_of_tasks, _untrimmed_runs),
    "mean": Aggregate(mean_of_tasks, _all_runs),
    "median": Aggregate(median_of_tasks, _runs_of_one_task),
    "optimality_gap": Aggregate(optimality_gap, _all_runs),
}


def bootstrap(
    strata: Strata,
    statistic: Callable[[Strata], NDArray[Any]],
    repetitions: int = REPETITIONS,
    seed: int = 0,
) -> Sample:
    """Return a statistic of `B` resamples of strata `[R_k]`, with replacement within each, `[B]`."""
    random = np.random.default_rng(seed)
    resampled = []
    for runs in strata:
        # Drawing 16-bit positions takes half the time of drawing 64-bit ones.
        positions = random.integers(0, len(runs), (repetitions, len(runs)), dtype=np.uint16)
        resampled.append(np.asarray(runs, float)[positions])
    return np.asarray(statistic(resampled), float)


def aggregate(
    by_task: ByTask,
    name: str,
    level: float = LEVEL,
    repetitions: int = REPETITIONS,
    seed: int = 0,
) -> Estimate:
    """Return an aggregate of `K` tasks (or of one) with its expanded percentile interval.

    `by_task` are array-likes `[R_k]`, or a mapping to them; `name` is one of `AGGREGATES`.

    Percentile intervals are too narrow with few runs. Expanded ones (Hesterberg 2015, section 4.6) take
    percentiles further out, by the ratio of a t interval with unbiased variance to a normal interval;
    they stay within the range of the scores. The interval needs two runs in each task. Raises
    `ValueError` for an unknown name.
    """
    if name not in AGGREGATES:
        raise ValueError(f"no aggregate '{name}'; there are: {', '.join(AGGREGATES)}")
    strata, method = as_tasks(by_task), "stratified bootstrap, expanded percentiles"
    sizes = [len(runs) for runs in strata]
    n = sum(sizes)
    if not sizes or min(sizes) == 0:
        return Estimate.missing(n, method)
    measure = AGGREGATES[name]
    value = float(measure.statistic(strata))
    degrees = max(measure.degrees(sizes), 1)
    if min(sizes) < 2:
        return Estimate(value, np.nan, np.nan, n, method)
    unbiased = np.sqrt(min(sizes) / (min(sizes) - 1))
    tail = special.ndtr(-unbiased * t_quantile(degrees, level))
    values = bootstrap(strata, measure.statistic, repetitions, seed)
    low, high = np.quantile(values, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), n, method)


def iqm(x: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return the interquartile mean of `[R]`, with the interval of `aggregate`."""
    return aggregate([x], "iqm", level)


def _flat(strata: Strata) -> NDArray[np.float64]:
    return strata[0] if len(strata) == 1 else np.concatenate(strata, axis=-1)


def _middle(runs: NDArray[np.float64], cut: int) -> NDArray[np.float64]:
    size = runs.shape[-1]
    return np.sort(runs, axis=-1)[..., cut : size - cut]


def _task_means(strata: Strata) -> NDArray[np.float64]:
    return np.stack([runs.mean(axis=-1) for runs in strata])
