"""Writes tables to files, and values as JSON."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from analysis.tables.table import Table, is_missing

WRITERS = {"csv": Table.to_csv, "md": Table.to_markdown, "tex": Table.to_latex}
PRINTERS = WRITERS | {"terminal": Table.to_terminal}
FORMATS = ("terminal", *WRITERS, "macros")


def write_tables(table: Table, directory: Path, name: str = "table") -> None:
    """Write `<name>.csv`, `<name>.md` and `<name>.tex` into a directory."""
    for suffix, writer in WRITERS.items():
        (directory / f"{name}.{suffix}").write_text(writer(table), encoding="utf-8")


def plain_json(values: Any) -> Any:
    """Return values for JSON: missing numbers become null, rows of a class their fields."""
    if is_dataclass(values) and not isinstance(values, type):
        values = asdict(values)
    if isinstance(values, dict):
        return {key: plain_json(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [plain_json(value) for value in values]
    return None if is_missing(values) else values
