"""Factorial contrasts of independent samples, where equal seeds of two arms are no pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.statistics.differences import Difference
from analysis.statistics.factorial import Contrast, contrast_terms
from analysis.statistics.intervals import LEVEL, as_sample, standard_error, t_quantile


def independent_contrasts(
    samples: Sequence[Sequence[ArrayLike]], shape: tuple[int, ...], level: float = LEVEL
) -> list[Contrast]:
    """Return every main effect and two-way interaction of a crossed design of independent samples.

    `samples` has the arms of each combination of levels, in the order of an array of `shape`; those of
    one combination are averaged. Welch's t interval and p-value for a linear combination of means
    (Satterthwaite 1946).
    """
    return [
        Contrast(factors, levels, _combination(samples, _weights(shape, factors, levels), level))
        for factors, levels in contrast_terms(shape)
    ]


def _weights(
    shape: tuple[int, ...], factors: tuple[int, ...], positions: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the weight of each combination `[combinations]`: level minus baseline level, averaged."""
    weights = np.ones(1)
    for factor, size in enumerate(shape):
        along = np.full(size, 1 / size)
        if factor in factors:
            along = np.zeros(size)
            along[positions[factors.index(factor)]], along[0] = 1, -1
        weights = np.multiply.outer(weights, along)
    return weights.reshape(-1)


def _combination(
    samples: Sequence[Sequence[ArrayLike]], weights: NDArray[np.float64], level: float
) -> Difference:
    parts = [
        (weight / len(arms), as_sample(sample))
        for arms, weight in zip(samples, weights.tolist(), strict=True)
        for sample in arms
        if weight
    ]
    n, method = min(len(sample) for _, sample in parts), "unpaired, Welch's t"
    if n == 0:
        return Difference(math.nan, math.nan, math.nan, 0, method)
    value = float(sum(weight * sample.mean() for weight, sample in parts))
    variances = [(weight * standard_error(sample)) ** 2 for weight, sample in parts] if n > 1 else []
    error = math.sqrt(sum(variances))
    if error == 0:
        return Difference(value, math.nan, math.nan, n, method)
    terms = zip(variances, parts, strict=True)
    degrees = error**4 / sum(variance**2 / (len(sample) - 1) for variance, (_, sample) in terms)
    half = t_quantile(degrees, level) * error
    p_value = float(2 * special.stdtr(degrees, -abs(value) / error))
    return Difference(value, value - half, value + half, n, method, p_value)
