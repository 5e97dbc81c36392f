"""A group-sequential sign-flip test: arms are compared at declared looks, and stop once they differ.

After AdaStop (Mathieu et al. 2023, arXiv 2306.10882): at each look the sums of all re-signed samples
that would have gone on are compared, and the largest ones are rejected. Two things differ. The two runs
of a seed are swapped instead of runs of both groups, which is exact for paired and for independent runs;
and several arms are tested by Holm's step-down method instead of a maximum over arms, which controls the
family-wise error whatever the dependence between arms that share a baseline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.intervals import LEVEL, Estimate, Sample, mean

RESIGNED = 10_000
"""Assignments of signs that are compared, the observed one among them."""
STEPS = 24
"""Halvings of the search for an end of an interval."""


def first_rejection(
    differences: ArrayLike, looks: Sequence[int], planned: int, level: float
) -> int | None:
    """Return at which of the `looks` taken so far paired differences are found not to center on zero.

    `differences` `[R]` in the order of seeds, NaN if missing; `looks` are numbers of seeds, the first
    ones of `planned` looks. Each look spends an equal share of `level`, two-sided; what one cannot
    spend is lost, which makes rejections at a lower level rejections at every higher one.
    """
    return _first(np.asarray(differences, float), _signs(looks), looks, planned, level)


def _first(
    differences: Sample, signs: Sample, looks: Sequence[int], planned: int, level: float
) -> int | None:
    signed, gone = np.zeros(RESIGNED), np.zeros(RESIGNED, bool)
    values, before = np.nan_to_num(differences), 0
    allowed = math.floor(level / planned * RESIGNED + 1e-9)
    for at, seeds in enumerate(looks):
        signed = signed + signs[:, before:seeds] @ values[before:seeds]
        before = seeds
        largest = _largest(np.abs(signed), gone, allowed)
        if largest[0]:
            return at
        gone |= largest
    return None


def _largest(sums: Sample, gone: NDArray[np.bool_], allowed: int) -> NDArray[np.bool_]:
    """Return which sums that are not gone are the `allowed` largest; fewer where some are equal."""
    left = np.sort(sums[~gone])[::-1]
    if allowed >= len(left):
        return ~gone
    # Rounding may make equal sums differ in their last bits.
    largest: NDArray[np.bool_] = ~gone & (sums > left[allowed] * (1 + 1e-12))
    return largest


def _signs(looks: Sequence[int]) -> Sample:
    """Return the assignments of signs `[RESIGNED, R]`, the observed one first; always the same ones."""
    seeds = looks[-1] if looks else 0
    drawn = 1 - 2.0 * np.random.default_rng(0).integers(0, 2, (seeds, RESIGNED))
    drawn[:, 0] = 1
    return np.ascontiguousarray(drawn.T)


def found_different(
    contrasts: Mapping[str, ArrayLike], looks: Sequence[int], planned: int, level: float = LEVEL
) -> list[str]:
    """Return the arms that differ from their baseline at the looks taken so far, by Holm's method.

    `contrasts` are paired differences `[R]` of the arms that were not decided before. The family-wise
    error over all looks is at most 1 - `level`: the first true null hypothesis to be rejected is tested
    at no more than the error divided by the number of true ones (Holm 1979), at all looks together.
    """
    left = {name: np.asarray(x, float) for name, x in contrasts.items()}
    different, signs = [], _signs(looks)
    while left:
        error = (1 - level) / len(left)
        rejected = [
            name for name, x in left.items() if _first(x, signs, looks, planned, error) is not None
        ]
        if not rejected:
            break
        different += rejected
        left = {name: x for name, x in left.items() if name not in rejected}
    return different


def sequential_difference(
    differences: ArrayLike, looks: Sequence[int], planned: int, level: float = LEVEL
) -> Estimate:
    """Return the mean of paired differences `[R]`, with the interval that the sequential test gives.

    The shifts that the test does not reject at any of the `looks` taken so far (a repeated confidence
    interval, Jennison and Turnbull 1989): it holds whenever the study stopped. NaN ends where so few
    seeds reject no shift.
    """
    values, signs = np.asarray(differences, float)[: looks[-1] if looks else 0], _signs(looks)
    center = mean(values)

    def rejects(shift: float) -> bool:
        return _first(values - shift, signs, looks, planned, 1 - level) is not None

    ends = [_end(values, center.value, side, rejects) for side in (-1, 1)]
    known = not any(map(math.isnan, ends))
    low, high = ends if known else (math.nan, math.nan)
    return Estimate(center.value, low, high, center.n, "paired, group-sequential sign flips")


def _end(values: Sample, center: float, side: int, rejects: Callable[[float], bool]) -> float:
    """Return the largest shift to one side of the mean that no look rejects; NaN if there is none."""
    if math.isnan(center):
        return math.nan
    kept, gone = center, center + side * (float(np.nanmax(values) - np.nanmin(values)) or 1.0)
    if rejects(kept) or not rejects(gone):
        return math.nan
    for _ in range(STEPS):
        middle = (kept + gone) / 2
        kept, gone = (kept, middle) if rejects(middle) else (middle, gone)
    return kept
