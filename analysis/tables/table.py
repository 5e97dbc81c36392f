"""Tables: cells, footnotes and notes, written for the terminal or as CSV, Markdown, LaTeX or HTML."""

from __future__ import annotations

import csv
import io
import math
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from analysis.tables.markup import latex, markdown, only_lualatex

FILE_WIDTH = 100
"""Columns into which text is fitted where there is no terminal."""

NOTHING = ("", "–")
"""Texts of cells without a number."""


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

    The first `names` columns are words, the others numbers; those without a number in any row are left
    out. `values` are the same rows at full precision, one column for each number.
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

    def __post_init__(self) -> None:
        kept = [
            at
            for at in range(len(self.headings))
            if at < self.names or not self.rows or any(row[at].text not in NOTHING for row in self.rows)
        ]
        groups, first = [], 0
        for text, width in self.groups:
            groups.append((text, sum(first <= at < first + width for at in kept)))
            first += width
        without_empty: dict[str, Any] = {
            "headings": [self.headings[at] for at in kept],
            "rows": [[row[at] for at in kept] for row in self.rows],
            "groups": [group for group in groups if group[1]],
        }
        for name, value in without_empty.items():
            object.__setattr__(self, name, value)

    def to_csv(self) -> str:
        """Return the table's numbers at full precision, one column each; empty where missing."""
        file = io.StringIO()
        writer = csv.DictWriter(file, list(self.values[0]) if self.values else [], lineterminator="\n")
        writer.writeheader()
        for row in self.values:
            writer.writerow({name: "" if is_missing(value) else value for name, value in row.items()})
        return file.getvalue()

    def to_markdown(self) -> str:
        """Return the table as Markdown with its notes below."""
        headings = [markdown(heading) for heading in self._headings()]
        lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
        for row in self.rows:
            lines.append(f"| {' | '.join(_marked(cell, '**', '<sup>{}</sup>') for cell in row)} |")
        notes = "".join(f"\n{markdown(text)}\n" for text in [*self.footnotes, *self.notes])
        return f"{markdown(self.caption)}.\n\n" + "\n".join(lines) + "\n" + notes

    def to_latex(self) -> str:
        """Return the table as a LaTeX float; needs booktabs, and amssymb for check marks."""
        columns = "l" * self.names + "r" * (len(self.headings) - self.names)
        lines = [
            "\\begin{table}[t]",
            "\\centering",
            "\\footnotesize",
            "\\setlength{\\tabcolsep}{4pt}",
            f"\\caption{{{latex(self.caption)}}}",
        ]
        lines += [
            f"\\label{{tab:{self.label}}}",
            f"\\begin{{tabular}}{{{columns}}}",
            "\\toprule",
            *self._spanning(),
        ]
        lines += [" & ".join(latex(heading) for heading in self.headings) + " \\\\", "\\midrule"]
        lines += [" & ".join(_latex_cell(cell) for cell in row) + " \\\\" for row in self.rows]
        lines += ["\\bottomrule", "\\end{tabular}", "\\par\\raggedright"]
        for note in self.footnotes:
            mark, _, text = note.partition(": ")
            lines.append(f"\\par\\footnotesize\\textsuperscript{{{mark}}} {latex(text)}")
        lines += [f"\\par\\footnotesize {latex(note)}" for note in self.notes]
        text = "\n".join([*lines, "\\end{table}"]) + "\n"
        foreign = only_lualatex(text)
        advice = f"% pdfLaTeX has no symbols for {foreign}: use LuaLaTeX with a font that has them.\n"
        return advice + text if foreign else text

    def to_terminal(self) -> str:
        """Return the table as text for a terminal, with its notes below."""
        from rich.console import Console
        from rich.table import Table as Rich
        from rich.text import Text

        def shown(columns: Sequence[int], title: str) -> Rich:
            part = Rich(box=None, title=Text(title), title_justify="left", pad_edge=False)
            for at in columns:
                justify: Any = "left" if at < self.names else "right"
                part.add_column(Text(self._headings()[at]), justify=justify, overflow="fold")
            for row in self.rows:
                cells = (row[at] for at in columns)
                part.add_row(
                    *(Text(_terminal_cell(cell), "bold" if cell.bold else "") for cell in cells)
                )
            return part

        file, real = io.StringIO(), Console()
        width = real.width if real.is_terminal else FILE_WIDTH
        like: Any = {"file": file, "force_terminal": real.is_terminal, "highlight": False}
        # In a file, long lines are better than cells that are cut.
        wide = Console(width=10_000, **like)
        every = [(list(range(len(self.headings))), self.caption)]
        fits = wide.measure(shown(*every[0])).maximum <= width
        narrow = Console(width=width, **like)
        for columns, title in every if fits else self._folded():
            (narrow if real.is_terminal else wide).print(shown(columns, title))
        for note in [*self.footnotes, *self.notes]:
            narrow.print(Text(note), style="dim")
        return re.sub(r"[ \t]+\n", "\n", file.getvalue())

    def _folded(self) -> Iterator[tuple[list[int], str]]:
        """Yield the columns of narrower tables, one for each group, and their titles."""
        at, title = self.names, self.caption
        for _, width in self.groups[1:] or [("", len(self.headings) - self.names)]:
            yield [*range(self.names), *range(at, at + width)], title
            at, title = at + width, ""

    def __str__(self) -> str:
        return self.to_terminal()

    def _repr_html_(self) -> str:
        """Return the table as HTML, which notebooks show."""
        rows = ["".join(f"<th>{escape(heading)}</th>" for heading in self._headings())]
        rows += ["".join(_html_cell(cell) for cell in row) for row in self.rows]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        notes = "".join(
            f"<p><small>{escape(text)}</small></p>" for text in [*self.footnotes, *self.notes]
        )
        return f"<table><caption>{escape(self.caption)}</caption>{body}</table>{notes}"

    def _headings(self) -> list[str]:
        """Return the headings, each after its group where there are groups."""
        spans = [text for text, width in self.groups for _ in range(width)] or [""] * len(self.headings)
        return [
            f"{span}: {heading}" if span else heading
            for span, heading in zip(spans, self.headings, strict=True)
        ]

    def _spanning(self) -> list[str]:
        """Return the row of group headings with its rules, or nothing."""
        if not self.groups:
            return []
        cells, rules, at = [], [], 1
        for text, width in self.groups:
            cells.append(f"\\multicolumn{{{width}}}{{c}}{{{latex(text)}}}")
            if text:
                rules.append(f"\\cmidrule(lr){{{at}-{at + width - 1}}}")
            at += width
        return [" & ".join(cells) + " \\\\", "".join(rules)]


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


def is_missing(value: Any) -> bool:
    """Return whether a value is None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _marked(cell: Cell, bold: str, mark: str) -> str:
    text = markdown(cell.text)
    text = f"{bold}{text}{bold}" if cell.bold and text else text
    return text + (mark.format(cell.marks) if cell.marks else "")


def _terminal_cell(cell: Cell) -> str:
    return cell.text + (f" ({cell.marks})" if cell.marks else "")


def _latex_cell(cell: Cell) -> str:
    text = f"\\textbf{{{latex(cell.text)}}}" if cell.bold and cell.text else latex(cell.text)
    return text + (f"\\textsuperscript{{{cell.marks}}}" if cell.marks else "")


def _html_cell(cell: Cell) -> str:
    text = f"<b>{escape(cell.text)}</b>" if cell.bold and cell.text else escape(cell.text)
    return f"<td>{text}{f'<sup>{cell.marks}</sup>' if cell.marks else ''}</td>"
