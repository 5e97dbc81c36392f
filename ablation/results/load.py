"""Reads a study from the store: its plan, its runs, and the rows that they stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.results.arithmetic import OTHER_ARITHMETIC, arithmetic_of, other_arithmetic
from ablation.results.references import reference
from ablation.results.scores import SCORES, RunRows, score_run
from ablation.store.files import read_json
from ablation.store.run_record import ENDED, MISSING, RunRecord
from ablation.store.runs import TABLES, RunKey, Store
from ablation.study.plan import Arm, Plan, plan_from_json
from ablation.study.sizes import DEFAULT_SIZE

if TYPE_CHECKING:
    import pandas as pd

RESULTS = "results"
UNREADABLE = "unreadable"
READ = ("episodes", "evaluations")


class StudyNotFound(Exception):
    """There is no plan of that name, or none that can be read."""


@dataclass(frozen=True)
class Run:
    """One run: its record (empty if none is stored), its rows by table and column if it ended."""

    key: RunKey
    status: str
    record: RunRecord
    tables: dict[str, dict[str, NDArray[Any]]]

    @cached_property
    def rows(self) -> RunRows | None:
        """Return what the scores are computed from, or None for a run without data that counts."""
        if self.status not in ENDED:
            return None
        # References are those of an environment's own time limit.
        own_limit = self.record.setting("env", "time_limit") is None
        env_id, env_steps = self.record.setting("env", "id"), self.record.setting("train", "env_steps")
        return RunRows(
            self.tables["episodes"],
            self.tables["evaluations"],
            str(env_id or "") if own_limit else "",
            env_steps if isinstance(env_steps, int) else None,
        )

    @cached_property
    def scores(self) -> dict[str, float]:
        """Return every score, NaN where the run has no rows to compute it from."""
        if self.rows is None:
            return dict.fromkeys(SCORES, float("nan"))
        return {name: score_run(name, self.rows) for name in SCORES}


@dataclass(frozen=True)
class StudyRuns:
    """A study's plan and its runs, by cell and seed."""

    plan: Plan
    runs: dict[RunKey, Run]
    root: Path
    command: str

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
        values = np.array([run.scores[name] for run in self.of_cell(arm)])
        if not normalized:
            return values
        limited = self.plan.cells.get(arm.cell, {}).get("env", {}).get("time_limit") is not None
        scale = None if limited else reference(arm.env_id)
        if scale is None or SCORES[name].unit != "return":
            return np.full(len(values), np.nan)
        return np.array([scale.normalize(value) for value in values])

    def statuses(self, arm: Arm) -> dict[str, int]:
        """Return how many of an arm's runs have each status."""
        return dict(Counter(run.status for run in self.of_cell(arm)))

    def scores_frame(self) -> pd.DataFrame:
        """Return a row per run: arm, environment, seed, status, the arm's levels, every score.

        The levels of a factor that is named like another column, as `seed`, are in `factor seed`.
        """
        import pandas as pd

        rows = []
        for arm, run in self._pairs():
            row = self._names(arm, run) | {"status": run.status}
            taken = {*row, *SCORES}
            levels = {f"factor {x}" if x in taken else x: level for x, level in arm.levels.items()}
            rows.append(row | levels | run.scores)
        return pd.DataFrame(rows)

    def evaluations_frame(self) -> pd.DataFrame:
        """Return a row per run and evaluation episode, with the columns of the store's table."""
        return self._rows_frame("evaluations")

    def episodes_frame(self) -> pd.DataFrame:
        """Return a row per run and training episode, with the columns of the store's table."""
        return self._rows_frame("episodes")

    def _rows_frame(self, table: str) -> pd.DataFrame:
        import pandas as pd

        frames = [
            pd.DataFrame(self._names(arm, run) | run.tables[table])
            for arm, run in self._pairs()
            if run.rows is not None
        ]
        names = ["arm", "environment", "seed", *TABLES[table]]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)

    def _pairs(self) -> Iterator[tuple[Arm, Run]]:
        for arm in self.plan.arms:
            for run in self.of_cell(arm):
                yield arm, run

    def _names(self, arm: Arm, run: Run) -> dict[str, Any]:
        return {"arm": arm.name, "environment": arm.env_id, "seed": run.key.seed}


def load(study: str, root: Path | str = RESULTS) -> StudyRuns:
    """Return a study with all of its runs; raises `StudyNotFound` with the known names.

    The bare name of a study that has sizes stands for its `quick` one.
    """
    store = Store(root)
    path = _plan_path(store, study)
    values = read_json(path)
    if values is None:
        raise StudyNotFound(_not_found(store, study, path))
    try:
        plan = plan_from_json(values)
    # Whatever may be wrong with a file that was edited or is another version's.
    except Exception as error:
        raise StudyNotFound(f"{path} is no plan that this version reads: {error}") from None
    return read(plan, store, str(values.get("command", "")))


def _plan_path(store: Store, study: str) -> Path:
    path = store.study_directory(study) / "plan.json"
    sized = store.study_directory(f"{study}-{DEFAULT_SIZE}") / path.name
    return sized if sized.exists() and not path.exists() else path


def _not_found(store: Store, study: str, path: Path) -> str:
    if path.exists():
        return f"{path} cannot be read; `make plan STUDY={study}` shows the plan anew"
    known = sorted(path.parent.name for path in store.root.glob("studies/*/plan.json"))
    there = f"there are: {', '.join(known)}" if known else "no study was swept here yet"
    return f"no study '{study}' below {store.root / 'studies'}; {there}"


def read(plan: Plan, store: Store, command: str = "") -> StudyRuns:
    """Return a plan with all the runs that it asks for; those that are not stored are `missing`.

    Runs whose arithmetic is not that of most others have no rows: nothing mixes them with the rest.
    """
    runs = {key: _load_run(store, key) for key in plan.runs()}
    ended = {key: arithmetic_of(run.record) for key, run in runs.items() if run.status in ENDED}
    for key in other_arithmetic(plan, ended):
        runs[key] = replace(runs[key], status=OTHER_ARITHMETIC, tables={})
    return StudyRuns(plan, runs, store.root, command)


def _load_run(store: Store, key: RunKey) -> Run:
    record = store.read_record(key)
    if record is None:
        reason = store.why_unreadable(key)
        return Run(key, UNREADABLE if reason else MISSING, RunRecord(error=reason), {})
    status = record.status or UNREADABLE
    if status not in ENDED:
        return Run(key, status, record, {})
    try:
        altered = store.altered_tables(key, READ)
        if altered:
            raise ValueError(f"{', '.join(altered)}: not the file that run.json has the checksum of")
        tables = {name: _columns(store, key, name) for name in READ}
    except (OSError, ValueError) as error:
        return Run(key, UNREADABLE, replace(record, error=str(error)), {})
    return Run(key, status, record, tables)


def _columns(store: Store, key: RunKey, name: str) -> dict[str, NDArray[Any]]:
    table = store.read_table(key, name)
    lacking = set(TABLES[name]) - set(table.column_names)
    if lacking:
        raise ValueError(f"{name}.parquet lacks {', '.join(sorted(lacking))}")
    return {column: table[column].to_numpy() for column in table.column_names}
