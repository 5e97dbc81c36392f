"""One arm against another: paired and unpaired differences, permutation tests, Holm's correction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.statistics.intervals import (
    LEVEL,
    Interval,
    Sample,
    mean,
    share,
    standard_error,
    t_quantile,
)

EXACT_SIGNS = 14
"""Up to this many differences all signs are tried; beyond, `FLIPS` random ones."""
FLIPS = 9_999


@dataclass(frozen=True)
class Difference:
    """A mean difference, its two-sided p-value and the correlation of the pairs."""

    interval: Interval
    p_value: float
    correlation: float = math.nan


def paired_difference(arm: Sample, baseline: Sample, level: float = LEVEL) -> Difference:
    """Return the mean of `arm - baseline`, both `[R]` in the same order of seeds, NaN if missing.

    Student's t interval and two-sided p-value over the seeds that both have. Where all differences are
    equal, so that their variance is zero, the interval is missing and the p-value that of the sign-flip
    test.
    """
    both = ~(np.isnan(arm) | np.isnan(baseline))
    differences = arm[both] - baseline[both]
    correlation = _correlation(arm[both], baseline[both])
    interval = mean(differences, level)
    n = interval.n
    if n < 2:
        return Difference(interval, math.nan, correlation)
    error = standard_error(differences)
    if error == 0:
        bare = Interval(interval.estimate, math.nan, math.nan, n)
        return Difference(bare, sign_flip_p_value(differences), correlation)
    p_value = 2 * special.stdtr(n - 1, -abs(interval.estimate) / error)
    return Difference(interval, float(p_value), correlation)


def unpaired_difference(arm: Sample, baseline: Sample, level: float = LEVEL) -> Difference:
    """Return the difference of the means of `[R]` and `[R']`, taken as independent samples.

    Welch's t interval and p-value (1947). `n` counts the runs of the smaller sample.
    """
    arm, baseline = arm[~np.isnan(arm)], baseline[~np.isnan(baseline)]
    n = min(len(arm), len(baseline))
    if n == 0:
        return Difference(Interval.missing(), math.nan)
    estimate = float(arm.mean() - baseline.mean())
    if n < 2:
        return Difference(Interval(estimate, math.nan, math.nan, n), math.nan)
    variances = [standard_error(sample) ** 2 for sample in (arm, baseline)]
    error = math.sqrt(sum(variances))
    if error == 0:
        return Difference(Interval(estimate, math.nan, math.nan, n), math.nan)
    parts = zip(variances, (len(arm), len(baseline)), strict=True)
    degrees = error**4 / sum(variance**2 / (size - 1) for variance, size in parts)
    half = t_quantile(degrees, level) * error
    p_value = float(2 * special.stdtr(degrees, -abs(estimate) / error))
    return Difference(Interval(estimate, estimate - half, estimate + half, n), p_value)


def share_difference(arm: Sample, baseline: Sample, level: float = LEVEL) -> Interval:
    """Return the difference of two shares, `[R]` and `[R']` of 0 and 1, with Newcombe's interval.

    His method 10 (1998): Wilson's intervals of both, combined. It takes the samples as independent.
    """
    n = min(len(arm), len(baseline))
    if n == 0:
        return Interval.missing()
    one, other = (share(int(sample.sum()), len(sample), level) for sample in (arm, baseline))
    estimate = one.estimate - other.estimate
    below = math.hypot(one.estimate - one.low, other.high - other.estimate)
    above = math.hypot(one.high - one.estimate, other.estimate - other.low)
    return Interval(estimate, estimate - below, estimate + above, n)


def sign_flip_p_value(differences: Sample, seed: int = 0) -> float:
    """Return the two-sided permutation p-value of paired differences `[R]` being centered on zero.

    Under the null hypothesis arm and baseline of a seed could be swapped, which flips the sign of a
    difference. All signs are tried for up to 14 differences; beyond, 9,999 random ones and the observed
    ones (Phipson and Smyth 2010).
    """
    n = len(differences)
    if n == 0:
        return math.nan
    if n <= EXACT_SIGNS:
        signs = 1 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        signs = 1 - 2.0 * np.random.default_rng(seed).integers(0, 2, (FLIPS, n))
        signs = np.vstack([np.ones(n), signs])
    sums = np.abs(signs @ differences)
    # Rounding may make equal sums differ in their last bits.
    return float(np.mean(sums >= sums[0] * (1 - 1e-12)))


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


def _correlation(one: Sample, other: Sample) -> float:
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])
