"""Rank correlation of two measures of the same runs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.statistics.differences import as_pairs
from analysis.statistics.intervals import LEVEL, Estimate, normal_quantile


def rank_correlation(x: ArrayLike, y: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return Spearman's correlation of two measures `[R]` of the same runs, NaN if missing.

    Interval by Fisher's transformation with the variance of Bonett and Wright (2000). Missing below
    four runs, or where one of the measures does not vary.
    """
    first, second = as_pairs(x, y)
    n, method = len(first), "Fisher's transformation"
    if n < 4 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return Estimate.missing(n, method)
    value = float(stats.spearmanr(first, second).statistic)
    if abs(value) >= 1:
        return Estimate(value, math.nan, math.nan, n, method)
    half = normal_quantile(level) * math.sqrt((1 + value**2 / 2) / (n - 3))
    center = math.atanh(value)
    return Estimate(value, math.tanh(center - half), math.tanh(center + half), n, method)
