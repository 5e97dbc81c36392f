"""The introductory article's claims, each with what the runs allow to say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ablation.store.runs import Store
from analysis.expectations import verdicts as judging
from analysis.expectations.verdicts import (
    DECIDED,
    Expectation,
    Judged,
    contrast_text,
    effect_text,
    expected_text,
    flat,
    level_of,
    measure_name,
)
from analysis.tables.table import Cell, Table

DECLARED = Path(__file__).with_name("claims.yaml")


@dataclass(frozen=True)
class Claim:
    """A claim of the article and what is to show it."""

    id: str
    claim: str
    tests: Sequence[Expectation]


def declared(path: Path = DECLARED) -> list[Claim]:
    """Return the claims in the order of their file."""
    return [
        Claim(entry["id"], entry["claim"], [Expectation(**test) for test in entry["tests"]])
        for entry in yaml.safe_load(path.read_text())
    ]


def judge(claims: Sequence[Claim], root: Path | str) -> list[tuple[Claim, Judged]]:
    """Return every test of the claims with its verdict, intervals made for all of them together."""
    pairs = [(claim, test) for claim in claims for test in claim.tests]
    found = judging.judge([test for _, test in pairs], root)
    return [(claim, row) for (claim, _), row in zip(pairs, found, strict=True)]


def claims_table(found: Sequence[tuple[Claim, Judged]]) -> Table:
    """Return the claims as a table: effect, interval, n and verdict of each test."""
    rows, before = [], None
    for claim, row in found:
        first, before = claim is not before, claim
        test, n = row.test, row.effect.n
        rows.append(
            [
                Cell(claim.id if first else "", value=claim.id),
                Cell(claim.claim if first else ""),
                Cell(f"{measure_name(test.measure)}: {contrast_text(test.contrast)}"),
                Cell(expected_text(test), value=test.sign * test.smallest),
                Cell(effect_text(row), value=row.effect.estimate),
                Cell(str(n) if n else "", value=float(n)),
                Cell(row.verdict, bold=row.verdict in DECIDED, value=row.verdict),
            ]
        )
    return Table(
        "The article's claims: effects against the smallest that would matter",
        ["", "claim", "measure", "matters", "effect", "n", "verdict"],
        rows,
        names=3,
        notes=[
            f"Each interval has a level of {100 * level_of(len(found)):.2f} %, so that all {len(found)} "
            "hold together with "
            "95 % (Bonferroni): Student's t over seeds, paired, or Newcombe's for shares. Supported: on "
            "the claimed side of zero and estimated at no less than what matters. Contradicted: effects "
            "that matter lie outside the interval. Otherwise not resolved, which is not the same as no "
            "effect. n: seeds.",
        ],
        values=[{"claim": claim.id} | flat(row) for claim, row in found],
        label="claims",
    )


def write_claims(root: Path | str, path: Path = DECLARED) -> tuple[Table, Path]:
    """Judge the declared claims; write and return their table, and the page that shows it."""
    from analysis.report.page import write_table_page
    from analysis.tables.writers import write_tables

    table = claims_table(judge(declared(path), root))
    directory = Store(root).root / "claims"
    directory.mkdir(parents=True, exist_ok=True)
    write_tables(table, directory, "claims")
    page = write_table_page("What the article claims, and what the runs say", [table], directory)
    return table, page
