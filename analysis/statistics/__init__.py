"""Statistics of small samples: pure functions of arrays, on NumPy and SciPy alone.

In: scores of runs. Out: intervals, differences, p-values, power. Imports nothing of the project.

Axis letters: `R` runs of one arm, `K` tasks (environments), `B` bootstrap repetitions. Every interval
is two-sided with 95 % nominal coverage unless a level is given; one that cannot be computed is NaN.
docs/statistics.md has their measured coverage.
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
from analysis.statistics.differences import (
    Difference,
    holm,
    paired_difference,
    share_difference,
    sign_flip_p_value,
    unpaired_difference,
)
from analysis.statistics.factorial import Contrast, contrasts
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
from analysis.statistics.power import detectable_effect, paired_t_power

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
    "paired_t_power",
    "performance_profile",
    "probability_of_improvement",
    "rank_correlation",
    "share",
    "share_difference",
    "sign_flip_p_value",
    "unpaired_difference",
]
