"""What a number of runs can show: the power of the paired t test and the smallest effect it finds."""

from __future__ import annotations

import math

from scipy import special
from scipy.optimize import brentq

from analysis.statistics.intervals import LEVEL

POWER = 0.8


def power(effect: float, spread: float, n: int, tests: int = 1, level: float = LEVEL) -> float:
    """Return the chance that a paired t test tells an effect from zero.

    `spread` is the standard deviation of the `n` differences. With several tests the threshold is
    Bonferroni's, the strictest that Holm's method uses: the chance is at least this.
    """
    critical = float(special.stdtrit(n - 1, 1 - (1 - level) / (2 * tests)))
    shift = abs(effect) / spread * math.sqrt(n)
    # The chance to reject on the wrong side, too small to matter, is left out.
    return 1 - float(special.nctdtr(n - 1, shift, critical))


def detectable_effect(
    spread: float, n: int, tests: int = 1, chance: float = POWER, level: float = LEVEL
) -> float:
    """Return the smallest true difference that would be told from zero with `chance`.

    NaN with fewer than two differences, without spread, or with more spread than numbers can hold.
    """
    if n < 2 or not 0 < spread < math.inf:
        return math.nan
    high = spread
    while power(high, spread, n, tests, level) < chance:
        high *= 2
    return float(brentq(lambda e: power(e, spread, n, tests, level) - chance, 0, high, xtol=1e-9 * high))
