"""The Blind Cliffwalk's table: the median number of updates of each kind of replay, by chain."""

from __future__ import annotations

from typing import Any

import numpy as np

from ablation.results.load import StudyRuns
from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.study_results import StudyResults
from analysis.statistics import Estimate
from analysis.tables.columns import interval_columns, provenance_line
from analysis.tables.table import Cell, Table

PREFIX = "BlindCliffwalk-"
"""What the ids of chains begin with; their number of states follows."""
MEASURE = "steps_to_threshold"


def chain_lengths(results: StudyResults) -> dict[str, int]:
    """Return the number of states of each environment's chain, shortest first; {} for other studies."""
    ids = {name: results.runs.arms(name)[0].env_id for name in results.runs.environments}
    if not ids or not all(env_id.startswith(PREFIX) for env_id in ids.values()):
        return {}
    lengths = {name: int(env_id.removeprefix(PREFIX)) for name, env_id in ids.items()}
    return dict(sorted(lengths.items(), key=lambda pair: pair[1]))


def transitions(states: int) -> int:
    """Return the number of transitions in the buffer of a chain."""
    return int(2 ** (states + 1) - 2)


def updates(runs: StudyRuns, arm: Arm) -> tuple[Estimate, int]:
    """Return the median number of updates until the values are correct, and the unfinished runs.

    Runs that never get there count with their whole length.
    """
    needed = runs.scores(arm, MEASURE)
    limit = runs.plan.cells[arm.cell]["train"]["env_steps"]
    needed = needed[~np.isnan(needed)]
    return statistics.median(needed), int((needed >= limit).sum())


def cliffwalk_table(results: StudyResults) -> Table | None:
    """Return the table of medians, or None for other studies."""
    lengths = chain_lengths(results)
    if not lengths:
        return None
    runs, rows, values = results.runs, [], []
    names = [replay_title(arm) for arm in runs.arms(next(iter(lengths)))]
    for environment, states in lengths.items():
        cells: list[Cell] = []
        flat: dict[str, Any] = {"states": states, "transitions": transitions(states)}
        for arm in runs.arms(environment):
            median, unfinished = updates(runs, arm)
            cells.append(_cell(median, unfinished))
            flat |= interval_columns(replay_title(arm), median) | {
                f"{replay_title(arm)} n": median.n,
                f"{replay_title(arm)} unfinished": unfinished,
            }
        rows.append([Cell(str(states)), Cell(f"{transitions(states):,}"), *cells])
        values.append(flat)
    note = (
        "Median over runs with the exact interval of order statistics (at least 95 %; n: runs). The "
        "values are correct when their mean squared error is below 0.001. A run that never gets there "
        "counts with its whole length; their number is given."
    )
    return Table(
        "Updates until the values of the Blind Cliffwalk are correct",
        ["states", "transitions", *names],
        rows,
        notes=[note, provenance_line(runs)],
        values=values,
        label="cliffwalk",
    )


def replay_title(arm: Arm) -> str:
    """Return the level of an arm's kind of replay; the baseline's is uniform."""
    return ", ".join(arm.levels.values()) or "uniform"


def _cell(median: Estimate, unfinished: int) -> Cell:
    if not median.n:
        return Cell("missing")
    middle, low, high = (f"{end:,.10g}" for end in (median.value, median.low, median.high))
    text = f"{middle} [{low}, {high}] ({median.n})"
    return Cell(f"{text}, {unfinished} not finished" if unfinished else text, value=median.value)
