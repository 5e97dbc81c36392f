"""Fisher's exact test of two shares of independent samples."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from analysis.statistics.intervals import as_sample


def fisher_p_value(x: ArrayLike, y: ArrayLike) -> float:
    """Return the two-sided p-value of two independent samples of 0 and 1, `[R]` and `[R']`, being alike.

    Fisher's exact test (1935): the probability, given both margins, of tables at most as probable as the
    observed one. NaN values are left out; NaN without any others.
    """
    arm, baseline = as_sample(x), as_sample(y)
    n, m = len(arm), len(baseline)
    if min(n, m) == 0:
        return math.nan
    successes, observed = int(arm.sum() + baseline.sum()), int(arm.sum())
    possible = range(max(0, successes - m), min(n, successes) + 1)
    ways = {x: math.comb(n, x) * math.comb(m, successes - x) for x in possible}
    return sum(count for count in ways.values() if count <= ways[observed]) / sum(ways.values())
