"""Factorial designs: main effects and two-way interactions as contrasts paired by seed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.differences import Difference, difference

Scores = NDArray[np.float64]
Term = tuple[tuple[int, ...], tuple[int, ...]]
"""The factors of a contrast and their levels, by position."""


@dataclass(frozen=True)
class Contrast:
    """A main effect (one factor) or an interaction (two): its factors and levels by position.

    Both are differences from position 0 of each factor, its baseline level.
    """

    factors: tuple[int, ...]
    levels: tuple[int, ...]
    difference: Difference


def contrasts(x: ArrayLike) -> list[Contrast]:
    """Return every main effect and two-way interaction of scores `[R, levels of A, levels of B, ...]`.

    A main effect is a level minus the baseline level, averaged over the other factors' combinations;
    an interaction is the change of that difference with the other factor's level. Each is computed
    within a seed, then tested like any paired difference; a seed that lacks one of its combinations
    (NaN) is left out of it. p-values are not corrected: `holm` does that.
    """
    scores = np.asarray(x, float)
    return [
        Contrast(factors, levels, difference(*_halves(scores, factors, levels)))
        for factors, levels in contrast_terms(scores.shape[1:])
    ]


def vanishing(cells: ArrayLike) -> list[bool]:
    """Return for each of `contrasts` whether it is 0 because equal cells cancel out.

    `cells` has a number for the cell of each combination, `[levels of A, levels of B, ...]`; the same
    number where combinations were merged into one configuration.
    """
    numbers = np.asarray(cells)
    # A contrast of one-hot scores is the weight of each cell in it.
    one_hot = (np.unique(numbers)[:, *[None] * numbers.ndim] == numbers).astype(float)
    weights = (np.subtract(*_halves(one_hot, *term)) for term in contrast_terms(numbers.shape))
    return [bool(np.allclose(weight, 0)) for weight in weights]


def contrast_terms(shape: tuple[int, ...]) -> list[Term]:
    """Return the factors and levels of every main effect and two-way interaction."""
    main: list[Term] = [((f,), (level,)) for f, size in enumerate(shape) for level in range(1, size)]
    return main + [
        (pair, levels)
        for pair in itertools.combinations(range(len(shape)), 2)
        for levels in itertools.product(*(range(1, shape[f]) for f in pair))
    ]


def _halves(scores: Scores, factors: tuple[int, ...], levels: tuple[int, ...]) -> tuple[Scores, Scores]:
    """Return what a contrast subtracts from what, `[R]` each, taken along each factor in turn."""
    first, *rest = zip(factors, levels, strict=True)
    halves = [np.take(scores, [position], axis=first[0] + 1) for position in (first[1], 0)]
    for factor, level in rest:
        halves = [np.take(h, [level], factor + 1) - np.take(h, [0], factor + 1) for h in halves]
    high, low = (half.reshape(len(scores), -1).mean(axis=1) for half in halves)
    return high, low
