"""The columns beside an arm's scores in the ablation table: its tuned level, and published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablation.results.load import StudyRuns
from ablation.study.declaration import BASELINE, CONTROL
from ablation.study.plan import Arm, Choice
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
        marks = "".join(footnotes.mark(text) for text in _remarks(choice))
        sure = "" if choice.certainty is None else f" ({100 * choice.certainty:.0f} %)"
        return [Cell(choice.level + sure, marks=marks, value=choice.level)]

    def after(self, environment: str, arm: str, footnotes: Footnotes) -> list[Cell]:
        """Return the cell of an arm's published numbers; none in a study without any."""
        if not self.headings_after:
            return []
        numbers = self._published.get((environment, arm), [])
        marks = ",".join(footnotes.mark(f"published ({x.status}): {x.protocol}") for x in numbers)
        return [Cell("; ".join(x.text for x in numbers), marks=marks)]

    def values(self, arm: Arm) -> dict[str, str | float | None]:
        """Return the same by the names of the CSV's columns."""
        key = (arm.environment, arm.name)
        choice = self._chosen.get(key)
        chosen: dict[str, str | float | None] = {}
        for name in self.headings_before:
            chosen[name] = None if choice is None else choice.level
            chosen[f"{name} certainty"] = None if choice is None else choice.certainty
        numbers = "; ".join(x.text for x in self._published.get(key, []))
        return chosen | dict.fromkeys(self.headings_after, numbers)

    @property
    def notes(self) -> list[str]:
        """Return what the chosen levels and the estimates beside them mean; none without tuning."""
        if not self.headings_before:
            return []
        return [
            f"{', '.join(self.headings_before)}: each arm's choice by the best mean over the tuning "
            "seeds; in brackets the share of resamples of these seeds with the same choice. Estimates "
            "are those of an arm at its chosen level, on seeds that had no part in the choice."
        ]


def _remarks(choice: Choice) -> list[str]:
    remarks = []
    if choice.widened:
        remarks.append(f"beyond the study's levels also tried: {', '.join(choice.widened)}")
    if choice.at_the_edge:
        remarks.append("chosen at the edge of the levels tried")
    return remarks
