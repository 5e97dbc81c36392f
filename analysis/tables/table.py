"""What every table is made of: cells, footnotes and notes; the numbers of a comparison as columns."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass, field
from typing import Any

from ablation.results.load import StudyRuns
from analysis.effects.comparisons import Comparison
from analysis.statistics import Interval
from analysis.tables.wording import interval_text


@dataclass(frozen=True)
class Cell:
    """A cell's text, whether it is bold, its footnotes' marks, and the value to sort it by."""

    text: str
    bold: bool = False
    marks: str = ""
    value: float | str | None = None


@dataclass(frozen=True)
class Table:
    """A table: headings, perhaps spanned by groups (text and number of columns), and rows of cells.

    The first `names` columns are words, the others numbers. `values` are the same rows at full
    precision, one column for each number.
    """

    caption: str
    headings: list[str]
    rows: list[list[Cell]]
    groups: list[tuple[str, int]] = field(default_factory=list)
    names: int = 1
    footnotes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    label: str = "ablation"


class Footnotes:
    """Collects footnotes and hands out their marks, the same mark for the same text."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str) -> str:
        """Return the mark of a footnote."""
        if text not in self._texts:
            self._texts.append(text)
        return self._letters(self._texts.index(text))

    def texts(self) -> list[str]:
        """Return the footnotes in order, each after its mark."""
        return [f"{self._letters(at)}: {text}" for at, text in enumerate(self._texts)]

    @staticmethod
    def _letters(at: int) -> str:
        letters = string.ascii_lowercase
        return letters[at % 26] * (1 + at // 26)


def comparison_columns(row: Comparison) -> dict[str, Any]:
    """Return a comparison's numbers at full precision by the names of the CSV's columns."""
    columns: dict[str, Any] = {
        "arm": row.arm.name,
        "environment": row.arm.env_id,
        "cell": row.arm.cell,
        "score": row.score,
        "n": row.mean.n,
    }
    columns |= interval_columns("mean", row.mean) | interval_columns("iqm", row.interquartile_mean)
    columns |= interval_columns("difference", row.difference)
    columns |= {"difference_n": row.difference.n if row.difference else None, "p_holm": row.p_value}
    columns |= {"significant": row.significant, "among_best": row.among_best, "censored": row.censored}
    columns |= interval_columns("unpaired", row.unpaired)
    columns |= interval_columns("improvement", row.improvement)
    return columns | {
        "correlation": row.correlation,
        "p_permutation": row.permutation,
        "detectable": row.detectable,
    }


def provenance_line(runs: StudyRuns) -> str:
    """Return the line that names a table's study, plan and commits."""
    commits = {run.record.git_commit[:10] for run in runs.runs.values() if run.record.git_commit}
    outside = [cell["outside"] for cell in runs.plan.cells.values() if "outside" in cell]
    files = ", ".join(sorted({values["data"][:12] for values in outside}))
    imported = f", runs from elsewhere (sha256 {files})" if outside else ""
    return (
        f"Study {runs.plan.study.name}, plan {runs.plan.hash}{imported}, "
        f"commit {', '.join(sorted(commits)) or 'unknown'}."
    )


def interval_cell(interval: Interval, signed: bool = False, missing: str = "missing") -> Cell:
    """Return a cell that shows an interval and sorts by its estimate."""
    return Cell(interval_text(interval, signed, missing), value=interval.estimate)


def interval_columns(name: str, interval: Interval | None) -> dict[str, float | None]:
    """Return an interval as three numbers by name, None for what is missing."""
    ends = ("estimate", "low", "high")
    return {
        f"{name}_{end}": None
        if interval is None or math.isnan(getattr(interval, end))
        else getattr(interval, end)
        for end in ends
    }
