"""Distributions of runs compared: probability of improvement, performance profiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from analysis.statistics.intervals import LEVEL, Estimate, Sample, average, normal_quantile, wilson
from analysis.statistics.tasks import ByTask, as_same_tasks, as_tasks

METHOD = "Newcombe's method 5"


def probability_of_improvement(x: ByTask, y: ByTask, level: float = LEVEL) -> Estimate:
    """Return P(x > y): how often a run of `x` beats one of `y`, mean over tasks; ties count one half.

    Both are one task `[R]` and `[R']`, or `K` tasks `[R_k]` and `[R'_k]`. The estimate is
    rliable's; the interval of a task is Newcombe's method 5 (2006), which solves for the smallest and
    largest probability compatible with the observed one and so stays within 0 and 1. It takes the
    samples as independent. `n` counts the runs of `x`. Raises `ValueError` for unequal tasks.
    """
    parts = [_one_task(one, other, level) for one, other in zip(*as_same_tasks(x, y), strict=True)]
    if not parts or any(part.n == 0 for part in parts):
        return Estimate.missing(sum(part.n for part in parts), METHOD)
    return average(parts)


def _one_task(arm: Sample, baseline: Sample, level: float) -> Estimate:
    if len(arm) == 0 or len(baseline) == 0:
        return Estimate.missing(method=METHOD)
    signs = np.sign(arm[:, None] - baseline[None, :])
    value = float((signs.mean() + 1) / 2)
    low = _compatible_limit(value, 0.0, len(arm), len(baseline), level)
    high = _compatible_limit(value, 1.0, len(arm), len(baseline), level)
    return Estimate(value, low, high, len(arm), METHOD)


def _compatible_limit(estimate: float, end: float, n: int, other: int, level: float) -> float:
    """Return the probability farthest from `estimate` toward `end` (0 or 1) compatible with it."""
    if estimate == end:
        return end
    squared_z = normal_quantile(level) ** 2

    def excess(truth: float) -> float:
        size = (n + other) / 2 - 1
        inflation = 1 + size * ((1 - truth) / (2 - truth) + truth / (1 + truth))
        return (truth - estimate) ** 2 - squared_z * truth * (1 - truth) * inflation / (n * other)

    # With complete separation `excess` is zero at the estimate itself: start next to it.
    start = abs(estimate - 1e-12)
    return float(brentq(excess, start, end))


def performance_profile(x: ByTask, thresholds: ArrayLike, level: float = LEVEL) -> list[Estimate]:
    """Return the fraction of runs with score > t for each t of `[T]`, mean over tasks.

    `x` is one task `[R]` or `K` tasks `[R_k]`. The estimate is
    rliable's score distribution; the band is pointwise: Wilson's interval of each task, averaged.
    """
    strata = as_tasks(x)
    return [
        average([wilson(int(np.sum(runs > at)), len(runs), level) for runs in strata])
        for at in np.asarray(thresholds, float).tolist()
    ]
