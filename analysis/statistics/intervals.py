"""Estimates of one sample: mean, median, share of runs, spread; and the average of several estimates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

LEVEL = 0.95
Sample = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A point estimate, the ends of its interval, the number of runs it rests on, and the method.

    `value`, `low` and `high` are in the unit of the scores and NaN where they cannot be computed.
    """

    value: float
    low: float
    high: float
    n: int
    method: str = ""

    @classmethod
    def missing(cls, n: int = 0, method: str = "") -> Estimate:
        """Return the estimate of an empty sample: NaN with `n` runs."""
        return cls(math.nan, math.nan, math.nan, n, method)


def as_sample(x: ArrayLike) -> Sample:
    """Return the runs of an array-like `[R]` that are not missing (NaN).

    Raises `ValueError` for any other shape.
    """
    values: Sample = np.asarray(x, float)
    if values.ndim != 1:
        raise ValueError(f"one number for each run is expected, shape [R]; got shape {values.shape}")
    present: Sample = values[~np.isnan(values)]
    return present


def mean(x: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return the mean of `[R]` and Student's t interval; the interval needs two runs."""
    sample, method = as_sample(x), "Student's t"
    n = len(sample)
    if n == 0:
        return Estimate.missing(method=method)
    value = float(sample.mean())
    if n == 1:
        return Estimate(value, math.nan, math.nan, 1, method)
    half = t_quantile(n - 1, level) * standard_error(sample)
    return Estimate(value, value - half, value + half, n, method)


def median(x: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return the median of `[R]` with the narrowest pair of order statistics of at least that level.

    Exact whatever the distribution: the number of runs below the median is binomial. 95 % needs six.
    """
    values, method = np.sort(as_sample(x)), "order statistics"
    n = len(values)
    if n == 0:
        return Estimate.missing(method=method)
    tails = 2 * special.bdtr(np.arange(n), n, 0.5)
    cut = int((tails <= 1 - level).sum())
    low, high = (values[cut - 1], values[-cut]) if cut else (math.nan, math.nan)
    return Estimate(float(np.median(values)), float(low), float(high), n, method)


def standard_deviation(x: ArrayLike) -> Estimate:
    """Return the standard deviation of `[R]` (divisor n - 1), without an interval; needs two runs."""
    sample, method = as_sample(x), "divisor n - 1"
    n = len(sample)
    value = float(sample.std(ddof=1)) if n > 1 else math.nan
    return Estimate(value, math.nan, math.nan, n, method)


def share(x: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return the share of ones among `[R]` of 0 and 1 (or bools), with Wilson's interval.

    Raises `ValueError` for other numbers.
    """
    sample = as_sample(x)
    if not np.isin(sample, (0, 1)).all():
        raise ValueError("a share needs runs that are 0 or 1; to count scores, pass `scores < limit`")
    return wilson(int(sample.sum()), len(sample), level)


def wilson(count: int, n: int, level: float = LEVEL) -> Estimate:
    """Return the share `count / n` of runs with Wilson's score interval (Wilson 1927)."""
    method = "Wilson's score interval"
    if n == 0:
        return Estimate.missing(method=method)
    z = normal_quantile(level)
    value = count / n
    center = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    # Exactly 0 and 1 at the ends, where rounding would leave them out.
    low = 0.0 if count == 0 else center - half
    high = 1.0 if count == n else center + half
    return Estimate(value, low, high, n, method)


def average(parts: Sequence[Estimate]) -> Estimate:
    """Return the mean of independent estimates, its interval recovered from theirs.

    Each end's distance is the root of the summed squares of the parts' distances, over their number (Zou
    and Donner 2008), so that it stays within the range of the parts. `n` is the sum of theirs.
    """
    values, lows, highs = (
        np.array([getattr(part, name) for part in parts]) for name in ("value", "low", "high")
    )
    value = float(values.mean())
    below = math.sqrt(float(np.sum((values - lows) ** 2))) / len(parts)
    above = math.sqrt(float(np.sum((highs - values) ** 2))) / len(parts)
    n = sum(part.n for part in parts)
    method = parts[0].method if len(parts) == 1 else f"{parts[0].method}, averaged"
    return Estimate(value, value - below, value + above, n, method)


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
