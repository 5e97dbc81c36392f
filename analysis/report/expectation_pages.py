"""The pages of claims and of papers: their tables evaluated from the stored runs, and written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ablation.store.runs import Store
from analysis.expectations.claims import claims_table, declared_claims, evaluate_claims
from analysis.expectations.paper_tables import tables_by_study
from analysis.report.files import put_in_place_together
from analysis.report.page import write_table_page
from analysis.tables.table import Table
from analysis.tables.writers import write_tables


def write_claims(root: Path | str) -> tuple[Table, Path]:
    """Evaluate the declared claims; write and return their table, and the page that shows it."""
    table = claims_table(evaluate_claims(declared_claims(), root))
    title = "The article's claims beside the runs"
    return table, _write(title, {"claims": table}, Store(root).root / "claims")


def write_papers(root: Path | str, study: str | None = None) -> tuple[list[Table], Path]:
    """Evaluate what papers report, all or one study's; write and return the tables, and their page."""
    tables = tables_by_study(root, study)
    page = _write("Papers' results beside the runs", tables, Store(root).root / "papers")
    return list(tables.values()), page


def _write(title: str, tables: Mapping[str, Table], directory: Path) -> Path:
    with put_in_place_together(directory) as beside:
        for name, table in tables.items():
            write_tables(table, beside, name)
        return directory / write_table_page(title, list(tables.values()), beside).name
