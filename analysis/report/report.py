"""The report of a study: its tables, figures and page, written from the stored runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from ablation.results.load import load
from ablation.store.runs import Store
from analysis.effects.comparability import require_comparable
from analysis.effects.study_results import StudyResults
from analysis.expectations.paper_tables import paper_table
from analysis.expectations.papers import paper_of, published_numbers
from analysis.report.errors import FiguresFailed
from analysis.report.files import put_in_place_together
from analysis.studies.registry import extra_tables
from analysis.tables.ablation import Layout, ablation_table
from analysis.tables.comparisons import aggregate_table, comparison_table, effects_table
from analysis.tables.diagnostics import diagnostics_table
from analysis.tables.macros import to_macros
from analysis.tables.spread import spread_table
from analysis.tables.table import Table
from analysis.tables.writers import write_tables


def write_report(
    root: Path | str,
    study: str,
    score: str | None = None,
    allowed: Collection[str] = (),
    printed: bool = True,
) -> Path:
    """Write a study's tables, figures and page; return the page's path. Its first table is `printed`.

    Raises `StudyNotFound`, `NotComparable` for runs that differ in an aspect that is not `allowed`, and
    `FiguresFailed`, once all else is written, for figures that could not be drawn.
    """
    from analysis.report.page import write_page

    results = open_results(root, study, score, allowed)
    store = Store(root)
    directory = store.inside(store.study_directory(results.runs.plan.study.name) / "report")
    failed: FiguresFailed | None = None
    # Two sweeps of one study may end at the same time.
    with FileLock(directory.parent / ".report.lock"), put_in_place_together(directory) as beside:
        tables = study_tables(results)
        if printed:
            print(tables["table"].to_terminal())
        for name, table in tables.items():
            write_tables(table, beside, name)
        macros = to_macros(results.runs, results.comparisons)
        (beside / "numbers.tex").write_text(macros, encoding="utf-8")
        try:
            page = directory / write_page(results, tables, _other_scores(results), beside).name
        except FiguresFailed as error:
            failed = FiguresFailed(directory / error.page.name, error.lines)
    if failed is not None:
        raise failed
    return page


def _other_scores(results: StudyResults) -> dict[str, tuple[StudyResults, dict[str, Table]]]:
    """Return results and tables of the scores that the report is not about, by score."""
    of_score = {
        score: StudyResults(results.runs, score, results.mixed)
        for score in results.runs.score_names
        if score != results.score
    }
    return {score: (other, score_tables(other)) for score, other in of_score.items()}


def open_results(
    root: Path | str, study: str, score: str | None, allowed: Collection[str] = ()
) -> StudyResults:
    """Return a study's results for a score (its primary one if None), whose runs are comparable."""
    runs = load(study, root)
    return StudyResults(runs, score or runs.plan.study.primary_score, require_comparable(runs, allowed))


def score_tables(results: StudyResults, layout: Layout = "auto") -> dict[str, Table]:
    """Return the tables that the page shows of every score, by kind, without empty ones."""
    tables = {"table": ablation_table(results, layout, published=published_numbers(results))}
    if not results.empty:
        tables["comparisons"] = comparison_table(results)
        tables["aggregates"] = aggregate_table(results)
    return _with_rows(results, tables)


def study_tables(results: StudyResults, layout: Layout = "auto") -> dict[str, Table]:
    """Return the tables of a study that have rows, by kind; `table`, the ablation table, comes first.

    The kind is also the name of the table's files.
    """
    several = len(results.environments) > 1
    tables = score_tables(results, layout)
    if results.empty:
        return tables
    tables |= {
        "spread": spread_table(results),
        "effects": effects_table(results),
    }
    tables |= extra_tables(results) | _paper_table(results)
    for environment, _ in results.environments:
        diagnostics = diagnostics_table(results, environment)
        if diagnostics is not None:
            tables[f"diagnostics-{environment}" if several else "diagnostics"] = diagnostics
    return _with_rows(results, tables)


def _with_rows(results: StudyResults, tables: dict[str, Table]) -> dict[str, Table]:
    """Return the tables that have rows, and the ablation table, each with a LaTeX label of its own."""
    study = results.runs.plan.study.name
    return {
        kind: replace(table, label=study if kind == "table" else f"{study}-{kind}")
        for kind, table in tables.items()
        if table.rows or kind == "table"
    }


def _paper_table(results: StudyResults) -> dict[str, Table]:
    """Return the statements of the paper that a study repeats, if it does."""
    name = results.runs.plan.study.name
    paper = paper_of(name)
    if paper is None or not paper.statements or name.endswith("-tuning"):
        return {}
    return {"papers": paper_table(paper, name, results.runs.root)}
