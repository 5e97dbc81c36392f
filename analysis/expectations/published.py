"""Published numbers, each with how it was read and the protocol that it was measured under.

`analysis/expectations/papers.yaml` says which cell of which file stands beside an arm of a study.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent.parent / "published"
ENVIRONMENT = "environment"


@dataclass(frozen=True)
class Published:
    """A published number as it was printed, with its status (text, quoted, figure) and protocol."""

    text: str
    status: str
    protocol: str


@dataclass(frozen=True)
class Column:
    """Published numbers that stand beside the arms of a study.

    `where` picks a row of `file`: a column and, by the level of a factor (or by environment), the word
    that it holds; an arm whose level is not listed has no number. `column` is its name, or `{factor: F}`
    for the level of F, or `{arms: {arm: name}}`. `only` names levels that the paper's runs had.
    """

    file: str
    status: str
    protocol: str
    column: str | Mapping[str, Any]
    where: Mapping[str, Mapping[str, Mapping[str, str]]]
    only: Mapping[str, str] = field(default_factory=dict)

    def beside(self, arm: str, levels: Mapping[str, str]) -> Published | None:
        """Return the number beside an arm, given the level of each factor and the environment."""
        if any(levels.get(factor, level) != level for factor, level in self.only.items()):
            return None
        wanted = {}
        for name, by_factor in self.where.items():
            ((factor, words),) = by_factor.items()
            if levels.get(factor) not in words:
                return None
            wanted[name] = words[levels[factor]]
        column = self._column(arm, levels)
        for row in rows(self.file):
            if column and row.get(column) and all(row[name] == word for name, word in wanted.items()):
                return Published(row[column], self.status, self.protocol)
        return None

    def _column(self, arm: str, levels: Mapping[str, str]) -> str | None:
        if isinstance(self.column, str):
            return self.column
        if "factor" in self.column:
            return levels.get(self.column["factor"])
        found: str | None = self.column["arms"].get(arm)
        return found


@cache
def rows(file: str) -> list[dict[str, str]]:
    """Return the rows of a file of published numbers, as they are written."""
    with (DIRECTORY / file).open(newline="") as opened:
        return list(csv.DictReader(opened))
