"""Statistics of small samples: pure functions of arrays, NumPy and SciPy only.

Axis letters: `R` runs of one arm. Every interval is two-sided with 95 % nominal coverage unless a
level is given; one that cannot be computed is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
TRIM = 0.25
"""Share cut off each end for the interquartile mean."""

Sample = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A point estimate, the ends of its confidence interval, and the runs it rests on."""

    estimate: float
    low: float
    high: float
    n: int


def mean(sample: Sample, level: float = LEVEL) -> Interval:
    """Return the mean of `[R]` and Student's t interval; the interval needs two runs."""
    n = len(sample)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    estimate = float(sample.mean())
    if n == 1:
        return Interval(estimate, math.nan, math.nan, 1)
    half = _t_half_width(float(sample.std(ddof=1)) / math.sqrt(n), n - 1, level)
    return Interval(estimate, estimate - half, estimate + half, n)


def interquartile_mean(sample: Sample, level: float = LEVEL) -> Interval:
    """Return the 25 % trimmed mean of `[R]` with the Tukey-McLaughlin interval.

    The estimate is rliable's IQM for one task (Agarwal et al. 2021). The standard error comes from
    the winsorised sample and Student's t has the untrimmed runs less one as its degrees of freedom
    (Tukey and McLaughlin 1963; Wilcox 2012, section 4.3); it needs at least two untrimmed runs.
    """
    n = len(sample)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    estimate = float(stats.trim_mean(sample, TRIM))
    cut = int(TRIM * n)
    kept = n - 2 * cut
    if kept < 2:
        return Interval(estimate, math.nan, math.nan, n)
    ordered = np.sort(sample)
    winsorised = np.clip(ordered, ordered[cut], ordered[n - cut - 1])
    error = float(winsorised.std(ddof=1)) / ((1 - 2 * cut / n) * math.sqrt(n))
    half = _t_half_width(error, kept - 1, level)
    return Interval(estimate, estimate - half, estimate + half, n)


@dataclass(frozen=True)
class Difference:
    """An arm's mean minus the baseline's over the seeds that both have, and its p-value."""

    interval: Interval
    p_value: float


def paired_difference(arm: Sample, baseline: Sample, level: float = LEVEL) -> Difference:
    """Return the mean of `arm - baseline`, both `[R]` in the same order of seeds, NaN if missing.

    Paired by seed: Student's t interval and two-sided p-value over the seeds that both have.
    """
    both = ~(np.isnan(arm) | np.isnan(baseline))
    differences = arm[both] - baseline[both]
    interval = mean(differences, level)
    n = interval.n
    if n < 2:
        return Difference(interval, math.nan)
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    if error == 0:
        return Difference(interval, 1.0 if interval.estimate == 0 else 0.0)
    return Difference(interval, float(2 * stats.t.sf(abs(interval.estimate) / error, n - 1)))


def holm(p_values: Sample) -> Sample:
    """Return p-values `[K]` corrected for their number by Holm's step-down method (1979).

    NaN stays NaN and does not count as a test.
    """
    corrected = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected


def _t_half_width(error: float, degrees: int, level: float) -> float:
    return float(stats.t.ppf((1 + level) / 2, degrees)) * error
