"""Trains stored runs again, elsewhere, and compares them with the store bit by bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ablation.config.cell import Cell
from ablation.results.integrity import inspect
from ablation.store.run_record import ENDED
from ablation.store.runs import TABLES, RunKey, Store
from ablation.study.plan import Arm, Plan
from ablation.sweep.job import run_job
from ablation.sweep.queue import JobSpec
from ablation.tracking import TrackingConfig

if TYPE_CHECKING:
    import pyarrow

NEVER = 1e9
"""Seconds between checkpoints that are not wanted."""


@dataclass(frozen=True)
class StoredRun:
    """A run that the store has, with its arm and its cell."""

    key: RunKey
    arm: Arm
    cell: Cell

    @property
    def name(self) -> str:
        """Return the name that commands know the run by."""
        return run_name(self.key)


def run_name(key: RunKey) -> str:
    """Return `<cell>/<seed>`, where a run's directory is below `runs/`."""
    return f"{key.cell}/{key.seed:04d}"


def stored_runs(plans: Iterable[Plan], store: Store) -> dict[str, StoredRun]:
    """Return the runs of some plans that ended or whose record cannot be read, by name.

    Their order follows from the hash of their plan and from nothing else.
    """
    found: dict[str, StoredRun] = {}
    for plan in plans:
        arms = {arm.cell: arm for arm in reversed(plan.arms)}
        for key in sorted(plan.runs(), key=lambda key: _draw(plan, key)):
            record = store.read_record(key)
            ended = record.status in ENDED if record else store.why_unreadable(key) is not None
            if ended and key.cell in plan.configured:
                run = StoredRun(key, arms[key.cell], plan.configured[key.cell])
                found.setdefault(run.name, run)
    return found


def other_arithmetic_here(run: StoredRun, store: Store) -> str | None:
    """Return a run's arithmetic and that of this process where they differ, else None."""
    from ablation.training.fingerprint import fingerprint

    record = store.read_record(run.key)
    if record is None:
        return None
    mine, theirs = fingerprint(run.cell.config, record.device), record.arithmetic or "unknown"
    where = record.processor.get("name", "unknown processor")
    return None if mine == theirs else f"stored is {theirs} ({where}), here it is {mine}"


def difference_of(run: StoredRun, store: Store, directory: Path) -> str | None:
    """Train a run again below a directory; return its first difference from the store, if any."""
    stored, damage = inspect(store, run.key)
    if stored is None or damage is not None:
        return damage or "is gone"
    job = JobSpec(
        f"verify-{run.key.cell}-{run.key.seed:04d}",
        run.key.cell,
        [run.key.seed],
        run.arm.name,
        run.arm.levels,
        "verify",
        "",
        stored.device,
        NEVER,
    )
    again = Store(directory)
    try:
        run_job(run.cell.config, job, TrackingConfig("disabled", "verify", None), again)
    except Exception as error:
        return f"could not be trained again: {type(error).__name__}: {error}"
    trained = again.read_record(run.key)
    assert trained is not None
    for name in ("status", "env_steps", "gradient_steps"):
        one, two = getattr(stored, name), getattr(trained, name)
        if one != two:
            return f"run.json, {name}: stored {one}, trained again {two}"
    return _tables_differ(run.key, store, again)


def _draw(plan: Plan, key: RunKey) -> str:
    return hashlib.sha256(f"{plan.hash}/{run_name(key)}".encode()).hexdigest()


def _tables_differ(key: RunKey, store: Store, again: Store) -> str | None:
    for name in TABLES:
        try:
            difference = first_difference(store.read_table(key, name), again.read_table(key, name))
            altered = store.altered_tables(key, [name])
        except (OSError, ValueError) as error:
            return f"{name}.parquet: cannot be read ({error})"
        after = "; the file is not the one that run.json has the checksum of" if altered else ""
        if difference is not None:
            return f"{name}.parquet, {difference}{after}"
        if altered:
            return f"{name}.parquet: equal values{after}"
    return None


def first_difference(stored: pyarrow.Table, again: pyarrow.Table) -> str | None:
    """Return the first row and column in which two tables differ in a bit, None where none does."""
    if stored.schema.names != again.schema.names or stored.schema.types != again.schema.types:
        return f"columns: stored {stored.schema.names}, trained again {again.schema.names}"
    rows = min(stored.num_rows, again.num_rows)
    found = []
    for place, name in enumerate(stored.column_names):
        one, two = stored[name].slice(0, rows), again[name].slice(0, rows)
        unequal = np.flatnonzero((_bits(one) != _bits(two)).any(axis=0))
        if len(unequal):
            found.append((int(unequal[0]), place, name))
    if found:
        row, _, name = min(found)
        values = stored[name][row].as_py(), again[name][row].as_py()
        return f"row {row}, column {name}: stored {values[0]!r}, trained again {values[1]!r}"
    if stored.num_rows != again.num_rows:
        return f"row {rows}: stored {stored.num_rows} rows, trained again {again.num_rows}"
    return None


def _bits(column: pyarrow.ChunkedArray) -> NDArray[np.int64]:
    """Return which values are there and their bits, `[2, rows]`."""
    values = column.fill_null(False if str(column.type) == "bool" else 0).to_numpy()
    bits = values.view(np.int64) if values.dtype == np.float64 else values.astype(np.int64)
    return np.stack([column.is_valid().to_numpy().astype(np.int64), bits])
