"""How whole distributions of runs compare: probability of improvement, performance profiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from analysis.statistics.intervals import LEVEL, Interval, Sample, average, normal_quantile, share


def probability_of_improvement(
    arm: Sequence[Sample], baseline: Sequence[Sample], level: float = LEVEL
) -> Interval:
    """Return how often a run of the arm beats one of the baseline, ties half, mean over tasks.

    Both are `K` samples without NaN, `[R_k]` and `[R'_k]`. The estimate is rliable's; the interval
    of a task is Newcombe's method 5 (2006), which solves for the probabilities that the observed one
    is compatible with and therefore stays within 0 and 1. It takes the samples as independent.
    `n` counts the arm's runs.
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
    low = _compatible(estimate, 0.0, len(arm), len(baseline), level)
    high = _compatible(estimate, 1.0, len(arm), len(baseline), level)
    return Interval(estimate, low, high, len(arm))


def _compatible(estimate: float, end: float, n: int, other: int, level: float) -> float:
    """Return the probability between `estimate` and `end` (0 or 1) that is just compatible."""
    if estimate == end:
        return end
    reach = normal_quantile(level) ** 2

    def excess(truth: float) -> float:
        size = (n + other) / 2 - 1
        spread = 1 + size * ((1 - truth) / (2 - truth) + truth / (1 + truth))
        return (truth - estimate) ** 2 - reach * truth * (1 - truth) * spread / (n * other)

    # Complete separation makes `excess` zero at the estimate itself: start beside it.
    start = abs(estimate - 1e-12)
    return float(brentq(excess, start, end))


def performance_profile(
    strata: Sequence[Sample], thresholds: NDArray[np.float64], level: float = LEVEL
) -> list[Interval]:
    """Return the share of runs above each of `[T]` thresholds, mean over `K` samples `[R_k]`.

    The estimate is rliable's score distribution; the band holds at each threshold, not for the whole
    line: Wilson's interval of each task, averaged.
    """
    return [
        average([share(int(np.sum(runs > at)), len(runs), level) for runs in strata])
        for at in thresholds.tolist()
    ]
