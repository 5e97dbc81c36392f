"""Reads a study from the store: its plan, its runs, and the rows that they stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.ledger import MISSING
from ablation.store import ENDED, RunKey, Store, read_json
from ablation.study import Arm, Plan, plan_from_json
from analysis.scores import SCORES

RESULTS = "results"


class StudyNotFound(Exception):
    """There is no frozen plan of that name."""


@dataclass(frozen=True)
class Run:
    """One run: its record, and its rows by table and column; without rows unless it ended."""

    key: RunKey
    status: str
    record: dict[str, Any]
    tables: dict[str, dict[str, NDArray[Any]]]

    def score(self, name: str) -> float:
        """Return one of `SCORES`, or NaN if the run has no rows to compute it from."""
        if self.status not in ENDED:
            return float("nan")
        return SCORES[name](self.tables["episodes"], self.tables["evaluations"])


@dataclass(frozen=True)
class StudyRuns:
    """A study's plan and the runs that it asks for, by cell and seed."""

    plan: Plan
    runs: dict[RunKey, Run]
    root: Path
    command: str

    def scores(self, arm: Arm, name: str) -> NDArray[np.float64]:
        """Return an arm's scores, one per seed of the plan in its order, NaN where missing."""
        keys = [RunKey(arm.cell, seed) for seed in arm.seeds]
        return np.array([self.runs[key].score(name) for key in keys])

    def of_arm(self, arm: Arm) -> list[Run]:
        """Return an arm's runs that have data, in the order of their seeds."""
        keys = [RunKey(arm.cell, seed) for seed in arm.seeds]
        return [self.runs[key] for key in keys if self.runs[key].status in ENDED]

    def statuses(self, arm: Arm) -> dict[str, int]:
        """Return how many of an arm's runs have each status."""
        counts: dict[str, int] = {}
        for seed in arm.seeds:
            status = self.runs[RunKey(arm.cell, seed)].status
            counts[status] = counts.get(status, 0) + 1
        return counts


def load(study: str, root: Path | str = RESULTS) -> StudyRuns:
    """Return a study with all of its runs; raises `StudyNotFound` with the names that there are."""
    store = Store(root)
    frozen = read_json(store.study_directory(study) / "plan.json")
    if frozen is None:
        known = sorted(path.parent.name for path in store.root.glob("studies/*/plan.json"))
        there = f"there are: {', '.join(known)}" if known else "no study was swept here yet"
        raise StudyNotFound(f"no study '{study}' below {store.root / 'studies'}; {there}")
    plan = plan_from_json(frozen)
    runs = {key: _load_run(store, key) for key in plan.runs()}
    return StudyRuns(plan, runs, store.root, str(frozen.get("command", "")))


def _load_run(store: Store, key: RunKey) -> Run:
    record = store.read_record(key)
    if record is None:
        return Run(key, MISSING, {}, {})
    status = str(record.get("status", MISSING))
    if status not in ENDED:
        return Run(key, status, record, {})
    try:
        tables = {name: _columns(store, key, name) for name in ("episodes", "evaluations")}
    except (OSError, ValueError) as error:
        return Run(key, "unreadable", record | {"error": str(error)}, {})
    return Run(key, status, record, tables)


def _columns(store: Store, key: RunKey, name: str) -> dict[str, NDArray[Any]]:
    table = store.read_table(key, name)
    return {column: table[column].to_numpy() for column in table.column_names}
