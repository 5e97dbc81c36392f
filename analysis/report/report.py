"""The report of a study: its tables, figures and page, written from the stored runs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from filelock import FileLock

from ablation.results.load import load
from ablation.store.runs import Store
from analysis.effects.comparability import demand_comparable
from analysis.effects.study_results import Results
from analysis.expectations.paper_tables import paper_table
from analysis.expectations.papers import paper_of
from analysis.studies.article import article_table
from analysis.studies.cliffwalk import cliffwalk_table
from analysis.tables.ablation import Layout, ablation_table
from analysis.tables.comparisons import aggregate_table, comparison_table, effects_table
from analysis.tables.mechanisms import why_table
from analysis.tables.table import Table
from analysis.tables.writers import to_macros, to_terminal, write_tables


def write_report(
    root: Path | str, study: str, score: str | None = None, allowed: Collection[str] = ()
) -> Path:
    """Print a study's table and write it, its figures and its page; return the page's path.

    Raises `StudyNotFound`, and `NotComparable` for runs that differ in what is not `allowed`.
    """
    from analysis.report.page import write_page

    results = open_results(root, study, score, allowed)
    directory = Store(root).study_directory(results.runs.plan.study.name) / "report"
    directory.mkdir(parents=True, exist_ok=True)
    # Two sweeps of one study may end at the same time.
    with FileLock(directory.parent / ".report.lock"):
        _remove_old(directory)
        found = tables(results)
        print(to_terminal(found["table"]))
        for name, table in found.items():
            write_tables(table, directory, name)
        (directory / "numbers.tex").write_text(to_macros(results.runs, results.comparisons))
        return write_page(results, found, directory)


def open_results(
    root: Path | str, study: str, score: str | None, allowed: Collection[str] = ()
) -> Results:
    """Return a study's results for a score (its primary one if None), its runs being comparable."""
    runs = load(study, root)
    return Results(runs, score or runs.plan.study.primary_score, demand_comparable(runs, allowed))


def tables(results: Results, layout: Layout = "auto") -> dict[str, Table]:
    """Return the tables of a study that have rows, by the names of their files; `table` is the first."""
    several = len(results.runs.environments) > 1
    found = {
        "table": ablation_table(results.runs, results.comparisons, layout, results.mixed),
        "comparisons": comparison_table(results.comparisons, several),
        "effects": effects_table(results.effects, several),
        "aggregates": aggregate_table(results.across, results.score, len(results.runs.environments)),
    }
    outputs = None if results.empty else article_table(results)
    if outputs is not None:
        found["article"] = outputs
    chain = None if results.empty else cliffwalk_table(results)
    if chain is not None:
        found["cliffwalk"] = chain
    name = results.runs.plan.study.name
    paper = paper_of(name)
    if paper is not None and paper.shapes and not name.endswith("-tuning"):
        found["papers"] = paper_table(paper, name, results.runs.root)
    for environment in results.runs.environments:
        why = None if results.empty else why_table(results, environment)
        if why is not None:
            found[f"why-{environment}" if several else "why"] = why
    return {
        name: table
        for name, table in found.items()
        if name == "table" or (table.rows and not results.empty)
    }


def _remove_old(directory: Path) -> None:
    """Remove an earlier report's files, so that no figure of runs that are gone stays."""
    for path in directory.iterdir():
        if path.suffix in (".svg", ".png", ".pdf", ".csv", ".md", ".tex", ".html"):
            path.unlink()
