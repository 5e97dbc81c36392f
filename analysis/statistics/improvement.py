"""Distributions of runs compared: probability of improvement, performance profiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from analysis.statistics.intervals import LEVEL, Interval, Sample, average, normal_quantile, share


def probability_of_improvement(
    arm: Sequence[Sample], baseline: Sequence[Sample], level: float = LEVEL
) -> Interval:
    """Return P(arm > baseline): how often a run of the arm beats one of the baseline, mean over tasks.

    Both are `K` samples without NaN, `[R_k]` and `[R'_k]`; ties count one half. The estimate is
    rliable's; the interval of a task is Newcombe's method 5 (2006), which solves for the smallest and
    largest probability compatible with the observed one and so stays within 0 and 1. It takes the
    samples as independent. `n` counts the arm's runs.
    """
    parts = [_one_task(x, y, level) for x, y in zip(arm, baseline, strict=True)]
    if not parts or any(part.n == 0 for part in parts):
        return Interval.missing(sum(part.n for part in parts))
    return average(parts)


def _one_task(arm: Sample, baseline: Sample, level: float) -> Interval:
    if len(arm) == 0 or len(baseline) == 0:
        return Interval.missing()
    signs = np.sign(arm[:, None] - baseline[None, :])
    estimate = float((signs.mean() + 1) / 2)
    low = _compatible_limit(estimate, 0.0, len(arm), len(baseline), level)
    high = _compatible_limit(estimate, 1.0, len(arm), len(baseline), level)
    return Interval(estimate, low, high, len(arm))


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


def performance_profile(
    strata: Sequence[Sample], thresholds: NDArray[np.float64], level: float = LEVEL
) -> list[Interval]:
    """Return the fraction of runs with score > x for each x of `[T]`, mean over `K` samples `[R_k]`.

    The estimate is rliable's score distribution; the band is pointwise: Wilson's interval of each task,
    averaged.
    """
    return [
        average([share(int(np.sum(runs > at)), len(runs), level) for runs in strata])
        for at in thresholds.tolist()
    ]
