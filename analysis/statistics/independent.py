"""Factorial contrasts of independent samples, where equal seeds of two arms are no pairs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.statistics.differences import Difference, holm
from analysis.statistics.factorial import Contrast
from analysis.statistics.intervals import LEVEL, Interval, Sample, standard_error, t_quantile


def independent_contrasts(
    samples: Sequence[Sequence[Sample]], shape: tuple[int, ...], level: float = LEVEL
) -> list[Contrast]:
    """Return every main effect and two-way interaction of a crossed design of independent samples.

    `samples` has the arms of each combination of levels, in the order of an array of `shape`; those of
    one combination are averaged. Welch's t interval and p-value for a linear combination of means
    (Satterthwaite 1946).
    """
    factors = range(len(shape))
    terms: list[tuple[tuple[int, ...], tuple[int, ...]]]
    terms = [((f,), (position,)) for f in factors for position in range(1, shape[f])]
    terms += [
        (pair, positions)
        for pair in itertools.combinations(factors, 2)
        for positions in itertools.product(*(range(1, shape[f]) for f in pair))
    ]
    differences = [_combination(samples, _weights(shape, *term), level) for term in terms]
    corrected = holm(np.array([difference.p_value for difference in differences]))
    return [
        Contrast(pair, positions, difference, p)
        for (pair, positions), difference, p in zip(terms, differences, corrected.tolist(), strict=True)
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
    samples: Sequence[Sequence[Sample]], weights: NDArray[np.float64], level: float
) -> Difference:
    parts = [
        (weight / len(arms), sample[~np.isnan(sample)])
        for arms, weight in zip(samples, weights.tolist(), strict=True)
        for sample in arms
        if weight
    ]
    n = min(len(sample) for _, sample in parts)
    if n == 0:
        return Difference(Interval.missing(), math.nan)
    estimate = float(sum(weight * sample.mean() for weight, sample in parts))
    bare = Difference(Interval(estimate, math.nan, math.nan, n), math.nan)
    if n < 2:
        return bare
    variances = [(weight * standard_error(sample)) ** 2 for weight, sample in parts]
    error = math.sqrt(sum(variances))
    if error == 0:
        return bare
    terms = zip(variances, parts, strict=True)
    degrees = error**4 / sum(variance**2 / (len(sample) - 1) for variance, (_, sample) in terms)
    half = t_quantile(degrees, level) * error
    p_value = float(2 * special.stdtr(degrees, -abs(estimate) / error))
    return Difference(Interval(estimate, estimate - half, estimate + half, n), p_value)
