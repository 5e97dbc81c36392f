"""The lines of a run's W&B history: what people look at. Its study's artifact has the stored rows.

A line stands at each learner's row and at each evaluation, in one where they share a step. Lines depend
on the tables alone: the client can only add to the lines that a server has, and a run that is trained
again has the same ones, so only those that the server does not have are sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ablation.store.records import Row
from ablation.store.runs import TABLES

SHOWN = ("learner/*", "evaluation/*", "training/*", "gradient_step")
"""The columns that are curves."""

Tables = Mapping[str, Sequence[Row]]
Sizes = Mapping[str, int]
"""Rows of each table that are complete; later ones are still being written."""


class RowFeed:
    """The lines of one run, handed out as its tables grow."""

    def __init__(self) -> None:
        self._sent = dict.fromkeys(TABLES, 0)

    def grown(self, tables: Tables, sizes: Sizes) -> Iterator[dict[str, Any]]:
        """Yield the lines up to the last evaluation that the tables hold."""
        evaluations = tables["evaluations"]
        while self._sent["evaluations"] < sizes["evaluations"]:
            step = evaluations[self._sent["evaluations"]]["env_step"]
            yield from self._period(tables, sizes, step)

    def ended(self, tables: Tables, final: bool) -> Iterator[dict[str, Any]]:
        """Yield what is left of a run that ended; what follows its last evaluation only if `final`.

        A failed run is trained again and may then have other rows there.
        """
        sizes = {name: len(tables[name]) for name in TABLES}
        yield from self.grown(tables, sizes)
        if final:
            yield from self._period(tables, sizes, math.inf)

    def _period(self, tables: Tables, sizes: Sizes, step: float) -> Iterator[dict[str, Any]]:
        """Yield the lines up to an environment step, in order."""
        new = {}
        for name in TABLES:
            start = end = self._sent[name]
            while end < sizes[name] and tables[name][end]["env_step"] <= step:
                end += 1
            new[name], self._sent[name] = tables[name][start:end], end
        lines = {row["env_step"]: _diagnostics(row) for row in new["learner"]}
        if counted := new["evaluations"] or new["episodes"]:
            last = {name: counted[-1][name] for name in ("env_step", "gradient_step")}
            means = _means("evaluation", new["evaluations"]) | _means("training", new["episodes"])
            line = lines.get(last["env_step"], {}) | last | means
            lines[last["env_step"]] = line | {"training/episodes": self._sent["episodes"]}
        yield from (lines[at] for at in sorted(lines))


def _diagnostics(row: Row) -> dict[str, Any]:
    counters = ("env_step", "gradient_step")
    present = {key: value for key, value in row.items() if value is not None}
    return {key if key in counters else f"learner/{key}": value for key, value in present.items()}


def _means(kind: str, rows: Sequence[Row]) -> dict[str, float]:
    return {
        f"{kind}/{name}": float(np.mean([row[f"episode_{name}"] for row in rows]))
        for name in ("return", "length")
        if rows
    }
