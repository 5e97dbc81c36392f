"""What papers say beside what the runs say: a table for each study that repeats a paper's design."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from ablation.store.runs import Store
from ablation.study.sizes import DEFAULT_SIZE
from analysis.expectations.papers import AGREEMENTS, Paper, Shape, declared, together
from analysis.expectations.verdicts import (
    Judged,
    contrast_text,
    effect_text,
    expected_text,
    flat,
    judge,
    level_of,
    measure_name,
)
from analysis.tables.table import Cell, Table

DECIDED = ("agrees", "disagrees")


def paper_table(paper: Paper, study: str, root: Path | str) -> Table:
    """Return the statements of a paper about a stored study, each part with its verdict."""
    size = study.removeprefix(f"{paper.study}-")
    pairs = [
        (shape, test)
        for shape in paper.shapes
        if shape.size in (None, size)
        for test in shape.tests(study)
    ]
    judged = judge([test for _, test in pairs], root)
    rows: list[list[Cell]] = []
    values: list[dict[str, Any]] = []
    found = [(shape, row) for (shape, _), row in zip(pairs, judged, strict=True)]
    for _, group in groupby(found, key=lambda pair: (pair[0].id, pair[1].test.environment)):
        parts = list(group)
        whole = together([row.verdict for _, row in parts])
        for at, (shape, row) in enumerate(parts):
            rows.append(_cells(shape, row, whole if at == 0 else "", at == 0))
            values.append(
                {"id": shape.id, "paper": paper.paper, "says": shape.says}
                | flat(row)
                | {"verdict": AGREEMENTS[row.verdict], "together": whole, "published": shape.published}
            )
    return Table(
        f"{paper.paper}, beside study {study}",
        ["", "the paper", "where", "measured", "matters", "effect", "n", "published", "part", "verdict"],
        rows,
        names=4,
        notes=[_note(len(found), paper.declared)],
        values=values,
        label=f"papers-{study}",
    )


def write_papers(root: Path | str, study: str | None = None) -> tuple[list[Table], Path]:
    """Judge what papers say, all or one study's; write and return the tables, and their page."""
    from analysis.report.page import write_table_page
    from analysis.tables.writers import write_tables

    directory = Store(root).root / "papers"
    directory.mkdir(parents=True, exist_ok=True)
    tables = []
    for paper in declared():
        for name in _asked(paper, root, study) if paper.shapes else []:
            tables.append(paper_table(paper, name, root))
            write_tables(tables[-1], directory, name)
    return tables, write_table_page("What papers say, and what the runs say", tables, directory)


def _asked(paper: Paper, root: Path | str, study: str | None) -> list[str]:
    """Return the sizes of a paper's study that were swept, or `quick` where none was."""
    if study is not None and study != paper.study:
        return [study] if study.startswith(f"{paper.study}-") else []
    return stored(paper, root) or [f"{paper.study}-{DEFAULT_SIZE}"]


def stored(paper: Paper, root: Path | str) -> list[str]:
    """Return the names of a paper's studies that were swept, without their tuning stages."""
    found = Store(root).root.glob(f"studies/{paper.study}*/plan.json")
    names = sorted(path.parent.name for path in found)
    return [name for name in names if paper.has(name) and not name.endswith("-tuning")]


def _cells(shape: Shape, row: Judged, whole: str, first: bool) -> list[Cell]:
    test, n, part = row.test, row.effect.n, AGREEMENTS[row.verdict]
    return [
        Cell(shape.id if first else "", value=shape.id),
        Cell(shape.says if first else ""),
        Cell(test.environment or "", value=test.environment or ""),
        Cell(f"{measure_name(test.measure)}: {contrast_text(test.contrast)}"),
        Cell(expected_text(test), value=test.sign * test.smallest),
        Cell(effect_text(row), value=row.effect.estimate),
        Cell(str(n) if n else "", value=float(n)),
        Cell(shape.published if first else "", value=shape.published),
        Cell(part, value=part),
        Cell(whole, bold=whole in DECIDED, value=whole),
    ]


def _note(tests: int, declared: str) -> str:
    return (
        f"Declared {declared} (analysis/expectations/papers.yaml). Each interval has a level of "
        f"{100 * level_of(tests):.2f} %, so that all {tests} hold together with 95 % (Bonferroni): "
        "Student's t over seeds, paired. A part agrees: on the expected side of zero and estimated at "
        "no less than what matters, or, where no effect is expected, within what matters. It disagrees: "
        "effects as expected lie outside the interval. A statement agrees if all of its parts do, and "
        "disagrees if one does. Otherwise not resolved, which is not the same as no effect. Published "
        "numbers have the paper's protocol, not ours: only signs and orders are compared. n: seeds."
    )
