"""The mean of a procedure that first chooses one of several levels, whichever one it chooses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.statistics.intervals import LEVEL, Estimate, as_sample, standard_error

HALVINGS = 60


def mean_over_choices(samples: Sequence[ArrayLike], shares: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return the mean score of a procedure that chooses level `i` with the chance `shares[i]`.

    `samples[i]` has scores `[R_i]` of runs at that level, NaN if missing; `shares` `[levels]` are those
    of resamples that repeat the choice, and sum to 1. The estimate is the mean of the samples' means,
    weighted by the shares (bootstrap smoothing, Efron 2014). The interval has the percentiles of their t
    distributions, mixed with the same weights; it always includes the estimate. For a choice that is
    certain it is Student's t interval. A level with a share needs two runs for an interval, one for the
    estimate. Raises `ValueError` for shares that do not fit.
    """
    weights = np.asarray(shares, float)
    if len(weights) != len(samples) or (weights < 0).any() or not math.isclose(weights.sum(), 1):
        raise ValueError(f"one share for each of {len(samples)} levels, which sum to 1; got {weights}")
    chosen = [as_sample(sample) for sample, share in zip(samples, weights, strict=True) if share > 0]
    weights, method = weights[weights > 0], "mixture of t distributions"
    sizes = np.array([len(sample) for sample in chosen])
    n = int(sizes.sum())
    if sizes.min() == 0:
        return Estimate.missing(n, method)
    means = np.array([sample.mean() for sample in chosen])
    value = float(weights @ means)
    if sizes.min() == 1:
        return Estimate(value, math.nan, math.nan, n, method)
    errors = np.array([standard_error(sample) for sample in chosen])
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    low, high = _quantiles(weights, means, errors, sizes - 1, tails)
    return Estimate(value, min(float(low), value), max(float(high), value), n, method)


def _quantiles(
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    errors: NDArray[np.float64],
    degrees: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return quantiles of a mixture of t distributions, by bisection between those of its parts."""
    parts = means + errors * special.stdtrit(degrees, shares[:, None])
    low, high = parts.min(axis=1), parts.max(axis=1)
    scales = np.maximum(errors, np.finfo(float).tiny)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        with np.errstate(over="ignore"):
            below = special.stdtr(degrees, (middle[:, None] - means) / scales) @ weights < shares
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(high)
