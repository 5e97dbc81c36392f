"""Whether rows from elsewhere can be taken as they are: duplicates, numbers, lengths. One line each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ablation.results.outside.request import Argument, ImportRefused, Request
from ablation.results.outside.rows import EPISODE, RETURN, STEP, MergedRows, OrderedRows, RunLabels

NOT_NUMBERS_HELP = " counts such runs as missing"
SHORT_HELP = (
    " counts them as missing, keep takes them as they are; where arms count steps in different units, "
    "convert them first"
)
"""What follows `incomplete=missing`."""
Problems = dict[int, str]
"""Run -> why it does not count."""


def run_text(run: RunLabels) -> str:
    """Return a run's labels as text."""
    levels = ", ".join(f"{name} {level}" for name, level in run.levels)
    return f"{levels}, seed {run.seed}, {run.env_id}"


def check_rows(merged: MergedRows, request: Request) -> Problems:
    """Return the runs that count as missing, with reasons; raises `ImportRefused` for what is wrong.

    Short runs and runs with values that are no numbers are refused unless `request.incomplete` says what
    to do with them.
    """
    for kind, table in merged.tables.items():
        if kind == "scores":
            _check_one_row(merged.runs, table)
        else:
            _check_steps(merged.runs, table)
    not_numbers = dict(_not_numbers(merged))
    short = {run: text for run, text in _short_runs(merged, request) if run not in not_numbers}
    if request.incomplete == "refuse":
        _refuse(merged.runs, not_numbers, NOT_NUMBERS_HELP)
        _refuse(merged.runs, short, SHORT_HELP)
    if request.incomplete == "keep":
        _refuse(merged.runs, not_numbers, NOT_NUMBERS_HELP)
        if short:
            text = "run is" if len(short) == 1 else "runs are"
            merged.notes.append(f"{len(short)} {text} shorter than others, counted as they are")
        return {}
    return not_numbers | short


def budgets(merged: MergedRows, request: Request) -> dict[str, int | None]:
    """Return the environment steps of a run by environment: declared, else those of the longest run."""
    longest: dict[str, int | None] = {run.env_id: request.budget for run in merged.runs}
    for kind, table in merged.tables.items():
        if kind == "scores" or request.budget is not None:
            continue
        for run, last in zip(merged.runs, _last_steps(table).tolist(), strict=True):
            longest[run.env_id] = max(longest[run.env_id] or 0, last) or None
    return longest


def _refuse(runs: Sequence[RunLabels], problems: Mapping[int, str], help_: str) -> None:
    if not problems:
        return
    run, text = next(iter(problems.items()))
    others = f" (and {len(problems) - 1} more runs)" if len(problems) > 1 else ""
    wrong = f"{run_text(runs[run])}: {text}{others}; "
    raise ImportRefused(wrong, Argument("incomplete", "missing"), help_)


def _check_one_row(runs: Sequence[RunLabels], table: OrderedRows) -> None:
    counts = np.diff(table.bounds)
    if (counts > 1).any():
        run = int(np.argmax(counts > 1))
        raise ImportRefused(
            f"{run_text(runs[run])} has {counts[run]} rows in a table without steps; it needs "
            "one a run, or a column of steps"
        )


def _check_steps(runs: Sequence[RunLabels], table: OrderedRows) -> None:
    steps = table.columns[STEP]
    run = np.repeat(np.arange(len(runs)), np.diff(table.bounds))
    if (steps < 0).any():
        at = int(np.argmax(steps < 0))
        raise ImportRefused(f"{run_text(runs[run[at]])}: step {steps[at]} is below zero")
    twice = (run[1:] == run[:-1]) & (steps[1:] == steps[:-1])
    if EPISODE in table.columns:
        twice &= table.columns[EPISODE][1:] == table.columns[EPISODE][:-1]
    if twice.any():
        at = int(np.argmax(twice))
        raise ImportRefused(
            f"{run_text(runs[run[at]])} has step {steps[at]} more than once ({int(twice.sum())} rows "
            "too many); several episodes of one evaluation need a column `episode`, several arms a label"
        )


def _not_numbers(merged: MergedRows) -> Iterator[tuple[int, str]]:
    """Yield runs with returns that are no finite numbers; of scores, one that is a number is enough."""
    for kind, table in merged.tables.items():
        if kind == "scores":
            finite = np.any([np.isfinite(column) for column in table.columns.values()], axis=0)
        else:
            finite = np.isfinite(table.columns[RETURN])
        wrong = np.flatnonzero(~finite)
        if not len(wrong):
            continue
        of_rows = np.searchsorted(table.bounds, wrong, "right") - 1
        runs, first, counts = np.unique(of_rows, return_index=True, return_counts=True)
        for run, at, count in zip(runs.tolist(), first.tolist(), counts.tolist(), strict=True):
            if kind == "scores":
                yield run, "none of its scores is a finite number"
            else:
                where = table.columns[STEP][wrong[at]]
                yield run, f"{count} of its returns are no finite numbers, first at step {where}"


def _last_steps(table: OrderedRows) -> NDArray[np.int64]:
    """Return the last step of each run `[runs]`, 0 for one without rows."""
    last = np.zeros(len(table.bounds) - 1, np.int64)
    filled = np.diff(table.bounds) > 0
    last[filled] = table.columns[STEP][table.bounds[1:][filled] - 1]
    return last


def _short_runs(merged: MergedRows, request: Request) -> Iterator[tuple[int, str]]:
    """Yield runs that end before another row was due, compared with the longest of their environment."""
    for kind, table in merged.tables.items():
        if kind == "scores":
            continue
        last, gaps = _last_steps(table), _largest_gaps(table)
        of_environment: dict[str, list[int]] = defaultdict(list)
        for run, labels in enumerate(merged.runs):
            if table.bounds[run + 1] > table.bounds[run]:
                of_environment[labels.env_id].append(run)
        for runs in of_environment.values():
            longest = max(request.budget or 0, int(last[runs].max()))
            for run in runs:
                if last[run] + gaps[run] <= longest:
                    yield run, f"its {kind} end at step {last[run]:,}, others go on to {longest:,}"


def _largest_gaps(table: OrderedRows) -> NDArray[np.int64]:
    """Return the largest distance between rows of each run `[runs]`, the first step included."""
    steps, bounds = table.columns[STEP], table.bounds
    gaps = np.diff(steps, prepend=0)
    starts = bounds[:-1][np.diff(bounds) > 0]
    gaps[starts] = steps[starts]
    largest = np.zeros(len(bounds) - 1, np.int64)
    if len(starts):
        largest[np.diff(bounds) > 0] = np.maximum.reduceat(gaps, starts)
    return largest
