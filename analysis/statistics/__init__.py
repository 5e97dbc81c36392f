"""Statistics of small samples: pure functions of arrays, NumPy and SciPy only.

Axis letters: `R` runs of one arm, `K` tasks (environments), `B` bootstrap repetitions. Every interval
is two-sided with 95 % nominal coverage unless a level is given; one that cannot be computed is NaN.
What the intervals really cover is measured in docs/statistics.md.
"""

from analysis.statistics.aggregates import (
    AGGREGATES,
    TRIM,
    Aggregate,
    aggregate,
    bootstrap,
    interquartile_mean,
    iqm,
)
from analysis.statistics.association import rank_correlation
from analysis.statistics.designs import Contrast, contrasts
from analysis.statistics.differences import (
    Difference,
    holm,
    paired_difference,
    share_difference,
    sign_flip_p_value,
    unpaired_difference,
)
from analysis.statistics.improvement import performance_profile, probability_of_improvement
from analysis.statistics.intervals import (
    LEVEL,
    Interval,
    Sample,
    average,
    mean,
    median,
    share,
)
from analysis.statistics.power import detectable_effect, power

__all__ = [
    "AGGREGATES",
    "LEVEL",
    "TRIM",
    "Aggregate",
    "Contrast",
    "Difference",
    "Interval",
    "Sample",
    "aggregate",
    "average",
    "bootstrap",
    "contrasts",
    "detectable_effect",
    "holm",
    "interquartile_mean",
    "iqm",
    "mean",
    "median",
    "paired_difference",
    "performance_profile",
    "power",
    "probability_of_improvement",
    "rank_correlation",
    "share",
    "share_difference",
    "sign_flip_p_value",
    "unpaired_difference",
]
