"""Every arm of a study against its baseline: estimates, differences, corrected p-values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ablation.study import Arm
from analysis.load import StudyRuns
from analysis.statistics import (
    LEVEL,
    Interval,
    holm,
    interquartile_mean,
    mean,
    paired_difference,
)


@dataclass(frozen=True)
class Comparison:
    """One arm's score and its difference from the baseline of the same environment.

    `difference` and `p_value` are None for the baseline itself; `p_value` is corrected for the
    number of arms compared in the environment.
    """

    arm: Arm
    mean: Interval
    interquartile_mean: Interval
    difference: Interval | None
    p_value: float | None
    statuses: dict[str, int]

    @property
    def resolved(self) -> bool:
        """Return whether the difference from the baseline is told apart from zero."""
        return self.p_value is not None and self.p_value <= 1 - LEVEL


def compare(runs: StudyRuns, score: str) -> list[Comparison]:
    """Return the comparisons of a study's arms, in the plan's order."""
    return [row for environment in _environments(runs) for row in _compare(runs, score, environment)]


def _environments(runs: StudyRuns) -> list[str]:
    return list(dict.fromkeys(arm.environment for arm in runs.plan.arms))


def _compare(runs: StudyRuns, score: str, environment: str) -> Iterator[Comparison]:
    arms = [arm for arm in runs.plan.arms if arm.environment == environment]
    samples = {arm.name: runs.scores(arm, score) for arm in arms}
    baseline = next(arm for arm in arms if arm.role == "baseline")
    others = [arm for arm in arms if arm is not baseline]
    differences = {
        arm.name: paired_difference(samples[arm.name], samples[baseline.name]) for arm in others
    }
    corrected = holm(np.array([differences[arm.name].p_value for arm in others]))
    p_values = dict(zip((arm.name for arm in others), corrected.tolist(), strict=True))
    for arm in arms:
        present = samples[arm.name][~np.isnan(samples[arm.name])]
        yield Comparison(
            arm,
            mean(present),
            interquartile_mean(present),
            differences[arm.name].interval if arm is not baseline else None,
            p_values.get(arm.name),
            runs.statuses(arm),
        )
