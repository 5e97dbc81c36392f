"""A run's tables as W&B rows, and back.

A W&B row stands at the environment step of a learner's row or of an evaluation. It shows their values
as curves, and at each evaluation carries every stored row since the one before as text (`rows/...`),
so that nothing is lost to means. The order of rows depends on the tables alone. The client can only add
to what a server has of a run; a run that is trained again has the same rows, so only those that the
server does not have are added.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ablation.store.records import Row
from ablation.store.runs import TABLES

CARRIED = "rows/"
"""Prefix of the columns that carry a table's rows."""

SHOWN = ("learner/*", "evaluation/*", "training/*", "gradient_step")
"""The columns that are curves."""

Sizes = Mapping[str, int]
"""Rows of each table that are complete; later ones are still being written."""


class RowFeed:
    """The W&B rows of one run, handed out as its tables grow."""

    def __init__(self) -> None:
        self._sent = dict.fromkeys(TABLES, 0)

    def grown(self, tables: Mapping[str, Sequence[Row]], sizes: Sizes) -> Iterator[dict[str, Any]]:
        """Yield the rows up to the last evaluation that the tables hold."""
        evaluations = tables["evaluations"]
        while self._sent["evaluations"] < sizes["evaluations"]:
            step = evaluations[self._sent["evaluations"]]["env_step"]
            new = {
                name: list(_until(tables[name], self._sent[name], sizes[name], step)) for name in TABLES
            }
            for name, rows in new.items():
                self._sent[name] += len(rows)
            yield from _period(new, self._sent["episodes"])

    def ended(self, tables: Mapping[str, Sequence[Row]], final: bool) -> Iterator[dict[str, Any]]:
        """Yield the rows of a run that ended; those that follow the last evaluation only if `final`.

        A failed run is trained again and may then have other rows there: `leftover` carries them.
        """
        yield from self.grown(tables, _sizes(tables))
        new = {name: list(tables[name][self._sent[name] :]) for name in TABLES}
        if final and any(new.values()):
            self._sent = dict(_sizes(tables))
            yield from _period(new, self._sent["episodes"])


def all_rows(tables: Mapping[str, Sequence[Row]], final: bool = True) -> list[dict[str, Any]]:
    """Return every W&B row of a run that has ended."""
    return list(RowFeed().ended(tables, final))


def leftover(tables: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """Return the rows that follow the last evaluation, as a W&B row would carry them."""
    evaluations = tables["evaluations"]
    last = evaluations[-1]["env_step"] if evaluations else 0
    left = {name: [row for row in rows if row["env_step"] > last] for name, rows in tables.items()}
    return {CARRIED + name: _columns(rows) for name, rows in left.items() if rows}


def tables_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Row]]:
    """Return the tables that W&B rows carry: the inverse of `all_rows`."""
    tables: dict[str, list[Row]] = {name: [] for name in TABLES}
    for row in rows:
        for name, table in tables.items():
            if row.get(CARRIED + name):
                columns = json.loads(row[CARRIED + name])
                values = zip(*columns.values(), strict=True)
                table.extend(dict(zip(columns, row_values, strict=True)) for row_values in values)
    return tables


def _sizes(tables: Mapping[str, Sequence[Row]]) -> Sizes:
    return {name: len(tables[name]) for name in TABLES}


def _until(rows: Sequence[Row], start: int, stop: int, step: float) -> Iterator[Row]:
    for position in range(start, stop):
        if rows[position]["env_step"] > step:
            return
        yield rows[position]


def _period(new: Mapping[str, list[Row]], episodes: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each learner's row and one at the end, which carries the tables' rows.

    The learner's last row and the end share a row where they share a step.
    """
    shown = [_diagnostics(row) for row in new["learner"]]
    end = _end(new, episodes)
    if shown and shown[-1]["env_step"] == end["env_step"]:
        end = shown.pop() | end
    yield from shown
    yield end


def _diagnostics(row: Row) -> dict[str, Any]:
    counters = ("env_step", "gradient_step")
    present = {key: value for key, value in row.items() if value is not None}
    return {key if key in counters else f"learner/{key}": value for key, value in present.items()}


def _end(new: Mapping[str, list[Row]], episodes: int) -> dict[str, Any]:
    evaluations, ended = new["evaluations"], new["episodes"]
    last = (
        evaluations[-1]
        if evaluations
        else max((rows[-1] for rows in new.values() if rows), key=lambda row: row["env_step"])
    )
    row: dict[str, Any] = {"env_step": last["env_step"], "gradient_step": last["gradient_step"]}
    if evaluations:
        row["evaluation/return"] = _mean(evaluations, "episode_return")
        row["evaluation/length"] = _mean(evaluations, "episode_length")
    if ended:
        row["training/return"] = _mean(ended, "episode_return")
        row["training/length"] = _mean(ended, "episode_length")
    row["training/episodes"] = episodes
    return row | {CARRIED + name: _columns(rows) for name, rows in new.items() if rows}


def _columns(rows: Sequence[Row]) -> str:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return json.dumps(columns, separators=(",", ":"))


def _mean(rows: Sequence[Row], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))
