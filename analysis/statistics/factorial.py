"""Factorial designs: main effects and two-way interactions as contrasts paired by seed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.differences import Difference, holm, paired_difference


@dataclass(frozen=True)
class Contrast:
    """A main effect (one factor) or an interaction (two): its factors and levels by position.

    Both are differences from position 0 of each factor, its baseline level; `corrected` is Holm's
    p-value over all contrasts of the design.
    """

    factors: tuple[int, ...]
    levels: tuple[int, ...]
    difference: Difference
    corrected: float


def contrasts(scores: NDArray[np.float64]) -> list[Contrast]:
    """Return every main effect and two-way interaction of scores `[R, levels of A, levels of B, ...]`.

    A main effect is a level minus the baseline level, averaged over the other factors' combinations;
    an interaction is the change of that difference with the other factor's level. Each is computed
    within a seed, then tested like any paired difference; a seed that lacks one of its combinations
    (NaN) is left out of it.
    """
    factors = range(scores.ndim - 1)
    terms: list[tuple[tuple[int, ...], tuple[int, ...]]]
    terms = [((f,), (level,)) for f in factors for level in range(1, scores.shape[f + 1])]
    terms += [
        (pair, levels)
        for pair in itertools.combinations(factors, 2)
        for levels in itertools.product(*(range(1, scores.shape[f + 1]) for f in pair))
    ]
    differences = [_contrast(scores, pair, levels) for pair, levels in terms]
    corrected = holm(np.array([difference.p_value for difference in differences]))
    return [
        Contrast(pair, levels, difference, p)
        for (pair, levels), difference, p in zip(terms, differences, corrected.tolist(), strict=True)
    ]


def _contrast(
    scores: NDArray[np.float64], factors: tuple[int, ...], levels: tuple[int, ...]
) -> Difference:
    """Return the difference between level and baseline level, taken along each factor in turn."""
    first, *rest = zip(factors, levels, strict=True)
    halves = [np.take(scores, [position], axis=first[0] + 1) for position in (first[1], 0)]
    for factor, level in rest:
        halves = [np.take(h, [level], factor + 1) - np.take(h, [0], factor + 1) for h in halves]
    high, low = (half.reshape(len(scores), -1).mean(axis=1) for half in halves)
    return paired_difference(high, low)
