"""The ablation table: one specification of rows and columns, four ways to write it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ablation.study import BASELINE
from analysis.comparisons import Comparison
from analysis.load import StudyRuns
from analysis.scores import DESCRIPTIONS
from analysis.statistics import Interval

MISSING = "missing"
NO_INTERVAL = "n/a"
HEADINGS = ("arm", "n", "mean", "IQM", "difference from baseline", "p (Holm)")


@dataclass(frozen=True)
class AblationTable:
    """The rows of a study's table, its caption and notes; `resolved` marks rows by position."""

    frame: pd.DataFrame
    values: pd.DataFrame
    resolved: list[bool]
    caption: str
    notes: list[str]


def ablation_table(runs: StudyRuns, comparisons: list[Comparison], score: str) -> AblationTable:
    """Return the table of a study: a row per arm and environment, as text and as numbers."""
    environments = {comparison.arm.environment for comparison in comparisons}
    rows = [_texts(comparison, len(environments) > 1) for comparison in comparisons]
    values = [_numbers(comparison) for comparison in comparisons]
    study = runs.plan.study
    caption = f"Study {study.name}: {DESCRIPTIONS[score]}; estimate [95 % interval]"
    return AblationTable(
        pd.DataFrame(rows),
        pd.DataFrame(values),
        [comparison.resolved for comparison in comparisons],
        caption,
        _notes(runs, comparisons),
    )


def to_csv(table: AblationTable) -> str:
    """Return the table's numbers at full precision, one column for each."""
    return str(table.values.to_csv(index=False))


def to_markdown(table: AblationTable) -> str:
    """Return the table as Markdown with its notes below."""
    header = [f"| {' | '.join(table.frame.columns)} |", f"|{'---|' * len(table.frame.columns)}"]
    body = [
        f"| {' | '.join(_bold(row, resolved, '**', '**'))} |"
        for row, resolved in zip(_rows(table), table.resolved, strict=True)
    ]
    return "\n".join([f"{table.caption}.", "", *header, *body, "", *table.notes]) + "\n"


def to_latex(table: AblationTable) -> str:
    """Return the table as a LaTeX float; needs the package booktabs."""
    frame = table.frame.copy()
    for position, resolved in enumerate(table.resolved):
        if resolved:
            frame.iloc[position, _DIFFERENCE] = (
                "\\textbf{" + _latex(str(frame.iloc[position, _DIFFERENCE])) + "}"
            )
    styler = frame.style.hide(axis="index").format(
        lambda text: str(text) if str(text).startswith("\\textbf{") else _latex(text)
    )
    styler = styler.format_index(_latex, axis=1)
    columns = "l" + "r" * (len(frame.columns) - 1)
    body = styler.to_latex(
        hrules=True,
        column_format=columns,
        caption=_latex(table.caption),
        label="tab:ablation",
        position="t",
        position_float="centering",
    )
    notes = " ".join(_latex(note) for note in table.notes)
    return str(body).replace("\\end{table}", f"\\par\\smallskip\\footnotesize {notes}\n\\end{{table}}")


def to_terminal(table: AblationTable) -> None:
    """Print the table to standard output."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, title=table.caption, title_justify="left", pad_edge=False)
    for column in table.frame.columns:
        shown.add_column(column, justify="left" if column in ("arm", "environment") else "right")
    for row, resolved in zip(_rows(table), table.resolved, strict=True):
        shown.add_row(*_bold(row, resolved, "[bold]", "[/]"))
    console = Console(highlight=False)
    # Piped into a file there is no width to fit into: better long lines than cut ones.
    console = console if console.is_terminal else Console(highlight=False, width=160)
    console.print(shown)
    for note in table.notes:
        console.print(note, style="dim", soft_wrap=True)


WRITERS = {"csv": to_csv, "md": to_markdown, "tex": to_latex}
_DIFFERENCE = -2


def write_tables(table: AblationTable, directory: Path) -> None:
    """Write `table.csv`, `table.md` and `table.tex` into a directory."""
    for suffix, writer in WRITERS.items():
        (directory / f"table.{suffix}").write_text(writer(table))


def number(value: float) -> str:
    """Return a score with about four significant digits."""
    if math.isnan(value):
        return NO_INTERVAL
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def interval_text(interval: Interval, signed: bool = False) -> str:
    """Return `estimate [low, high]`; without runs `missing`, with one run no interval."""
    if interval.n == 0:
        return MISSING
    sign = "+" if signed and interval.estimate > 0 else ""
    if math.isnan(interval.low):
        return f"{sign}{number(interval.estimate)} [{NO_INTERVAL}]"
    return f"{sign}{number(interval.estimate)} [{number(interval.low)}, {number(interval.high)}]"


def _texts(comparison: Comparison, with_environment: bool) -> dict[str, str]:
    difference = comparison.difference
    where = {"environment": comparison.arm.env_id} if with_environment else {}
    texts = (
        comparison.arm.name,
        str(comparison.mean.n),
        interval_text(comparison.mean),
        interval_text(comparison.interquartile_mean),
        "" if difference is None else interval_text(difference, signed=True),
        p_text(comparison.p_value),
    )
    return where | dict(zip(HEADINGS, texts, strict=True))


def p_text(p_value: float | None) -> str:
    """Return a p-value with two digits; nothing where there is none."""
    if p_value is None:
        return ""
    if math.isnan(p_value):
        return NO_INTERVAL
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _numbers(comparison: Comparison) -> dict[str, object]:
    row: dict[str, object] = {
        "arm": comparison.arm.name,
        "environment": comparison.arm.env_id,
        "cell": comparison.arm.cell,
        "n": comparison.mean.n,
    }
    intervals = {
        "mean": comparison.mean,
        "iqm": comparison.interquartile_mean,
        "difference": comparison.difference,
    }
    for name, interval in intervals.items():
        for end in ("estimate", "low", "high"):
            row[f"{name}_{end}"] = None if interval is None else getattr(interval, end)
    row["difference_n"] = None if comparison.difference is None else comparison.difference.n
    row["p_holm"] = comparison.p_value
    return row


def _notes(runs: StudyRuns, comparisons: list[Comparison]) -> list[str]:
    asked = len(runs.plan.study.seeds)
    notes = [
        "Mean with Student's t interval; IQM: 25 % trimmed mean with the Tukey-McLaughlin "
        "interval; difference of means paired by seed; p corrected by Holm's method for the arms of an "
        "environment, bold where it is at most 0.05. Intervals are not corrected.",
    ]
    same = [merged.name for merged in runs.plan.merged if merged.into == BASELINE]
    if same:
        notes.append(f"The baseline is {', '.join(dict.fromkeys(same))}.")
    for comparison in comparisons:
        lacking = {name: n for name, n in comparison.statuses.items() if name != "complete"}
        if lacking:
            counts = ", ".join(f"{n} {name}" for name, n in lacking.items())
            notes.append(f"{comparison.arm.name} ({comparison.arm.env_id}): of {asked} runs {counts}.")
    commits = sorted(
        {run.record["git_commit"][:10] for run in runs.runs.values() if run.record.get("git_commit")}
    )
    notes.append(f"Plan {runs.plan.hash}, commit {', '.join(commits) or 'none'}.")
    return notes


def _rows(table: AblationTable) -> list[list[str]]:
    return [[str(value) for value in row] for row in table.frame.to_numpy().tolist()]


def _bold(row: list[str], resolved: bool, before: str, after: str) -> list[str]:
    if not resolved:
        return row
    return [*row[:_DIFFERENCE], f"{before}{row[_DIFFERENCE]}{after}", *row[_DIFFERENCE + 1 :]]


def _latex(value: object) -> str:
    text = str(value)
    for character in "%&_#$":
        text = text.replace(character, f"\\{character}")
    return text.replace("<", "$<$").replace(">", "$>$")
