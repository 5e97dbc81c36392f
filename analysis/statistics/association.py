"""Rank correlation of two measures of the same runs."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from analysis.statistics.intervals import LEVEL, Interval, Sample, normal_quantile


def rank_correlation(one: Sample, other: Sample, level: float = LEVEL) -> Interval:
    """Return Spearman's correlation of two measures `[R]` of the same runs, NaN if missing.

    Interval by Fisher's transformation with the variance of Bonett and Wright (2000). Missing below
    four runs, or where one of the measures does not vary.
    """
    both = ~(np.isnan(one) | np.isnan(other))
    first, second = one[both], other[both]
    n = len(first)
    if n < 4 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return Interval.missing(n)
    estimate = float(stats.spearmanr(first, second).statistic)
    if abs(estimate) >= 1:
        return Interval(estimate, math.nan, math.nan, n)
    half = normal_quantile(level) * math.sqrt((1 + estimate**2 / 2) / (n - 3))
    center = math.atanh(estimate)
    return Interval(estimate, math.tanh(center - half), math.tanh(center + half), n)
