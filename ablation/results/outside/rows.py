"""Rows of runs from elsewhere: labeled tables, merged and put in order run by run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.results.outside.request import ImportRefused, Kind

STEP, RETURN, EPISODE = "env_step", "episode_return", "episode"
Array = NDArray[Any]


@dataclass(frozen=True)
class Labels:
    """The label of each row: `values[codes]`, with `codes` `[rows]`."""

    values: list[str]
    codes: NDArray[np.int64]

    @classmethod
    def constant(cls, value: str, rows: int) -> Labels:
        """Return one label for all rows."""
        return cls([value], np.zeros(rows, np.int64))


@dataclass(frozen=True)
class RowTable:
    """Rows of one kind: labels (factors, `environment`, `seed`) and numbers, `[rows]` by name.

    `notes` say what a user should know of how they were read.
    """

    kind: Kind
    labels: dict[str, Labels]
    columns: dict[str, Array]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))


@dataclass(frozen=True)
class RunLabels:
    """What names a run: the level of each factor, the environment's id and the seed."""

    levels: tuple[tuple[str, str], ...]
    env_id: str
    seed: str


@dataclass(frozen=True)
class OrderedRows:
    """Rows by run, then step: run `r` has those from `bounds[r]` to `bounds[r + 1]`."""

    bounds: NDArray[np.int64]
    columns: dict[str, Array]

    def of_run(self, run: int) -> dict[str, Array]:
        """Return the rows of one run, without copying them."""
        first, last = self.bounds[run], self.bounds[run + 1]
        return {name: column[first:last] for name, column in self.columns.items()}


@dataclass
class MergedRows:
    """The rows of all files by kind, and the runs that they belong to."""

    runs: list[RunLabels] = field(default_factory=list)
    tables: dict[str, OrderedRows] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def merge(tables: Sequence[RowTable]) -> MergedRows:
    """Return the rows of several tables by kind, run and step; all tables have the same factors."""
    _check_same_labels(tables)
    known: dict[RunLabels, int] = {}
    runs_of = [_runs_of_rows(table, known) for table in tables]
    merged = MergedRows(list(known))
    for kind in dict.fromkeys(table.kind for table in tables):
        parts = [(run, table) for run, table in zip(runs_of, tables, strict=True) if table.kind == kind]
        merged.tables[kind] = _ordered(parts, len(known))
    merged.notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    return merged


def _check_same_labels(tables: Sequence[RowTable]) -> None:
    names = {tuple(sorted(table.labels)) for table in tables}
    if len(names) > 1:
        listed = " and ".join(", ".join(labels) for labels in sorted(names))
        raise ImportRefused(f"the files label their runs differently ({listed}); import them one by one")


def _runs_of_rows(table: RowTable, known: dict[RunLabels, int]) -> NDArray[np.int64]:
    """Return the number of each row's run `[rows]`; new runs are added to `known`."""
    import pandas as pd

    combined = np.zeros(table.rows, np.int64)
    for labels in table.labels.values():
        combined = combined * len(labels.values) + labels.codes
    codes, uniques = pd.factorize(combined)
    numbers = np.array(
        [known.setdefault(_decode(table, int(code)), len(known)) for code in uniques], int
    )
    return numbers[codes] if len(uniques) else codes


def _decode(table: RowTable, code: int) -> RunLabels:
    values: dict[str, str] = {}
    for name, labels in reversed(table.labels.items()):
        code, at = divmod(code, len(labels.values))
        values[name] = labels.values[at]
    levels = {name: values[name] for name in table.labels if name not in ("environment", "seed")}
    return RunLabels(tuple(levels.items()), values["environment"], values["seed"])


def _ordered(parts: Sequence[tuple[NDArray[np.int64], RowTable]], runs: int) -> OrderedRows:
    run = np.concatenate([numbers for numbers, _ in parts])
    names = [name for name in parts[0][1].columns if all(name in table.columns for _, table in parts)]
    columns = {name: np.concatenate([table.columns[name] for _, table in parts]) for name in names}
    keys = [columns[name] for name in (STEP, EPISODE) if name in columns]
    if not _is_ordered(run, keys):
        order = np.lexsort([*reversed(keys), run])
        run = run[order]
        columns = {name: column[order] for name, column in columns.items()}
    return OrderedRows(np.searchsorted(run, np.arange(runs + 1)), columns)


def _is_ordered(run: NDArray[np.int64], keys: Sequence[Array]) -> bool:
    before: Any = np.zeros(max(len(run) - 1, 0), bool)
    tied: Any = ~before
    for key in (run, *keys):
        if bool(np.any(tied & (key[1:] < key[:-1]))):
            return False
        tied = tied & (key[1:] == key[:-1])
    return True
