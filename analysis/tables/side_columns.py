"""The columns beside an arm's scores in the ablation table: its tuned level, and published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablation.results.load import StudyRuns
from ablation.study.declaration import BASELINE, CONTROL
from ablation.study.plan import Arm
from analysis.tables.table import Cell, Footnotes


@dataclass(frozen=True)
class PublishedNumber:
    """A published number as it was printed, how it was read (text, quoted, figure), and its protocol."""

    text: str
    status: str
    protocol: str


PublishedNumbers = Mapping[tuple[str, str], Sequence[PublishedNumber]]
"""Published numbers of a study's primary score, by environment and arm."""


class SideColumns:
    """The columns on both sides of an arm's scores: tuned levels before, published numbers after."""

    def __init__(self, runs: StudyRuns, published: PublishedNumbers) -> None:
        self._chosen = {(choice.environment, choice.arm): choice for choice in runs.plan.choices}
        self._published = published
        self.headings_before = list(dict.fromkeys(choice.factor for choice in runs.plan.choices))
        self.headings_after = ["published"] if published else []

    def before(self, environment: str, arm: str, footnotes: Footnotes) -> list[Cell]:
        """Return the cell of the level that was chosen for an arm; none in a study without tuning."""
        if not self.headings_before:
            return []
        choice = self._chosen.get((environment, arm if arm != CONTROL else BASELINE))
        if choice is None:
            return [Cell("")]
        mark = footnotes.mark("chosen at the edge of the levels tried") if choice.at_the_edge else ""
        return [Cell(choice.level, marks=mark, value=choice.level)]

    def after(self, environment: str, arm: str, footnotes: Footnotes) -> list[Cell]:
        """Return the cell of an arm's published numbers; none in a study without any."""
        if not self.headings_after:
            return []
        numbers = self._published.get((environment, arm), [])
        marks = ",".join(footnotes.mark(f"published ({x.status}): {x.protocol}") for x in numbers)
        return [Cell("; ".join(x.text for x in numbers), marks=marks)]

    def values(self, arm: Arm) -> dict[str, str | None]:
        """Return the same by the names of the CSV's columns."""
        key = (arm.environment, arm.name)
        chosen = {name: self._chosen[key].level for name in self.headings_before if key in self._chosen}
        numbers = "; ".join(x.text for x in self._published.get(key, []))
        absent: dict[str, str | None] = dict.fromkeys(self.headings_before)
        return absent | chosen | dict.fromkeys(self.headings_after, numbers)
