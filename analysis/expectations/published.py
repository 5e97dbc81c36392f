"""Published numbers, each with its source (text, quoted, figure) and the protocol of its measurement.

`analysis/expectations/papers.yaml` says which cell of which file belongs to an arm of a study.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from analysis.tables.side_columns import PublishedNumber

DIRECTORY = Path(__file__).parent.parent / "published"
ENVIRONMENT = "environment"


@dataclass(frozen=True)
class PublishedColumn:
    """Published numbers to put beside the arms of a study, and where they stand in `file`.

    `where` selects the row: for each of its columns the value to match, by the level of a factor (or by
    environment); an arm whose level is not listed has no number. `column` is the column's name, or
    `{factor: F}` for the level of F, or `{arms: {arm: name}}`. `only` restricts the arms by levels.
    """

    file: str
    status: str
    protocol: str
    column: str | Mapping[str, Any]
    where: Mapping[str, Mapping[str, Mapping[str, str]]]
    only: Mapping[str, str] = field(default_factory=dict)

    def number_of(self, arm: str, levels: Mapping[str, str]) -> PublishedNumber | None:
        """Return the number of an arm, given the level of each factor and the environment."""
        if any(levels.get(factor, level) != level for factor, level in self.only.items()):
            return None
        wanted = {}
        for name, by_factor in self.where.items():
            ((factor, value_of),) = by_factor.items()
            if levels.get(factor) not in value_of:
                return None
            wanted[name] = value_of[levels[factor]]
        column = self._column(arm, levels)
        for row in rows(self.file):
            if column and row.get(column) and all(row[name] == value for name, value in wanted.items()):
                return PublishedNumber(row[column], self.status, self.protocol)
        return None

    def _column(self, arm: str, levels: Mapping[str, str]) -> str | None:
        if isinstance(self.column, str):
            return self.column
        if "factor" in self.column:
            return levels.get(self.column["factor"])
        name: str | None = self.column["arms"].get(arm)
        return name


@cache
def rows(file: str) -> list[dict[str, str]]:
    """Return the rows of a file of published numbers, as they are written."""
    with (DIRECTORY / file).open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))
