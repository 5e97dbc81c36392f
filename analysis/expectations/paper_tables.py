"""Papers' statements beside stored runs: a table for each study that repeats a paper's design."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from ablation.store.runs import Store
from ablation.study.sizes import DEFAULT_SIZE
from analysis.expectations.papers import AGREEMENTS, Paper, Statement, declared_papers, overall_agreement
from analysis.expectations.verdicts import (
    EvaluatedExpectation,
    contrast_text,
    effect_text,
    evaluate,
    expectation_columns,
    expected_text,
    measure_text,
    simultaneous_level,
)
from analysis.tables.table import Cell, Table

DECIDED = ("agrees", "smaller", "disagrees")


def paper_table(paper: Paper, study: str, root: Path | str) -> Table:
    """Return the statements of a paper about a stored study, each part with its verdict."""
    evaluated = _evaluated_statements(paper, study, root)
    rows: list[list[Cell]] = []
    values: list[dict[str, Any]] = []
    for _, group in groupby(evaluated, key=lambda pair: (pair[0].id, pair[1].test.environment)):
        parts = list(group)
        whole = overall_agreement([row.verdict for _, row in parts])
        for at, (statement, row) in enumerate(parts):
            rows.append(_cells(statement, row, whole if at == 0 else "", at == 0))
            values.append(
                {"id": statement.id, "paper": paper.paper, "says": statement.says}
                | expectation_columns(row)
                | {"verdict": AGREEMENTS[row.verdict], "together": whole}
                | {"published": statement.published}
            )
    headings = ["", "the paper", "where", "measured", "smallest effect of interest", "effect", "n"]
    return Table(
        f"{paper.paper}, beside study {study}",
        [*headings, "published", "part", "verdict"],
        rows,
        names=4,
        notes=[_note(len(evaluated), paper.declared)],
        values=values,
        label=f"papers-{study}",
    )


def tables_by_study(root: Path | str, study: str | None = None) -> dict[str, Table]:
    """Return the tables of all papers, or of one study, by the names of the stored studies."""
    return {
        name: paper_table(paper, name, root)
        for paper in declared_papers()
        if paper.statements
        for name in _requested_studies(paper, root, study)
    }


def stored_studies(paper: Paper, root: Path | str) -> list[str]:
    """Return the names of a paper's studies that were swept, without their tuning stages."""
    paths = Store(root).root.glob(f"studies/{paper.study}*/plan.json")
    names = sorted(path.parent.name for path in paths)
    return [name for name in names if paper.has(name) and not name.endswith("-tuning")]


def _requested_studies(paper: Paper, root: Path | str, study: str | None) -> list[str]:
    """Return the sizes of a paper's study that were swept, or `quick` where none was."""
    if study is not None and study != paper.study:
        return [study] if study.startswith(f"{paper.study}-") else []
    return stored_studies(paper, root) or [f"{paper.study}-{DEFAULT_SIZE}"]


def _evaluated_statements(
    paper: Paper, study: str, root: Path | str
) -> list[tuple[Statement, EvaluatedExpectation]]:
    size = study.removeprefix(f"{paper.study}-")
    pairs = [
        (statement, test)
        for statement in paper.statements
        if statement.size in (None, size)
        for test in statement.tests(study)
    ]
    evaluated = evaluate([test for _, test in pairs], root)
    return [(statement, row) for (statement, _), row in zip(pairs, evaluated, strict=True)]


def _cells(statement: Statement, row: EvaluatedExpectation, whole: str, first: bool) -> list[Cell]:
    test, n, part = row.test, row.effect.n, AGREEMENTS[row.verdict]
    return [
        Cell(statement.id if first else "", value=statement.id),
        Cell(statement.says if first else ""),
        Cell(test.environment or "", value=test.environment or ""),
        Cell(f"{measure_text(test.measure)}: {contrast_text(test.contrast)}"),
        Cell(expected_text(test), value=test.sign * test.smallest),
        Cell(effect_text(row), value=row.effect.value),
        Cell(str(n) if n else "", value=float(n)),
        Cell(statement.published if first else "", value=statement.published),
        Cell(part, value=part),
        Cell(whole, bold=whole in DECIDED, value=whole),
    ]


def _note(tests: int, declared: str) -> str:
    return (
        f"Declared {declared} (analysis/expectations/papers.yaml). Simultaneous 95 % intervals "
        f"(Bonferroni: each of {tests} has a level of {100 * simultaneous_level(tests):.2f} %): "
        "Student's t over seeds, paired. A part agrees: on the expected side of zero and estimated at "
        "no less than the smallest effect of interest, or, where no effect is expected, within that "
        "size. It disagrees: the interval excludes effects as expected; smaller, where the direction is "
        "as expected and only the size is not. A statement agrees if all of its parts do, disagrees if "
        "one does, and is smaller if all others agree. Otherwise inconclusive, which is not the same as "
        "no effect. Published numbers have the paper's protocol, not ours: only signs and orders are "
        "compared. Too few seeds: fewer than the study's verdicts_from (10 unless it says otherwise). "
        "n: seeds."
    )
