"""Intervals of one sample: mean, median, and share of runs; and the average of several intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

LEVEL = 0.95
Sample = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A point estimate, the ends of its confidence interval, and the number of runs it rests on."""

    estimate: float
    low: float
    high: float
    n: int

    @classmethod
    def missing(cls, n: int = 0) -> Interval:
        """Return the interval of an empty sample: NaN with `n` runs."""
        return cls(math.nan, math.nan, math.nan, n)


def mean(sample: Sample, level: float = LEVEL) -> Interval:
    """Return the mean of `[R]` and Student's t interval; the interval needs two runs."""
    n = len(sample)
    if n == 0:
        return Interval.missing()
    estimate = float(sample.mean())
    if n == 1:
        return Interval(estimate, math.nan, math.nan, 1)
    half = t_quantile(n - 1, level) * standard_error(sample)
    return Interval(estimate, estimate - half, estimate + half, n)


def median(sample: Sample, level: float = LEVEL) -> Interval:
    """Return the median of `[R]` with the narrowest pair of order statistics of at least that level.

    Exact whatever the distribution: the number of runs below the median is binomial. 95 % needs six.
    """
    n, values = len(sample), np.sort(sample)
    if n == 0:
        return Interval.missing()
    tails = 2 * special.bdtr(np.arange(n), n, 0.5)
    cut = int((tails <= 1 - level).sum())
    low, high = (values[cut - 1], values[-cut]) if cut else (math.nan, math.nan)
    return Interval(float(np.median(values)), float(low), float(high), n)


def share(count: int, n: int, level: float = LEVEL) -> Interval:
    """Return the share `count / n` of runs with Wilson's score interval (Wilson 1927)."""
    if n == 0:
        return Interval.missing()
    z = normal_quantile(level)
    estimate = count / n
    center = (estimate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(estimate * (1 - estimate) / n + z * z / (4 * n * n))
    # Exactly 0 and 1 at the ends, where rounding would leave them out.
    low = 0.0 if count == 0 else center - half
    high = 1.0 if count == n else center + half
    return Interval(estimate, low, high, n)


def average(intervals: Sequence[Interval]) -> Interval:
    """Return the mean of independent estimates, its interval recovered from theirs.

    Each end's distance is the root of the summed squares of the parts' distances, over their number (Zou
    and Donner 2008), so that it stays within the range of the parts. `n` is the sum of theirs.
    """
    estimates, lows, highs = (
        np.array([getattr(part, name) for part in intervals]) for name in ("estimate", "low", "high")
    )
    estimate = float(estimates.mean())
    below = math.sqrt(float(np.sum((estimates - lows) ** 2))) / len(intervals)
    above = math.sqrt(float(np.sum((highs - estimates) ** 2))) / len(intervals)
    return Interval(estimate, estimate - below, estimate + above, sum(part.n for part in intervals))


def standard_error(sample: Sample) -> float:
    """Return the standard error of the mean of `[R]`, two runs or more; infinite on overflow."""
    with np.errstate(over="ignore"):
        return float(sample.std(ddof=1)) / math.sqrt(len(sample))


def t_quantile(degrees: float, level: float) -> float:
    """Return the half width of a two-sided t interval in standard errors."""
    return float(special.stdtrit(degrees, (1 + level) / 2))


def normal_quantile(level: float) -> float:
    """Return the half width of a two-sided normal interval in standard errors."""
    return float(special.ndtri((1 + level) / 2))
