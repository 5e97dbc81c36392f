"""The Blind Cliffwalk's table: the median of the updates that each kind of replay needs, by chain."""

from __future__ import annotations

from typing import Any

import numpy as np

from ablation.results.load import StudyRuns
from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.study_results import Results
from analysis.statistics import Interval
from analysis.tables.table import Cell, Table, ends, footer

PREFIX = "BlindCliffwalk-"
"""Of the ids of chains, before their number of states."""
MEASURE = "steps_to_threshold"


def chains(results: Results) -> dict[str, int]:
    """Return the states of each environment's chain, shortest first; nothing for other studies."""
    ids = {name: results.runs.arms(name)[0].env_id for name in results.runs.environments}
    if not ids or not all(env_id.startswith(PREFIX) for env_id in ids.values()):
        return {}
    found = {name: int(env_id.removeprefix(PREFIX)) for name, env_id in ids.items()}
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


def transitions(states: int) -> int:
    """Return how many transitions the memory of a chain holds."""
    return int(2 ** (states + 1) - 2)


def updates(runs: StudyRuns, arm: Arm) -> tuple[Interval, int]:
    """Return the median of the updates that an arm's runs needed, and how many did not get there.

    Those count with the whole length of the run.
    """
    needed = runs.scores(arm, MEASURE)
    limit = runs.plan.cells[arm.cell]["train"]["env_steps"]
    needed = needed[~np.isnan(needed)]
    return statistics.median(needed), int((needed >= limit).sum())


def cliffwalk_table(results: Results) -> Table | None:
    """Return the table of medians, or None for other studies."""
    found = chains(results)
    if not found:
        return None
    runs, rows, values = results.runs, [], []
    names = [_title(arm) for arm in runs.arms(next(iter(found)))]
    for environment, states in found.items():
        cells: list[Cell] = []
        flat: dict[str, Any] = {"states": states, "transitions": transitions(states)}
        for arm in runs.arms(environment):
            median, late = updates(runs, arm)
            cells.append(_cell(median, late))
            flat |= ends(_title(arm), median) | {
                f"{_title(arm)} n": median.n,
                f"{_title(arm)} late": late,
            }
        rows.append([Cell(str(states)), Cell(f"{transitions(states):,}"), *cells])
        values.append(flat)
    note = (
        "Median over runs with the exact interval of order statistics (at least 95 %; n: runs). A table "
        "is right when its mean squared error is below 0.001. A run that did not get there counts with "
        "its whole length; how many did not is said."
    )
    return Table(
        "Updates until the values of the Blind Cliffwalk are right",
        ["states", "transitions", *names],
        rows,
        notes=[note, footer(runs)],
        values=values,
        label="cliffwalk",
    )


def _title(arm: Arm) -> str:
    return "uniform" if arm.role == "baseline" else arm.name.partition("=")[2]


def _cell(median: Interval, late: int) -> Cell:
    if not median.n:
        return Cell("missing")
    middle, low, high = (f"{end:,.10g}" for end in (median.estimate, median.low, median.high))
    text = f"{middle} [{low}, {high}] ({median.n})"
    return Cell(f"{text}, {late} not there" if late else text, value=median.estimate)
