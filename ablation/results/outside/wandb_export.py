"""Reads the CSV that Weights & Biases exports of a chart: a column per run and metric, beside a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ablation.results.outside.patterns import match
from ablation.results.outside.request import ImportRefused, Request
from ablation.results.outside.rows import Labels, RowTable
from ablation.results.outside.tidy import read_csv

if TYPE_CHECKING:
    import pyarrow

PATTERN = "{environment}__{arm}__{seed}__{}"
"""CleanRL's names of runs."""
AXES = ("global_step", "env_step")
_EXTREMES = ("__MIN", "__MAX")


def read_chart(path: Path, request: Request) -> RowTable:
    """Return the rows of a chart's export; one without a column per run is read as a tidy table."""
    import pyarrow
    from pyarrow import csv

    try:
        table = csv.read_csv(path)
    except pyarrow.ArrowInvalid as error:
        raise ImportRefused(f"{path.name} is no CSV file: {str(error).splitlines()[0]}") from None
    names = [name for name in table.column_names if " - " in name and not name.endswith(_EXTREMES)]
    if not names:
        return read_csv(path, request)
    axis = _axis(table.column_names, request, path)
    metric = _metric(names, request, path)
    columns = [name for name in names if name.rpartition(" - ")[2] == metric]
    steps = _floats(table, axis, path)
    series = [_floats(table, name, path) for name in columns]
    present = [~np.isnan(values) & ~np.isnan(steps) for values in series]
    counts = [int(mask.sum()) for mask in present]
    rows = {
        "env_step": np.concatenate([steps[mask] for mask in present]).astype(np.int64),
        "episode_return": np.concatenate(
            [values[mask] for values, mask in zip(series, present, strict=True)]
        ),
    }
    labels = _labels([name.rpartition(" - ")[0] for name in columns], counts, request, path)
    return RowTable(request.rows or "episodes", labels, rows, _notes(table, columns, counts, path))


def _axis(names: list[str], request: Request, path: Path) -> str:
    """Return the column of steps; W&B's own `Step` counts calls of log, not environment steps."""
    wanted = request.columns.get("env_step")
    for name in [wanted] if wanted else AXES:
        if name in names:
            return name
    raise ImportRefused(
        f"{path.name}: the x axis is '{names[0]}'; export the chart over global_step, or say "
        f"--columns env_step={names[0]} if it counts environment steps"
    )


def _metric(names: list[str], request: Request, path: Path) -> str:
    metrics = list(dict.fromkeys(name.rpartition(" - ")[2] for name in names))
    wanted = request.columns.get("episode_return")
    if wanted in metrics or (wanted is None and len(metrics) == 1):
        return wanted or metrics[0]
    raise ImportRefused(
        f"{path.name} has the metrics {', '.join(metrics)}; choose one: --columns episode_return=METRIC"
    )


def _labels(runs: list[str], counts: list[int], request: Request, path: Path) -> dict[str, Labels]:
    """Return the labels of each run's rows, from its name."""
    pattern = request.pattern or PATTERN
    given = {"arm": request.arm, "environment": request.environment, "seed": request.seed}
    constants = {key: str(value) for key, value in given.items() if value is not None}
    of_run = []
    for run in runs:
        labels = (match(pattern, run) or {}) | constants
        # Without a number, a run's name tells it from the others of its arm.
        labels.setdefault("seed", run)
        if not {"arm", "environment"} <= set(labels):
            raise ImportRefused(
                f"{path.name}: run '{run}' is not named as '{pattern}'; --pattern says how, "
                "--arm and --environment what its name does not"
            )
        of_run.append(labels)
    codes = np.repeat(np.arange(len(runs)), counts)
    return {key: Labels([labels[key] for labels in of_run], codes) for key in of_run[0]}


def _floats(table: pyarrow.Table, name: str, path: Path) -> Any:
    import pyarrow

    kind = table[name].type
    if not (
        pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_null(kind)
    ):
        raise ImportRefused(f"{path.name}: column '{name}' holds text; numbers are needed")
    return table[name].to_numpy().astype(float)


def _notes(table: pyarrow.Table, columns: list[str], counts: list[int], path: Path) -> tuple[str, ...]:
    notes = []
    empty = table.num_rows * len(columns) - sum(counts)
    if empty:
        notes.append(f"{path.name}: {empty} cells are empty (runs log at different steps)")
    for name in columns:
        ends = [f"{name}{end}" for end in _EXTREMES]
        if all(end in table.column_names for end in ends) and not table[ends[0]].equals(table[ends[1]]):
            notes.append(f"{path.name}: W&B averaged neighboring points (MIN and MAX differ)")
            break
    return tuple(notes)
