"""Writes a table for the terminal or as CSV, Markdown or LaTeX; and its numbers as LaTeX macros."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ablation.results.load import StudyRuns
from analysis.effects.comparisons import Comparison
from analysis.tables.markup import latex, markdown, only_lualatex
from analysis.tables.table import Cell, Table, comparison_columns, provenance_line
from analysis.tables.wording import number, p_value_text


def to_csv(table: Table) -> str:
    """Return the table's numbers at full precision, one column each; empty where missing."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(table.values[0]) if table.values else [], lineterminator="\n")
    writer.writeheader()
    for row in table.values:
        writer.writerow({name: "" if is_missing(value) else value for name, value in row.items()})
    return file.getvalue()


def to_markdown(table: Table) -> str:
    """Return the table as Markdown with its notes below."""
    headings = [markdown(heading) for heading in _headings(table)]
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    for row in table.rows:
        lines.append(f"| {' | '.join(_marked(cell, '**', '<sup>{}</sup>') for cell in row)} |")
    notes = "".join(f"\n{markdown(text)}\n" for text in [*table.footnotes, *table.notes])
    return f"{markdown(table.caption)}.\n\n" + "\n".join(lines) + "\n" + notes


def to_latex(table: Table) -> str:
    """Return the table as a LaTeX float; needs the packages booktabs, and amssymb for check marks."""
    columns = "l" * table.names + "r" * (len(table.headings) - table.names)
    lines = [
        "\\begin{table}[t]",
        "\\centering",
        "\\footnotesize",
        "\\setlength{\\tabcolsep}{4pt}",
        f"\\caption{{{latex(table.caption)}}}",
    ]
    lines += [
        f"\\label{{tab:{table.label}}}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        *_spanning(table),
    ]
    lines += [" & ".join(latex(heading) for heading in table.headings) + " \\\\", "\\midrule"]
    lines += [" & ".join(_latex_cell(cell) for cell in row) + " \\\\" for row in table.rows]
    lines += ["\\bottomrule", "\\end{tabular}", "\\par\\raggedright"]
    for note in table.footnotes:
        mark, _, text = note.partition(": ")
        lines.append(f"\\par\\footnotesize\\textsuperscript{{{mark}}} {latex(text)}")
    lines += [f"\\par\\footnotesize {latex(note)}" for note in table.notes]
    text = "\n".join([*lines, "\\end{table}"]) + "\n"
    foreign = only_lualatex(text)
    if foreign:
        text = (
            f"% pdfLaTeX has no symbols for {foreign}: use LuaLaTeX with a font that has them.\n{text}"
        )
    return text


def to_terminal(table: Table) -> str:
    """Return the table as text for a terminal, with its notes below."""
    from rich.console import Console
    from rich.table import Table as Rich
    from rich.text import Text

    shown = Rich(box=None, title=Text(table.caption), title_justify="left", pad_edge=False)
    for at, heading in enumerate(_headings(table)):
        shown.add_column(Text(heading), justify="left" if at < table.names else "right")
    for row in table.rows:
        shown.add_row(*(Text(_terminal_cell(cell), "bold" if cell.bold else "") for cell in row))
    file = io.StringIO()
    real = Console()
    # Output to a file has no width to fit into: long lines are better than cut ones.
    width = real.width if real.is_terminal else 250
    console = Console(file=file, width=width, force_terminal=real.is_terminal, highlight=False)
    console.print(shown)
    for note in [*table.footnotes, *table.notes]:
        console.print(Text(note), style="dim", soft_wrap=True)
    return re.sub(r"[ \t]+\n", "\n", file.getvalue())


WRITERS = {"csv": to_csv, "md": to_markdown, "tex": to_latex}
FORMATS = ("terminal", *WRITERS, "macros")


def write_tables(table: Table, directory: Path, name: str = "table") -> None:
    """Write `<name>.csv`, `<name>.md` and `<name>.tex` into a directory."""
    for suffix, writer in WRITERS.items():
        (directory / f"{name}.{suffix}").write_text(writer(table), encoding="utf-8")


def to_macros(runs: StudyRuns, comparisons: Sequence[Comparison]) -> str:
    r"""Return a `.tex` file with a macro for every number, so that prose cannot go stale.

    `\replayCapacityOneZeroZeroZeroDifference` is that of `capacity=1000` in study `replay`; with several
    environments, the environment's name follows the study's. Missing numbers read "missing".
    """
    several = len(runs.environments) > 1
    study = macro_name(runs.plan.study.name)
    study = study[:1].lower() + study[1:]
    lines = [f"% {provenance_line(runs)} Written by `python -m analysis report`; do not edit."]
    macros = {
        f"{study}Seeds": str(len(runs.plan.study.seeds)),
        f"{study}Plan": runs.plan.hash,
    }
    for row in comparisons:
        stem = study + (macro_name(row.arm.env_id) if several else "") + macro_name(row.arm.name)
        while f"{stem}N" in macros:
            stem += "Again"
        macros |= {stem + key: text for key, text in _macro_texts(row)}
    lines += [f"\\newcommand{{\\{name}}}{{{latex(text)}}}" for name, text in macros.items()]
    return "\n".join(lines) + "\n"


def macro_name(text: str) -> str:
    """Return a text as letters only: words capitalized, digits and points spelled out."""
    spelled = "".join(f" {_SPELLED[c]} " if c in _SPELLED else c for c in text)
    words = re.findall(r"[A-Za-z]+", spelled)
    return "".join(word[0].upper() + word[1:] for word in words)


_SPELLED = dict(
    zip(
        "0123456789.",
        ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Point"),
        strict=True,
    )
)


def _macro_texts(row: Comparison) -> Iterator[tuple[str, str]]:
    for key, value in comparison_columns(row).items():
        if key in ("arm", "environment", "cell", "score", "significant", "among_best"):
            continue
        if row.difference is None and not key.startswith(("n", "mean", "iqm", "censored")):
            continue
        name = macro_name(key.replace("_estimate", "").replace("_", " "))
        if is_missing(value):
            yield name, "missing"
        elif key.startswith("p_"):
            yield name, p_value_text(value)
        else:
            yield name, str(value) if isinstance(value, int) else number(value)


def plain_json(values: Any) -> Any:
    """Return values for JSON: missing numbers become null."""
    if isinstance(values, dict):
        return {key: plain_json(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [plain_json(value) for value in values]
    return None if is_missing(values) else values


def is_missing(value: Any) -> bool:
    """Return whether a value is None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _headings(table: Table) -> list[str]:
    """Return the headings, each after its group where there are groups."""
    spans = [text for text, width in table.groups for _ in range(width)] or [""] * len(table.headings)
    return [
        f"{span}: {heading}" if span else heading
        for span, heading in zip(spans, table.headings, strict=True)
    ]


def _marked(cell: Cell, bold: str, mark: str) -> str:
    text = markdown(cell.text)
    text = f"{bold}{text}{bold}" if cell.bold and text else text
    return text + (mark.format(cell.marks) if cell.marks else "")


def _terminal_cell(cell: Cell) -> str:
    return cell.text + (f" ({cell.marks})" if cell.marks else "")


def _latex_cell(cell: Cell) -> str:
    text = f"\\textbf{{{latex(cell.text)}}}" if cell.bold and cell.text else latex(cell.text)
    return text + (f"\\textsuperscript{{{cell.marks}}}" if cell.marks else "")


def _spanning(table: Table) -> list[str]:
    """Return the row of group headings with its rules, or nothing."""
    if not table.groups:
        return []
    cells, rules, at = [], [], 1
    for text, width in table.groups:
        cells.append(f"\\multicolumn{{{width}}}{{c}}{{{latex(text)}}}")
        if text:
            rules.append(f"\\cmidrule(lr){{{at}-{at + width - 1}}}")
        at += width
    return [" & ".join(cells) + " \\\\", "".join(rules)]
