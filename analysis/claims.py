"""The article's claims against the runs: contrasts of arms, and the verdicts their intervals allow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import yaml

from ablation.store import Store
from analysis import statistics
from analysis.load import StudyNotFound, StudyRuns, load
from analysis.mechanisms import mechanisms
from analysis.scores import SCORES
from analysis.statistics import LEVEL, Interval, Sample
from analysis.tables import Cell, Table, ends
from analysis.texts import interval_text, number

DECLARED = Path(__file__).with_name("claims.yaml")
NOT_RUN: Final = "not run"
DECIDED = ("supported", "contradicted")

Verdict = Literal["supported", "contradicted", "not resolved", "not run"]


@dataclass(frozen=True)
class Expectation:
    """What a claim says of a study: a sum over arms of a measure, its sign, and a size that matters."""

    study: str
    measure: str
    contrast: Mapping[str, float]
    direction: Literal["positive", "negative"]
    smallest: float

    @property
    def sign(self) -> int:
        """Return what turns an effect that the claim expects into a positive number."""
        return 1 if self.direction == "positive" else -1


@dataclass(frozen=True)
class Claim:
    """A claim of the article and what is to show it."""

    id: str
    claim: str
    tests: Sequence[Expectation]


@dataclass(frozen=True)
class Tested:
    """A test with what came out of it; `reason` says why there is no effect, where there is none."""

    claim: Claim
    test: Expectation
    effect: Interval
    verdict: Verdict
    reason: str = ""


def declared(path: Path = DECLARED) -> list[Claim]:
    """Return the claims in the order of their file."""
    return [
        Claim(entry["id"], entry["claim"], [Expectation(**test) for test in entry["tests"]])
        for entry in yaml.safe_load(path.read_text())
    ]


def judge(claims: Sequence[Claim], root: Path | str) -> list[Tested]:
    """Return every test with its verdict, from the runs below a results directory.

    Intervals are made for all tests together: each at 1 - 0.05 / their number (Bonferroni).
    """
    pairs = [(claim, test) for claim in claims for test in claim.tests]
    level = 1 - (1 - LEVEL) / len(pairs)
    studies: dict[str, StudyRuns | str] = {}
    for _, test in pairs:
        if test.study not in studies:
            studies[test.study] = _load(test.study, root)
    return [_judged(claim, test, studies[test.study], level) for claim, test in pairs]


def verdict(effect: Interval, sign: int, smallest: float) -> Verdict:
    """Return what an interval allows to say of a claimed effect.

    Supported: the interval lies on the claimed side of zero and the estimate is at least of the size
    that matters. Contradicted: the whole interval lies below that size, so no such effect is
    compatible with the runs. Everything else is not resolved.
    """
    if math.isnan(effect.low):
        return "not resolved"
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


def claims_table(found: Sequence[Tested]) -> Table:
    """Return the claims as a table: effect, interval, n and verdict of each test."""
    rows, values = [], []
    for at, row in enumerate(found):
        first = at == 0 or found[at - 1].claim is not row.claim
        test, n = row.test, row.effect.n
        effect = interval_text(row.effect, signed=True, missing=row.reason)
        expected = f"{'≥ +' if test.sign > 0 else '≤ -'}{number(test.smallest)}"
        rows.append(
            [
                Cell(row.claim.id if first else "", value=row.claim.id),
                Cell(row.claim.claim if first else ""),
                Cell(f"{measure_name(test.measure)}: {contrast_text(test.contrast)}"),
                Cell(expected, value=test.sign * test.smallest),
                Cell(effect, value=row.effect.estimate),
                Cell(str(n) if n else "", value=float(n)),
                Cell(row.verdict, bold=row.verdict in DECIDED, value=row.verdict),
            ]
        )
        values.append(_flat(row))
    share = 100 * (1 - (1 - LEVEL) / max(len(found), 1))
    return Table(
        "The article's claims: effects against the smallest that would matter",
        ["", "claim", "measure", "matters", "effect", "n", "verdict"],
        rows,
        names=3,
        notes=[
            f"Each interval has a level of {share:.2f} %, so that all {len(found)} hold together with "
            "95 % (Bonferroni): Student's t over seeds, paired, or Newcombe's for shares. Supported: on "
            "the claimed side of zero and estimated at no less than what matters. Contradicted: effects "
            "that matter lie outside the interval. Otherwise not resolved, which is not the same as no "
            "effect. n: seeds.",
        ],
        values=values,
        label="claims",
    )


def measure_name(name: str) -> str:
    """Return a measure's name to be read."""
    return name.replace("_", " ")


def contrast_text(weights: Mapping[str, float]) -> str:
    """Return a sum over arms in words: `a - b`, or `(a - b) - (c - d)` for the four of a gap."""
    words = [f"{'+' if weight > 0 else '-'} {name}" for name, weight in weights.items()]
    return " ".join(words).removeprefix("+ ")


def write_claims(root: Path | str, path: Path = DECLARED) -> tuple[Table, Path]:
    """Judge the declared claims; write and return their table, and the page that shows it."""
    from analysis.page import write_table_page
    from analysis.writers import write_tables

    table = claims_table(judge(declared(path), root))
    directory = Store(root).root / "claims"
    directory.mkdir(parents=True, exist_ok=True)
    write_tables(table, directory, "claims")
    page = write_table_page("What the article claims, and what the runs say", [table], directory)
    return table, page


def _load(study: str, root: Path | str) -> StudyRuns | str:
    try:
        return load(study, root)
    except StudyNotFound:
        return f"study {study} was not run"


def _judged(claim: Claim, test: Expectation, runs: StudyRuns | str, level: float) -> Tested:
    if isinstance(runs, str):
        return Tested(claim, test, Interval.missing(), NOT_RUN, runs)
    arms = {arm.name: arm for arm in runs.plan.arms}
    lacking = [name for name in test.contrast if name not in arms]
    if lacking:
        reason = f"study {test.study} has no arm {', '.join(lacking)}"
        return Tested(claim, test, Interval.missing(), NOT_RUN, reason)
    samples = {name: _measured(runs, arms[name], test.measure) for name in test.contrast}
    share = test.measure in SCORES and SCORES[test.measure].unit == "share"
    effect = contrast(samples, test.contrast, level, share)
    if not effect.n:
        return Tested(claim, test, effect, NOT_RUN, f"no run has {measure_name(test.measure)}")
    return Tested(claim, test, effect, verdict(effect, test.sign, test.smallest))


def _measured(runs: StudyRuns, arm: Any, measure: str) -> Sample:
    if measure in SCORES:
        return runs.scores(arm, measure)
    missing = np.full(len(runs.plan.study.seeds), np.nan)
    return mechanisms(runs, arm).get(measure, missing)


def _flat(row: Tested) -> dict[str, Any]:
    test = row.test
    return {
        "claim": row.claim.id,
        "study": test.study,
        "measure": test.measure,
        "contrast": contrast_text(test.contrast),
        "direction": test.direction,
        "smallest": test.smallest,
        **ends("effect", row.effect),
        "n": row.effect.n,
        "verdict": row.verdict,
    }
