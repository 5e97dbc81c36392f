"""One arm against another: paired and unpaired differences, permutation tests, Holm's correction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from analysis.statistics.exact import fisher_p_value
from analysis.statistics.intervals import (
    LEVEL,
    Estimate,
    Sample,
    as_sample,
    mean,
    share,
    standard_error,
    t_quantile,
)

EXACT_SIGNS = 14
"""Up to this many differences all signs are tried; beyond, `FLIPS` random ones."""
FLIPS = 9_999


@dataclass(frozen=True)
class Difference(Estimate):
    """A difference between two arms, its two-sided p-value and the correlation of the pairs."""

    p_value: float = math.nan
    correlation: float = math.nan


def difference(x: ArrayLike, y: ArrayLike, *, paired: bool = True, level: float = LEVEL) -> Difference:
    """Return the difference of the means, `x` minus `y`, with a t interval and p-value.

    Paired: both `[R]` in the same order of seeds, NaN if missing; Student's t over the seeds that both
    have. Where all differences are equal, so that their variance is zero, the interval is missing and
    the p-value that of the sign-flip test. Unpaired: `[R]` and `[R']` as independent samples; Welch's t
    (1947); `n` counts the runs of the smaller one. Raises `ValueError` for pairs of unequal length.
    """
    return _paired(*as_pairs(x, y), level) if paired else _welch(as_sample(x), as_sample(y), level)


def share_difference(
    x: ArrayLike, y: ArrayLike, *, paired: bool = True, level: float = LEVEL
) -> Difference:
    """Return the difference of two shares, `[R]` and `[R']` of 0 and 1, with Newcombe's interval.

    His method 10 (1998): Wilson's intervals of both, combined; it takes the samples as independent.
    Paired: over the seeds that both have, with the p-value of the sign-flip test: ten equal runs have no
    variance, which Student's t would take for certainty. Unpaired: with Fisher's exact p-value.
    """
    one, other = as_pairs(x, y) if paired else (as_sample(x), as_sample(y))
    n, method = min(len(one), len(other)), "Newcombe's method 10"
    if n == 0:
        return Difference(math.nan, math.nan, math.nan, 0, method)
    first, second = share(one, level), share(other, level)
    value = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    p_value = sign_flip_p_value(one - other) if paired else fisher_p_value(one, other)
    correlation = _correlation(one, other) if paired else math.nan
    return Difference(value, value - below, value + above, n, method, p_value, correlation)


def as_pairs(x: ArrayLike, y: ArrayLike) -> tuple[Sample, Sample]:
    """Return the runs of two array-likes `[R]` in the order of their seeds, where neither is missing.

    Raises `ValueError` for unequal lengths.
    """
    one, other = np.asarray(x, float), np.asarray(y, float)
    if one.shape != other.shape:
        raise ValueError(f"pairs need one run of both for every seed; got {one.shape} and {other.shape}")
    both = ~(np.isnan(one) | np.isnan(other))
    return as_sample(one[both]), as_sample(other[both])


def _paired(arm: Sample, baseline: Sample, level: float) -> Difference:
    differences = arm - baseline
    found = mean(differences, level)
    n, method = found.n, "paired, Student's t"
    correlation = _correlation(arm, baseline)
    if n < 2:
        return Difference(found.value, math.nan, math.nan, n, method, math.nan, correlation)
    error = standard_error(differences)
    if error == 0:
        p_value = sign_flip_p_value(differences)
        return Difference(found.value, math.nan, math.nan, n, method, p_value, correlation)
    p_value = float(2 * special.stdtr(n - 1, -abs(found.value) / error))
    return Difference(found.value, found.low, found.high, n, method, p_value, correlation)


def _welch(arm: Sample, baseline: Sample, level: float) -> Difference:
    n, method = min(len(arm), len(baseline)), "unpaired, Welch's t"
    if n == 0:
        return Difference(math.nan, math.nan, math.nan, 0, method)
    value = float(arm.mean() - baseline.mean())
    variances = [standard_error(sample) ** 2 for sample in (arm, baseline)] if n > 1 else [0.0]
    error = math.sqrt(sum(variances))
    if error == 0:
        return Difference(value, math.nan, math.nan, n, method)
    parts = zip(variances, (len(arm), len(baseline)), strict=True)
    degrees = error**4 / sum(variance**2 / (size - 1) for variance, size in parts)
    half = t_quantile(degrees, level) * error
    p_value = float(2 * special.stdtr(degrees, -abs(value) / error))
    return Difference(value, value - half, value + half, n, method, p_value)


def sign_flip_p_value(x: ArrayLike, seed: int = 0) -> float:
    """Return the two-sided permutation p-value of paired differences `[R]` being centered on zero.

    Under the null hypothesis arm and baseline of a seed could be swapped, which flips the sign of a
    difference. All signs are tried for up to 14 differences; beyond, 9,999 random ones and the observed
    ones (Phipson and Smyth 2010).
    """
    differences = as_sample(x)
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


def holm(p_values: ArrayLike) -> Sample:
    """Return p-values `[K]` corrected for their number by Holm's step-down method (1979).

    NaN stays NaN and does not count as a test.
    """
    p_values = np.asarray(p_values, float)
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
