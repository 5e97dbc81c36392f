"""What supervised streams show: how well the first turn was learned, and what was kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.results.run import Run
from ablation.study.plan import Arm
from ablation.tasks.streams.order import TURNS
from analysis import statistics
from analysis.effects.study_results import StudyResults
from analysis.tables.columns import interval_cell, interval_columns, provenance_line
from analysis.tables.table import Cell, Table

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class StreamWords:
    """What a stream's groups and steps are called, and what is measured: accuracy, or loss in nats."""

    group: str
    steps: str
    measure: str
    loss: bool = True

    @property
    def sign(self) -> int:
        """Return what returns are multiplied by: losses are stored as log-likelihoods."""
        return -1 if self.loss else 1


STREAMS = {
    "digits": StreamWords("class", "images seen", "accuracy on test images", loss=False),
    "text": StreamWords("topic", "characters read", "loss on held-out characters (nats)"),
    "prices": StreamWords("period", "days seen", "loss on a period's days (nats)"),
}


def arms_of(results: StudyResults, environment: str) -> list[Arm]:
    """Return the arms of a supervised stream that have runs; none for another environment."""
    runs = results.runs
    return [arm for arm in runs.arms(environment) if arm.env_id in STREAMS and runs.of_arm(arm)]


def by_group(run: Run) -> tuple[NDArray[np.int64], Doubles]:
    """Return a run's evaluation steps `[T]` and its accuracy or loss by group `[groups, T]`."""
    rows, sign = run.tables["evaluations"], STREAMS[str(run.record.setting("env", "id"))].sign
    steps, column = np.unique(rows["env_step"], return_inverse=True)
    values = np.full((int(rows["episode"].max()) + 1, len(steps)), np.nan)
    values[rows["episode"], column] = sign * np.asarray(rows["episode_return"], float)
    return steps, values


def streams_table(results: StudyResults) -> Table | None:
    """Return the table of what came first and what was kept of it, or None for other studies."""
    arms = [arm for name, _ in results.environments for arm in arms_of(results, name)]
    if not arms:
        return None
    words, runs, rows, values = STREAMS[arms[0].env_id], results.runs, [], []
    for arm in arms:
        of_runs = [_measures(run, words.loss) for run in runs.of_arm(arm)]
        columns = list(of_runs[0])
        measured = {
            column: statistics.mean(np.array([each[column] for each in of_runs])) for column in columns
        }
        name = Cell(f"{arm.name} (n={len(of_runs)})")
        rows.append([name, *map(interval_cell, measured.values())])
        flat: dict[str, Any] = {"arm": arm.name, "environment": arm.env_id}
        for column, estimate in measured.items():
            flat |= interval_columns(column, estimate)
        values.append(flat)
    return Table(
        f"What came first, and what was kept of it: {words.measure}",
        ["arm", *columns],
        rows,
        notes=[_NOTE.format(group=words.group) + _BEFORE * words.loss, provenance_line(runs)],
        values=values,
        label="streams",
    )


def _measures(run: Run, loss: bool) -> dict[str, float]:
    """Return what the table says of a run, by column."""
    steps, values = by_group(run)
    first = values[: len(values) // TURNS].mean(axis=0)
    ended = int(np.searchsorted(steps, run.record.setting("train", "env_steps") / TURNS))
    learned, kept = first[min(ended, len(steps) - 1)], first[-1]
    return {
        "first turn, at its end": learned,
        "first turn, at the run's end": kept,
        "change": kept - learned,
        "all, at the run's end": values[:, -1].mean(),
    } | ({"before learning": -run.scores["online_return"]} if loss else {})


_NOTE = "Means over runs [95 % interval]. First turn: the mean over each {group} that is shown in it."
_BEFORE = " Before learning: each example's loss when it is shown, before it is learned from."
