"""Power of the paired t test: the effect that so many runs find, the runs that an effect takes."""

from __future__ import annotations

import math

from scipy import special
from scipy.optimize import brentq

from analysis.statistics.intervals import LEVEL

POWER = 0.8
"""The probability with which the minimum detectable effect is found."""


def paired_t_power(effect: float, sd: float, n: int, tests: int = 1, level: float = LEVEL) -> float:
    """Return the probability that a paired t test finds an effect significant.

    `sd` is the standard deviation of the `n` differences. With several tests the threshold is
    Bonferroni's, the strictest that Holm's method uses: the power is at least this.
    """
    critical = float(special.stdtrit(n - 1, 1 - (1 - level) / (2 * tests)))
    shift = abs(effect) / sd * math.sqrt(n)
    # The negligible probability of rejecting on the wrong side is left out.
    return 1 - float(special.nctdtr(n - 1, shift, critical))


def detectable_effect(
    sd: float, n: int, tests: int = 1, power: float = POWER, level: float = LEVEL
) -> float:
    """Return the smallest true difference that a paired t test finds with probability `power`.

    `sd` and `n` as above. NaN with fewer than two differences, or with a zero or infinite `sd`.
    """
    if n < 2 or not 0 < sd < math.inf:
        return math.nan
    high = sd
    while paired_t_power(high, sd, n, tests, level) < power:
        high *= 2

    def excess(effect: float) -> float:
        return paired_t_power(effect, sd, n, tests, level) - power

    return float(brentq(excess, 0, high, xtol=1e-9 * high))


MOST_RUNS = 100_000
"""The largest number of runs that a comparison is planned with."""


def runs_to_detect(
    effect: float, sd: float, tests: int = 1, power: float = POWER, level: float = LEVEL
) -> float:
    """Return the smallest number of runs whose paired t test finds `effect` with probability `power`.

    `sd` as above. 100,000 stands for so many or more; NaN where `sd` is zero or unknown.
    """
    if math.isnan(effect) or not 0 < sd < math.inf:
        return math.nan
    low, high = 1, 2
    while paired_t_power(effect, sd, high, tests, level) < power:
        low, high = high, min(2 * high, MOST_RUNS)
        if low >= MOST_RUNS:
            return MOST_RUNS
    while high - low > 1:
        middle = (low + high) // 2
        enough = paired_t_power(effect, sd, middle, tests, level) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high
