"""How the single runs of an arm spread: standard deviation, tolerance, failures, two groups of runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ablation.results.load import StudyRuns
from ablation.results.scores import SCORES
from ablation.study.plan import Arm
from analysis import statistics
from analysis.statistics import Estimate, TwoModes

FAILURE = 0.1
"""A run below random actions plus this part of the way to the solved threshold has failed to learn."""


@dataclass(frozen=True)
class Spread:
    """The spread of an arm's scores.

    `tolerance` holds 90 % of all runs with 95 % confidence. `failures` is the share of runs that failed
    to learn, without runs for scores that are no returns and environments without references. `modes`
    are two groups of runs, where there are any.
    """

    standard_deviation: Estimate
    tolerance: Estimate
    failures: Estimate
    modes: TwoModes | None


def spread(runs: StudyRuns, arm: Arm, score: str) -> Spread:
    """Return the spread of an arm's runs."""
    sample, normalized = runs.scores(arm, score), runs.scores(arm, score, normalized=True)
    known = normalized[~np.isnan(normalized)]
    return Spread(
        statistics.standard_deviation(sample),
        statistics.tolerance(sample),
        statistics.share(known < FAILURE),
        statistics.two_modes(sample) if SCORES[score].unit != "share" else None,
    )
