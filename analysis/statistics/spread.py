"""The spread of single runs: tolerance intervals, and two groups where there are two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from scipy.optimize import brentq

from analysis.statistics.intervals import LEVEL, Estimate, Sample, as_sample, mean, share

CONTENT = 0.9
"""The share of all runs that a tolerance interval is to hold."""
NORMAL_NEEDS = 20
"""Below so many runs no test would notice that scores are not normal."""
NOT_NORMAL = 0.1
"""p-value of the Shapiro-Wilk test up to which scores do not count as normal."""
GAP_WEIGHT = 0.3
"""What a unit of gap between two groups counts, as chosen by simulation (`benchmarks.spread`)."""
MODES_NEED = 10
"""Runs below which two groups are not looked for."""
NODES = 40

Method = Literal["auto", "order statistics", "normal"]


def tolerance(
    x: ArrayLike, content: float = CONTENT, level: float = LEVEL, method: Method = "auto"
) -> Estimate:
    """Return the median of `[R]` and the interval that holds a share `content` of all runs to come.

    It does so with confidence `level`. *Order statistics* (Wilks 1941) need no assumption, but 46 runs
    for 90 % and 95 %. *Normal* (Howe 1969, here exact) holds for normal scores alone: by itself
    (`auto`) it is used from 20 runs on, where the Shapiro-Wilk test (p > 0.1) has nothing against it.
    Otherwise the ends are NaN, and `method` says how many runs are needed.
    """
    sample = np.sort(as_sample(x))
    n, needed = len(sample), runs_for_tolerance(content, level)
    center = float(np.median(sample)) if n else math.nan
    if method != "normal" and n >= needed:
        rank = _rank(n, content, level)
        low, high = float(sample[rank - 1]), float(sample[-rank])
        return Estimate(center, low, high, n, "order statistics")
    if n > 1 and (method == "normal" or (method == "auto" and _looks_normal(sample))):
        half = _normal_factor(n, content, level) * float(sample.std(ddof=1))
        middle = float(sample.mean())
        return Estimate(center, middle - half, middle + half, n, "normal")
    return Estimate(center, math.nan, math.nan, n, f"needs {needed} runs")


def runs_for_tolerance(content: float = CONTENT, level: float = LEVEL) -> int:
    """Return the runs that a tolerance interval of order statistics needs: 46 for 90 % and 95 %."""
    n = 2
    while _confidence(n, 1, content) < level:
        n += 1
    return n


@dataclass(frozen=True)
class TwoModes:
    """Two groups of runs far apart: the mean of each, the upper one's share of the runs, their distance.

    `separation` is Ashman's D (1994): the distance of the means in units of the root mean square of the
    two standard deviations.
    """

    lower: Estimate
    upper: Estimate
    upper_share: Estimate
    separation: float


def two_modes(x: ArrayLike) -> TwoModes | None:
    """Return the two groups that the scores `[R]` of ten or more runs fall into, None if they do not.

    Distances are in units of Ashman's D: of the root mean square of the groups' standard deviations. The
    distance of the means plus 0.3 of the empty gap between the groups must exceed 4.45 + 36.5 / q^2,
    with q a quarter of the runs, rounded up. One mode, be it skewed or cut off at a largest return,
    exceeds that in at most 5 % of samples (docs/statistics.md). A group of fewer runs than q must be
    four times as far away. The groups are split where the bound is exceeded most.
    """
    sample = np.sort(as_sample(x))
    n = len(sample)
    if n < MODES_NEED or sample[0] == sample[-1]:
        return None
    sizes = np.arange(3, n - 2)
    quarter = math.ceil(n / 4)
    bounds = (4.45 + 36.5 / quarter**2) * np.where(np.minimum(sizes, n - sizes) < quarter, 4, 1)
    separations, gaps = _separations(sample, sizes)
    evidence = (separations + GAP_WEIGHT * gaps) / bounds
    best = int(np.argmax(evidence))
    if evidence[best] <= 1:
        return None
    lower, upper = sample[: sizes[best]], sample[sizes[best] :]
    return TwoModes(mean(lower), mean(upper), share(sample >= upper[0]), float(separations[best]))


def _separations(ordered: Sample, sizes: NDArray[np.int64]) -> tuple[Sample, Sample]:
    """Return Ashman's D of the lowest runs and the rest, and the gap between, by the number of lowest.

    Both 0 where the split would part equal scores.
    """
    scaled = (ordered - ordered.mean()) / np.ptp(ordered)
    parts = []
    for values in (scaled, scaled[::-1]):
        counts = sizes if values is scaled else len(ordered) - sizes
        means = np.cumsum(values)[counts - 1] / counts
        squares = np.cumsum(values**2)[counts - 1] - counts * means**2
        parts.append((means, np.maximum(squares, 0) / (counts - 1)))
    (low, low_variance), (high, high_variance) = parts
    # Rounding leaves about 1e-16 of the variance of equal scores.
    spread = np.sqrt((low_variance + high_variance) / 2) + 1e-9
    gaps = scaled[sizes] - scaled[sizes - 1]
    return np.where(gaps > 0, (high - low) / spread, 0.0), gaps / spread


def _confidence(n: int, rank: int, content: float) -> float:
    """Return how surely the `rank` smallest and largest of `n` runs enclose that share of all runs."""
    return float(1 - special.betainc(n - 2 * rank + 1, 2 * rank, content))


def _rank(n: int, content: float, level: float) -> int:
    rank = 1
    while _confidence(n, rank + 1, content) >= level:
        rank += 1
    return rank


def _looks_normal(sample: Sample) -> bool:
    if len(sample) < NORMAL_NEEDS or np.ptp(sample) == 0:
        return False
    return bool(stats.shapiro(sample).pvalue > NOT_NORMAL)


def _normal_factor(n: int, content: float, level: float) -> float:
    """Return the half width of a normal tolerance interval in standard deviations.

    Averages the probability that the sample's standard deviation is large enough over the normal
    distribution of its mean (Gauss-Hermite quadrature).
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    # The half width around a shifted center that holds the content: a noncentral chi-square's root.
    radii = np.sqrt(special.chndtrix(content, 1, nodes**2 / n))

    def excess(factor: float) -> float:
        surely = special.chdtrc(n - 1, (n - 1) * (radii / factor) ** 2)
        return float(weights @ surely) - level

    # Howe's approximation (1969) is a few percent off at most.
    howe = special.ndtri((1 + content) / 2) * math.sqrt(1 + 1 / n)
    howe *= math.sqrt((n - 1) / special.chdtri(n - 1, level))
    return float(brentq(excess, 0.8 * howe, 1.25 * howe, xtol=1e-9))
