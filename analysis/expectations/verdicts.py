"""What runs allow to say of an expected effect: contrasts of arms, their intervals, and verdicts."""

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
from analysis.effects.mechanisms import mechanisms
from analysis.statistics import LEVEL, Interval, Sample
from analysis.tables.table import ends
from analysis.tables.wording import interval_text, number

NOT_RUN: Final = "not run"
DECIDED = ("supported", "contradicted")

Verdict = Literal["supported", "contradicted", "not resolved", "not run"]
SIGNS = {"positive": 1, "negative": -1, "none": 0}


@dataclass(frozen=True)
class Expectation:
    """What is expected of a study: a sum over arms of a measure, its sign, and a size that matters.

    The direction `none` expects an effect that is smaller than what matters. `environment` is one of
    the study's, None for its first.
    """

    study: str
    measure: str
    contrast: Mapping[str, float]
    direction: Literal["positive", "negative", "none"]
    smallest: float
    environment: str | None = None

    @property
    def sign(self) -> int:
        """Return what turns an effect that is expected into a positive number; 0 if none is."""
        return SIGNS[self.direction]


@dataclass(frozen=True)
class Judged:
    """An expectation with what came out of it; `reason` says why there is none, if so."""

    test: Expectation
    effect: Interval
    verdict: Verdict
    reason: str = ""


def judge(tests: Sequence[Expectation], root: Path | str) -> list[Judged]:
    """Return every expectation with its verdict, from the runs below a results directory.

    Intervals are made for all of them together: each at 1 - 0.05 / their number (Bonferroni).
    """
    studies: dict[str, StudyRuns | str] = {}
    for test in tests:
        if test.study not in studies:
            studies[test.study] = _load(test.study, root)
    return [_judged(test, studies[test.study], level_of(len(tests))) for test in tests]


def level_of(tests: int) -> float:
    """Return the level of each of several intervals that hold together with 95 %."""
    return 1 - (1 - LEVEL) / max(tests, 1)


def verdict(effect: Interval, sign: int, smallest: float) -> Verdict:
    """Return what an interval allows to say of an expected effect.

    Supported: the interval lies on the expected side of zero and the estimate is at least of the size
    that matters. Contradicted: the whole interval lies below that size, so no such effect is
    compatible with the runs. Everything else is not resolved. Where no effect is expected (`sign` 0) it
    is supported by an interval between the sizes that matter, and contradicted by one on one side of
    zero whose estimate matters.
    """
    if math.isnan(effect.low):
        return "not resolved"
    if sign == 0:
        if max(-effect.low, effect.high) < smallest:
            return "supported"
        apart = effect.low > 0 or effect.high < 0
        return "contradicted" if apart and abs(effect.estimate) >= smallest else "not resolved"
    low, high = sorted((sign * effect.low, sign * effect.high))
    if low > 0 and sign * effect.estimate >= smallest:
        return "supported"
    return "contradicted" if high < smallest else "not resolved"


def contrast(
    samples: Mapping[str, Sample], weights: Mapping[str, float], level: float, share: bool = False
) -> Interval:
    """Return the mean over seeds of a weighted sum of arms, `[R]` each, with Student's t interval.

    Seeds that lack one of the arms are left out. A difference of two shares has Newcombe's interval.
    """
    if share and sorted(weights.values()) == [-1, 1]:
        plus, minus = (samples[name] for name in sorted(weights, key=lambda name: -weights[name]))
        both = ~(np.isnan(plus) | np.isnan(minus))
        return statistics.share_difference(plus[both], minus[both], level)
    total = np.sum([weight * samples[name] for name, weight in weights.items()], axis=0)
    return statistics.mean(total[~np.isnan(total)], level)


def measure_name(name: str) -> str:
    """Return a measure's name to be read."""
    return name.replace("_", " ")


def expected_text(test: Expectation) -> str:
    """Return the sizes of an effect that would be as expected."""
    if test.sign == 0:
        return f"within ±{number(test.smallest)}"
    return f"{'≥ +' if test.sign > 0 else '≤ -'}{number(test.smallest)}"


def effect_text(row: Judged) -> str:
    """Return an effect with its interval, or why there is none."""
    return interval_text(row.effect, signed=True, missing=row.reason)


def contrast_text(weights: Mapping[str, float]) -> str:
    """Return a sum over arms in words: `a - b`, or `(a - b) - (c - d)` for the four of a gap."""
    words = [f"{'+' if weight > 0 else '-'} {name}" for name, weight in weights.items()]
    return " ".join(words).removeprefix("+ ")


def flat(row: Judged) -> dict[str, Any]:
    """Return an expectation and its effect as numbers and words by name."""
    test = row.test
    return {
        "study": test.study,
        **({} if test.environment is None else {"environment": test.environment}),
        "measure": test.measure,
        "contrast": contrast_text(test.contrast),
        "direction": test.direction,
        "smallest": test.smallest,
        **ends("effect", row.effect),
        "n": row.effect.n,
        "verdict": row.verdict,
    }


def _load(study: str, root: Path | str) -> StudyRuns | str:
    try:
        return load(study, root)
    except StudyNotFound:
        return f"study {study} was not run"


def _judged(test: Expectation, runs: StudyRuns | str, level: float) -> Judged:
    if isinstance(runs, str):
        return Judged(test, Interval.missing(), NOT_RUN, runs)
    environments = runs.environments
    environment = test.environment or environments[0]
    if environment not in environments:
        reason = f"study {test.study} was not run in {environment}"
        return Judged(test, Interval.missing(), NOT_RUN, reason)
    arms = {arm.name: arm for arm in runs.arms(environment)}
    lacking = [name for name in test.contrast if name not in arms]
    if lacking:
        reason = f"study {test.study} has no arm {', '.join(lacking)}"
        return Judged(test, Interval.missing(), NOT_RUN, reason)
    samples = {name: _measured(runs, arms[name], test.measure) for name in test.contrast}
    share = test.measure in SCORES and SCORES[test.measure].unit == "share"
    effect = contrast(samples, test.contrast, level, share)
    if not effect.n:
        return Judged(test, effect, NOT_RUN, f"no run has {measure_name(test.measure)}")
    return Judged(test, effect, verdict(effect, test.sign, test.smallest))


def _measured(runs: StudyRuns, arm: Arm, measure: str) -> Sample:
    if measure in SCORES:
        return runs.scores(arm, measure)
    missing = np.full(len(runs.plan.study.seeds), np.nan)
    return mechanisms(runs, arm).get(measure, missing)
