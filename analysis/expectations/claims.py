"""The introductory article's claims, each evaluated from the runs of declared studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from analysis.expectations.verdicts import (
    DECIDED,
    EvaluatedExpectation,
    Expectation,
    contrast_text,
    effect_text,
    evaluate,
    expectation_columns,
    expected_text,
    measure_text,
    simultaneous_level,
)
from analysis.tables.table import Cell, Table


@dataclass(frozen=True)
class Claim:
    """A claim of the article and the expectations that test it."""

    id: str
    claim: str
    tests: Sequence[Expectation]


def declared_claims() -> list[Claim]:
    """Return the claims in the order of `claims.yaml`."""
    file = Path(__file__).with_name("claims.yaml")
    return [
        Claim(entry["id"], entry["claim"], [Expectation(**test) for test in entry["tests"]])
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))
    ]


def evaluate_claims(
    claims: Sequence[Claim], root: Path | str
) -> list[tuple[Claim, EvaluatedExpectation]]:
    """Return every test of the claims with its verdict; the intervals of all tests are simultaneous."""
    pairs = [(claim, test) for claim in claims for test in claim.tests]
    evaluated = evaluate([test for _, test in pairs], root)
    return [(claim, row) for (claim, _), row in zip(pairs, evaluated, strict=True)]


def claims_table(evaluated: Sequence[tuple[Claim, EvaluatedExpectation]]) -> Table:
    """Return the claims as a table: effect, interval, n and verdict of each test."""
    rows, before = [], None
    for claim, row in evaluated:
        rows.append(_cells(claim, row, first=claim is not before))
        before = claim
    level = 100 * simultaneous_level(len(evaluated))
    return Table(
        "The article's claims: effects against the smallest effects of interest",
        ["", "claim", "measure", "smallest effect of interest", "effect", "n", "verdict"],
        rows,
        names=3,
        notes=[
            f"Simultaneous 95 % intervals (Bonferroni: each of {len(evaluated)} has a level of "
            f"{level:.2f} %): Student's t over seeds, paired, or Newcombe's for shares. Supported: on "
            "the claimed side of zero and estimated at no less than the smallest effect of interest. "
            "Contradicted: the interval excludes effects of that size. Otherwise inconclusive, which is "
            "not the same as no effect. Too few seeds: fewer than the study's "
            "verdicts_from (10 unless it says otherwise). n: seeds.",
        ],
        values=[{"claim": claim.id} | expectation_columns(row) for claim, row in evaluated],
        label="claims",
    )


def _cells(claim: Claim, row: EvaluatedExpectation, first: bool) -> list[Cell]:
    test, n = row.test, row.effect.n
    return [
        Cell(claim.id if first else "", value=claim.id),
        Cell(claim.claim if first else ""),
        Cell(f"{measure_text(test.measure)}{_where(test)}: {contrast_text(test.contrast)}"),
        Cell(expected_text(test), value=test.sign * test.smallest),
        Cell(effect_text(row), value=row.effect.value),
        Cell(str(n) if n else "", value=float(n)),
        Cell(row.verdict, bold=row.verdict in DECIDED, value=row.verdict),
    ]


def _where(test: Expectation) -> str:
    return "" if test.environment is None else f" in {test.environment}"
