"""Statistics of small samples: pure functions of arrays, on NumPy and SciPy alone.

In: scores of runs. Out: intervals, differences, p-values, power. Imports nothing of the project.

Axis letters: `R` runs of one arm, `K` tasks (environments), `B` bootstrap repetitions. Every interval
is two-sided with 95 % nominal coverage unless a level is given; one that cannot be computed is NaN.
docs/statistics.md has their measured coverage.
"""

from analysis.statistics.aggregates import (
    AGGREGATES,
    TRIM,
    aggregate,
    bootstrap,
    iqm,
)
from analysis.statistics.association import rank_correlation
from analysis.statistics.choices import mean_over_choices
from analysis.statistics.differences import (
    Difference,
    difference,
    holm,
    share_difference,
    sign_flip_p_value,
)
from analysis.statistics.exact import fisher_p_value
from analysis.statistics.factorial import Contrast, contrasts, vanishing
from analysis.statistics.improvement import performance_profile, probability_of_improvement
from analysis.statistics.independent import independent_contrasts
from analysis.statistics.intervals import (
    LEVEL,
    Estimate,
    Sample,
    average,
    mean,
    median,
    share,
    standard_deviation,
)
from analysis.statistics.power import detectable_effect, paired_t_power, runs_to_detect
from analysis.statistics.sequential import (
    first_rejection,
    found_different,
    sequential_difference,
)
from analysis.statistics.spread import TwoModes, runs_for_tolerance, tolerance, two_modes

__all__ = [
    "AGGREGATES",
    "LEVEL",
    "TRIM",
    "Contrast",
    "Difference",
    "Estimate",
    "Sample",
    "TwoModes",
    "aggregate",
    "average",
    "bootstrap",
    "contrasts",
    "detectable_effect",
    "difference",
    "first_rejection",
    "fisher_p_value",
    "found_different",
    "holm",
    "independent_contrasts",
    "iqm",
    "mean",
    "mean_over_choices",
    "median",
    "paired_t_power",
    "performance_profile",
    "probability_of_improvement",
    "rank_correlation",
    "runs_for_tolerance",
    "runs_to_detect",
    "sequential_difference",
    "share",
    "share_difference",
    "sign_flip_p_value",
    "standard_deviation",
    "tolerance",
    "two_modes",
    "vanishing",
]
