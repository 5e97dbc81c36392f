"""Intervals of one sample: its mean, the share of runs that did something; how intervals combine."""

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
    """A point estimate, the ends of its confidence interval, and the runs it rests on."""

    estimate: float
    low: float
    high: float
    n: int

    @classmethod
    def missing(cls, n: int = 0) -> Interval:
        """Return what stands where there is nothing to estimate."""
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
    """Return the median of `[R]` between order statistics that hold it with at least that level.

    Exact whatever the distribution: the runs below the median are binomial. At 95 % six runs are needed.
    """
    n, values = len(sample), np.sort(sample)
    if n == 0:
        return Interval.missing()
    tails = 2 * special.bdtr(np.arange(n), n, 0.5)
    outside = int((tails <= 1 - level).sum())
    low, high = (values[outside - 1], values[-outside]) if outside else (math.nan, math.nan)
    return Interval(float(np.median(values)), float(low), float(high), n)


def share(count: int, n: int, level: float = LEVEL) -> Interval:
    """Return the share `count / n` of runs with Wilson's score interval (Wilson 1927)."""
    if n == 0:
        return Interval.missing()
    z = normal_quantile(level)
    estimate = count / n
    centre = (estimate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(estimate * (1 - estimate) / n + z * z / (4 * n * n))
    # Exactly 0 and 1 at the ends, where rounding would leave them out.
    low = 0.0 if count == 0 else centre - half
    high = 1.0 if count == n else centre + half
    return Interval(estimate, low, high, n)


def average(intervals: Sequence[Interval]) -> Interval:
    """Return the mean of independent estimates, its interval recovered from theirs.

    Each end is as far off as the root of the summed squares of the parts' (Zou and Donner 2008), so
    that it stays inside the parts' range. `n` is that of all parts together.
    """
    estimates, lows, highs = (
        np.array([getattr(part, name) for part in intervals]) for name in ("estimate", "low", "high")
    )
    estimate = float(estimates.mean())
    below = math.sqrt(float(np.sum((estimates - lows) ** 2))) / len(intervals)
    above = math.sqrt(float(np.sum((highs - estimates) ** 2))) / len(intervals)
    return Interval(estimate, estimate - below, estimate + above, sum(part.n for part in intervals))


def standard_error(sample: Sample) -> float:
    """Return the standard error of the mean of `[R]`, at least two runs; infinite beyond what fits."""
    with np.errstate(over="ignore"):
        return float(sample.std(ddof=1)) / math.sqrt(len(sample))


def t_quantile(degrees: float, level: float) -> float:
    """Return how many standard errors a two-sided t interval reaches."""
    return float(special.stdtrit(degrees, (1 + level) / 2))


def normal_quantile(level: float) -> float:
    """Return how many standard errors a two-sided normal interval reaches."""
    return float(special.ndtri((1 + level) / 2))
