"""Expected effects evaluated: contrasts of arms, their intervals, and what these allow to conclude."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from ablation.results.load import StudyNotFound, StudyRuns, load
from ablation.results.scores import SCORES
from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.diagnostics import arm_diagnostics
from analysis.effects.verdict_rule import enough_seeds
from analysis.statistics import LEVEL, Estimate, Sample
from analysis.tables.columns import interval_columns
from analysis.tables.wording import interval_text, number

Verdict = Literal["supported", "smaller", "contradicted", "inconclusive", "too few seeds", "not run"]
NOT_RUN: Final = "not run"
TOO_FEW: Final = "too few seeds"
DECIDED = ("supported", "smaller", "contradicted")
SIGNS = {"positive": 1, "negative": -1, "none": 0}


@dataclass(frozen=True)
class Expectation:
    """An expected effect in a study: a contrast of arms, its direction, its smallest size of interest.

    `contrast` gives the weight of each arm in a sum of their measures. The direction `none` expects an
    effect below the smallest one of interest. `environment` is one of the study's, None for its first.
    """

    study: str
    measure: str
    contrast: Mapping[str, float]
    direction: Literal["positive", "negative", "none"]
    smallest: float
    environment: str | None = None

    @property
    def sign(self) -> int:
        """Return the sign of the expected effect; 0 if none is expected."""
        return SIGNS[self.direction]


@dataclass(frozen=True)
class EvaluatedExpectation:
    """An expectation with its effect and verdict; `reason` says why there is no effect, if so."""

    test: Expectation
    effect: Estimate
    verdict: Verdict
    reason: str = ""


def evaluate(tests: Sequence[Expectation], root: Path | str) -> list[EvaluatedExpectation]:
    """Return every expectation with its verdict, from the runs below a results directory.

    The intervals are simultaneous: each has the level 1 - 0.05 / their number (Bonferroni).
    """
    studies: dict[str, StudyRuns | str] = {}
    for test in tests:
        if test.study not in studies:
            studies[test.study] = _load_study(test.study, root)
    return [_evaluate(test, studies[test.study], simultaneous_level(len(tests))) for test in tests]


def simultaneous_level(tests: int) -> float:
    """Return the level of each of several intervals with 95 % simultaneous coverage (Bonferroni)."""
    return 1 - (1 - LEVEL) / max(tests, 1)


def decide(effect: Estimate, sign: int, smallest: float) -> Verdict:
    """Return what an interval allows to conclude about an expected effect.

    Supported: the interval lies on the expected side of zero and the estimate is at least the smallest
    effect of interest. Contradicted: the whole interval lies below that size, so no such effect is
    compatible with the runs; smaller, if it lies on the expected side of zero as well: the direction is
    as expected, the size is not. All else is inconclusive. Where no effect is expected (`sign` 0), an
    interval within the smallest effects of interest supports it, and one on one side of zero whose
    estimate is at least as large contradicts it.
    """
    if math.isnan(effect.low):
        return "inconclusive"
    if sign == 0:
        if max(-effect.low, effect.high) < smallest:
            return "supported"
        nonzero = effect.low > 0 or effect.high < 0
        return "contradicted" if nonzero and abs(effect.value) >= smallest else "inconclusive"
    low, high = sorted((sign * effect.low, sign * effect.high))
    if low > 0 and sign * effect.value >= smallest:
        return "supported"
    if high >= smallest:
        return "inconclusive"
    return "smaller" if low > 0 else "contradicted"


def contrast(
    samples: Mapping[str, Sample], weights: Mapping[str, float], level: float, share: bool = False
) -> Estimate:
    """Return the mean over seeds of a weighted sum of arms, `[R]` each, with Student's t interval.

    Seeds that lack one of the arms are left out. A difference of two shares has Newcombe's interval.
    """
    if share and sorted(weights.values()) == [-1, 1]:
        plus, minus = (samples[name] for name in sorted(weights, key=lambda name: -weights[name]))
        return statistics.share_difference(plus, minus, level=level)
    total = np.sum([weight * samples[name] for name, weight in weights.items()], axis=0)
    return statistics.mean(total, level)


def measure_text(name: str) -> str:
    """Return a measure's name in words."""
    return name.replace("_", " ")


def expected_text(test: Expectation) -> str:
    """Return the sizes of an effect that would be as expected."""
    if test.sign == 0:
        return f"within ±{number(test.smallest)}"
    return f"{'≥ +' if test.sign > 0 else '≤ -'}{number(test.smallest)}"


def effect_text(row: EvaluatedExpectation) -> str:
    """Return an effect with its interval, or why there is none."""
    return interval_text(row.effect, signed=True, missing=row.reason)


def contrast_text(weights: Mapping[str, float]) -> str:
    """Return a contrast of arms as a sum: `a - b`, or `a - b - c + d` for four of them."""
    terms = [f"{'+' if weight > 0 else '-'} {name}" for name, weight in weights.items()]
    return " ".join(terms).removeprefix("+ ")


def expectation_columns(row: EvaluatedExpectation) -> dict[str, Any]:
    """Return an expectation and its effect by the names of the CSV's columns."""
    test = row.test
    return {
        "study": test.study,
        "environment": test.environment,
        "measure": test.measure,
        "contrast": contrast_text(test.contrast),
        "direction": test.direction,
        "smallest": test.smallest,
        **interval_columns("effect", row.effect),
        "n": row.effect.n,
        "verdict": row.verdict,
    }


def _load_study(study: str, root: Path | str) -> StudyRuns | str:
    try:
        return load(study, root)
    except StudyNotFound:
        return f"study {study} was not run"


def _evaluate(test: Expectation, runs: StudyRuns | str, level: float) -> EvaluatedExpectation:
    if isinstance(runs, str):
        return EvaluatedExpectation(test, Estimate.missing(), NOT_RUN, runs)
    environment = test.environment or runs.environments[0]
    arms = {arm.name: arm for arm in runs.arms(environment)}
    lacking = [name for name in test.contrast if name not in arms]
    if lacking:
        known = environment in runs.environments
        reason = f"has no arm {', '.join(lacking)}" if known else f"was not run in {environment}"
        return EvaluatedExpectation(test, Estimate.missing(), NOT_RUN, f"study {test.study} {reason}")
    samples = {name: _measured(runs, arms[name], test.measure) for name in test.contrast}
    share = test.measure in SCORES and SCORES[test.measure].unit == "share"
    effect = contrast(samples, test.contrast, level, share)
    if not effect.n:
        reason = f"no run has {measure_text(test.measure)}"
        return EvaluatedExpectation(test, effect, NOT_RUN, reason)
    if runs.plan.looks is not None:
        # Where the data decided when to stop, a verdict of this kind would not hold.
        return EvaluatedExpectation(test, effect, "inconclusive")
    if not enough_seeds(effect.n, runs.plan):
        return EvaluatedExpectation(test, effect, TOO_FEW)
    return EvaluatedExpectation(test, effect, decide(effect, test.sign, test.smallest))


def _measured(runs: StudyRuns, arm: Arm, measure: str) -> Sample:
    if measure in SCORES:
        return runs.scores(arm, measure)
    missing = np.full(len(runs.plan.study.seeds), np.nan)
    return arm_diagnostics(runs, arm).get(measure, missing)
