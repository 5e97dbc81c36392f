"""Fisher's exact test of two shares of independent samples."""

from __future__ import annotations

import math

import numpy as np

from analysis.statistics.intervals import Sample


def fisher_p_value(arm: Sample, baseline: Sample) -> float:
    """Return the two-sided p-value of two independent samples of 0 and 1, `[R]` and `[R']`, being alike.

    Fisher's exact test (1935): the probability, given both margins, of tables at most as probable as the
    observed one. NaN values are left out; NaN without any others.
    """
    arm, baseline = arm[~np.isnan(arm)], baseline[~np.isnan(baseline)]
    n, m = len(arm), len(baseline)
    if min(n, m) == 0:
        return math.nan
    successes, observed = int(arm.sum() + baseline.sum()), int(arm.sum())
    possible = range(max(0, successes - m), min(n, successes) + 1)
    ways = {x: math.comb(n, x) * math.comb(m, successes - x) for x in possible}
    return sum(count for count in ways.values() if count <= ways[observed]) / sum(ways.values())
