"""Reads a study from the store: its plan, its runs, and the rows that they stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.config.near import one_of
from ablation.config.validation import ConfigError
from ablation.results.arithmetic import OTHER_ARITHMETIC, arithmetic_of, other_arithmetic
from ablation.results.integrity import damage_of, inspect
from ablation.results.outside.data import DamagedImport, OutsideData
from ablation.results.outside.data import read as read_outside
from ablation.results.outside.names import CELL, has_outside, is_outside
from ablation.results.references import Reference, reference
from ablation.results.run import Run
from ablation.results.scores import SCORES
from ablation.store.files import read_json
from ablation.store.run_record import ENDED, MISSING, RunRecord
from ablation.store.runs import TABLES, RunKey, Store
from ablation.study.plan import Arm, Plan, plan_from_json
from ablation.study.sizes import DEFAULT_SIZE, PLAIN_SIZE

RESULTS = "results"
UNREADABLE = "unreadable"
READ = ("episodes", "evaluations")


class StudyNotFound(Exception):
    """There is no plan of that name, or none that can be read."""


@dataclass(frozen=True)
class StudyRuns:
    """A study's plan and its runs, by cell and seed."""

    plan: Plan
    runs: dict[RunKey, Run]
    root: Path
    command: str

    @cached_property
    def own_references(self) -> dict[str, Reference]:
        """The references that environments' settings give, by environment."""
        return {name: Reference.of(given) for name, given in self.plan.references.items()}

    @cached_property
    def tuning(self) -> StudyRuns | None:
        """The runs of the tuning stage that the study's choices follow from, None without one."""
        if not self.plan.choices:
            return None
        try:
            return load(self.plan.study.tuning_name, self.root)
        except StudyNotFound:
            return None

    @property
    def score_names(self) -> list[str]:
        """Return the scores of every study, and the study's primary one where it is a user's own."""
        return list(dict.fromkeys([*SCORES, self.plan.study.primary_score]))

    @property
    def environments(self) -> list[str]:
        """Return the study's environments in the plan's order."""
        return list(dict.fromkeys(arm.environment for arm in self.plan.arms))

    def arms(self, environment: str) -> list[Arm]:
        """Return the arms of an environment in the plan's order."""
        return [arm for arm in self.plan.arms if arm.environment == environment]

    def baseline(self, environment: str) -> Arm:
        """Return the reference arm of an environment."""
        arms = self.arms(environment)
        return next((arm for arm in arms if arm.role == "baseline"), arms[0])

    def is_outside(self, arm: Arm) -> bool:
        """Return whether an arm's runs were trained elsewhere and imported."""
        return is_outside(self.plan.cells, arm.cell)

    def paired(self, arm: Arm, other: Arm) -> bool:
        """Return whether equal seeds of two arms are pairs: from elsewhere, only if declared so."""
        outside = [
            self.plan.cells[each.cell]["outside"] for each in (arm, other) if self.is_outside(each)
        ]
        return all(values.get("shared_seeds") for values in outside)

    def beside_ours(self, arm: Arm) -> bool:
        """Return whether an arm from elsewhere stands beside arms of ours in one study."""
        return self.is_outside(arm) and not all(map(self.is_outside, self.plan.arms))

    def of_cell(self, arm: Arm) -> list[Run]:
        """Return all runs of an arm in the plan, in the order of their seeds."""
        return [self.runs[RunKey(arm.cell, seed)] for seed in arm.seeds]

    def of_arm(self, arm: Arm) -> list[Run]:
        """Return an arm's runs that have data, in the order of their seeds."""
        return [run for run in self.of_cell(arm) if run.rows is not None]

    def scores(self, arm: Arm, name: str, normalized: bool = False) -> NDArray[np.float64]:
        """Return an arm's scores, one per seed of the plan in its order, NaN where missing.

        Normalized ones run from 0, random actions, to 1, solved; NaN without references.
        """
        values = np.array([run.score(name) for run in self.of_cell(arm)])
        if self.plan.looks is not None:
            # Arms that were decided early have the first seeds of the study.
            lacking = len(self.plan.study.seeds) - len(values)
            values = np.append(values, np.full(lacking, np.nan))
        if not normalized:
            return values
        scale = self.reference(arm)
        if scale is None or SCORES[name].unit != "return":
            return np.full(len(values), np.nan)
        return np.array([scale.normalize(value) for value in values])

    def reference(self, arm: Arm) -> Reference | None:
        """Return the references of an arm's environment; those of its id hold at its own time limit."""
        limited = self.plan.cells.get(arm.cell, {}).get("env", {}).get("time_limit") is not None
        return self.own_references.get(arm.environment) or (None if limited else reference(arm.env_id))

    def statuses(self, arm: Arm) -> dict[str, int]:
        """Return how many of an arm's runs have each status."""
        return dict(Counter(run.status for run in self.of_cell(arm)))


def load(study: str, root: Path | str = RESULTS) -> StudyRuns:
    """Return a study with all of its runs; raises `StudyNotFound` with the known names.

    The bare name of a study that has sizes stands for its `default` one, or else for its `quick` one.
    """
    store = Store(root)
    plan, command = load_plan(study, store)
    return read(plan, store, command)


def load_plan(study: str, store: Store) -> tuple[Plan, str]:
    """Return a stored study's plan and the command that made it, as `load` finds it; raises likewise."""
    path = _plan_path(store, study)
    values = read_json(path)
    if values is None:
        raise StudyNotFound(_not_found(store, study, path))
    try:
        return plan_from_json(values), str(values.get("command", ""))
    except ConfigError as error:
        raise StudyNotFound(f"{path} is no plan that this version reads: {error}") from None


def _plan_path(store: Store, study: str) -> Path:
    path = store.study_directory(study.removesuffix(f"-{PLAIN_SIZE}")) / "plan.json"
    sized = store.study_directory(f"{study}-{DEFAULT_SIZE}") / path.name
    return sized if sized.exists() and not path.exists() else path


def _not_found(store: Store, study: str, path: Path) -> str:
    if path.exists():
        return f"{path} cannot be read; the next sweep of the study writes it anew"
    known = sorted(path.parent.name for path in store.root.glob("studies/*/plan.json"))
    listed = one_of(study, known, "there are")
    there = listed if known else "no study was swept here yet"
    return f"no study '{study}' below {store.root / 'studies'}; {there}"


def read(plan: Plan, store: Store, command: str = "", outside: OutsideData | None = None) -> StudyRuns:
    """Return a plan with all the runs that it asks for; those that are not stored are `missing`.

    Runs whose arithmetic is not that of most others have no rows: nothing mixes them with the rest.
    `outside` has the runs of an import that is still in memory.
    """
    if outside is None and has_outside(plan.cells):
        try:
            outside = read_outside(store, plan.study.name)
        except DamagedImport as error:
            raise StudyNotFound(str(error)) from None
    imported = {} if outside is None else dict(outside.runs(plan.cells))
    runs = {key: imported.get(key) or _load_run(store, key) for key in plan.runs()}
    given = {arm.cell: plan.references.get(arm.environment) for arm in plan.arms}
    for key, run in runs.items():
        own = given[key.cell]
        if own is not None:
            runs[key] = replace(run, reference=Reference.of(own))
    ended = {
        key: arithmetic_of(run.record)
        for key, run in runs.items()
        if run.status in ENDED and key not in imported
    }
    for key in other_arithmetic(plan, ended):
        runs[key] = replace(runs[key], status=OTHER_ARITHMETIC, tables={})
    return StudyRuns(plan, runs, store.root, command)


def _load_run(store: Store, key: RunKey) -> Run:
    if CELL.fullmatch(key.cell):
        return Run(key, MISSING, RunRecord(), {})
    record, damage = inspect(store, key)
    if damage is None and record is not None and record.status in ENDED:
        damage = damage_of(store, key)
    if damage is not None:
        return Run(key, UNREADABLE, replace(record or RunRecord(), error=damage), {})
    if record is None or record.status not in ENDED:
        return Run(key, record.status if record else MISSING, record or RunRecord(), {})
    try:
        tables = {name: _columns(store, key, name) for name in READ}
    except (OSError, ValueError) as error:
        return Run(key, UNREADABLE, replace(record, error=str(error)), {})
    learner = LaterColumns(partial(_columns, store, key, "learner"))
    return Run(key, record.status, record, tables, learner=learner)


class LaterColumns(Mapping[str, NDArray[Any]]):
    """A table's columns, read when one is asked for."""

    def __init__(self, read: Callable[[], dict[str, NDArray[Any]]]) -> None:
        self._read = cache(read)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _columns(store: Store, key: RunKey, name: str) -> dict[str, NDArray[Any]]:
    table = store.read_table(key, name)
    lacking = set(TABLES[name]) - set(table.column_names)
    if lacking:
        raise ValueError(f"{name}.parquet lacks {', '.join(sorted(lacking))}")
    return {column: table[column].to_numpy() for column in table.column_names}
