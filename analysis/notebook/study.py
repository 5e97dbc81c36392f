"""A study in a notebook: its runs as data frames, its comparisons, tables and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablation.config.near import arms_like, one_of
from ablation.results.load import StudyRuns
from ablation.results.run import Run
from ablation.results.scores import SCORES
from ablation.store.runs import TABLES, RunKey, Store
from ablation.study.plan import Arm
from analysis.effects.comparability import require_comparable
from analysis.effects.comparisons import compare
from analysis.effects.design_grid import design_grid
from analysis.effects.study_results import StudyResults
from analysis.report.errors import RequestError
from analysis.report.report import study_tables
from analysis.tables.columns import comparison_columns
from analysis.tables.comparisons import effects_table
from analysis.tables.table import Table
from analysis.tables.wording import score_description

if TYPE_CHECKING:
    from analysis.notebook.plots import Plots

WIDTH = 100


COLUMNS = {
    *("arm", "environment", "role", "cell", "runs", "complete", "seed", "status"),
    *SCORES,
    *(column for columns in TABLES.values() for column in columns),
}
"""Names of columns that no factor may take."""


class Study:
    """A study's runs and what they allow to conclude; `analysis.load` returns it.

    Frames have a row for each thing named, with the arm, its level of every factor (the baseline's, too)
    and the environment in front. `score` is one of `ablation.results.scores.SCORES` or a function of
    one's own, `package.module:function`; the study's primary one where none is given. What compares runs
    raises `NotComparable` where they differ in environment version, budget, score, device or commit,
    unless `allow` names that.
    """

    def __init__(self, runs: StudyRuns, allow: Collection[str] = (), source: str = "") -> None:
        self.runs = runs
        self._allow = allow
        self._source = source or f"read from {runs.root}"
        self._results: dict[str, StudyResults] = {}

    @property
    def name(self) -> str:
        """Return the study's name."""
        return self.runs.plan.study.name

    @cached_property
    def arms(self) -> pd.DataFrame:
        """Return a row per arm and environment: levels, role, cell, runs asked for, runs complete."""
        rows = [
            self._labels(arm)
            | {"role": arm.role, "cell": arm.cell, "runs": len(arm.seeds)}
            | {"complete": self.runs.statuses(arm).get("complete", 0)}
            for arm in self.runs.plan.arms
        ]
        return pd.DataFrame(rows)

    def run_directory(self, arm: str, seed: int, environment: str | None = None) -> Path:
        """Return where a run's files are; the first environment where none is named.

        Raises `RequestError` for an unknown arm, seed or environment.
        """
        name = environment or self.runs.environments[0]
        arms = {each.name: each for each in self.runs.arms(name)}
        if arm not in arms:
            raise RequestError(f"no arm '{arm}' in {name}; {arms_like(arm, arms)}")
        if seed not in arms[arm].seeds:
            raise RequestError(f"'{arm}' has no seed {seed}; it has: {arms[arm].seeds}")
        return Store(self.runs.root).run_directory(RunKey(arms[arm].cell, seed))

    def scores(self) -> pd.DataFrame:
        """Return a row per run: labels, seed, status, every score (NaN where missing)."""

        def scores(run: Run) -> dict[str, float]:
            return {name: run.score(name) for name in self.runs.score_names}

        rows = [
            self._labels(arm) | {"seed": run.key.seed, "status": run.status} | scores(run)
            for arm in self.runs.plan.arms
            for run in self.runs.of_cell(arm)
        ]
        return pd.DataFrame(rows)

    def evaluations(self) -> pd.DataFrame:
        """Return a row per run and evaluation episode, with the columns of the store's table."""
        return self._rows("evaluations")

    def episodes(self) -> pd.DataFrame:
        """Return a row per run and training episode, with the columns of the store's table."""
        return self._rows("episodes")

    def diagnostics(self) -> pd.DataFrame:
        """Return a row per run and logged step: losses, TD errors, diagnostics (docs/diagnostics.md)."""
        return self._rows("learner")

    def compare(self, baseline: str | None = None, score: str | None = None) -> pd.DataFrame:
        """Return a row per arm and environment: estimates, difference from a baseline, p-values, spread.

        `baseline` is any arm's name; the study's own by default. p-values are corrected by Holm's method
        over the arms of an environment. Raises `RequestError` for an unknown arm or score.
        """
        results = self._of_score(score)
        if baseline is not None and baseline not in set(self.arms["arm"]):
            known = self.arms["arm"].unique()
            there = arms_like(baseline, known)
            raise RequestError(f"no arm '{baseline}'; {there}")
        rows = results.comparisons if baseline is None else compare(self.runs, results.score, baseline)
        return pd.DataFrame([comparison_columns(row) for row in rows])

    def table(self, kind: str = "table", score: str | None = None) -> Table:
        """Return a table that shows itself in notebooks; `.to_latex()`, `.to_markdown()`, `.to_csv()`.

        `kind` is `table` (the ablation table), `comparisons`, `spread`, `effects`, `aggregates`,
        `diagnostics` or one of the study's own. Raises `RequestError` for others.
        """
        tables = study_tables(self._of_score(score))
        if kind not in tables:
            raise RequestError(f"this study has no table '{kind}'; {one_of(kind, tables, 'there are')}")
        return tables[kind]

    def effects(self, score: str | None = None) -> pd.DataFrame:
        """Return a row per main effect and interaction, empty where no factors are crossed."""
        return pd.DataFrame(effects_table(self._of_score(score)).values)

    @cached_property
    def plot(self) -> Plots:
        """Return the figures: `differences`, `curves`, `sensitivity`, `profiles`."""
        from analysis.notebook.plots import Plots

        return Plots(self.runs, self._of_score)

    def __repr__(self) -> str:
        runs, study = self.runs, self.runs.plan.study
        counts = Counter(run.status for run in runs.runs.values())
        statuses = ", ".join(f"{n} {status}" for status, n in counts.items())
        factors = {
            factor: levels
            for environment in runs.environments
            for factor, levels in design_grid(runs, environment).factors.items()
        }
        levels = "; ".join(f"{name}: {', '.join(known)}" for name, known in factors.items())
        lines = (
            f"Study {study.name}: {study.question}",
            f"  plan {runs.plan.hash}, {self._source}",
            f"  environments: {', '.join(runs.environments)}",
            f"  {len({arm.name for arm in runs.plan.arms})} arms; factors {levels or 'none'}",
            f"  {len(runs.runs)} runs, {len(study.seeds)} seeds an arm: {statuses}",
            f"  primary score {study.primary_score}: {score_description(runs, study.primary_score)}",
        )
        return "\n".join(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in lines)

    def _of_score(self, score: str | None) -> StudyResults:
        name = score or self.runs.plan.study.primary_score
        if name not in SCORES:
            raise RequestError(f"no score '{name}'; {one_of(name, SCORES, 'there are')}")
        if name not in self._results:
            mixed = require_comparable(self.runs, self._allow)
            self._results[name] = StudyResults(self.runs, name, mixed)
        return self._results[name]

    @cached_property
    def _levels(self) -> dict[tuple[str, str], dict[str, str]]:
        found = {}
        for environment in self.runs.environments:
            grid = design_grid(self.runs, environment)
            for arm in self.runs.arms(environment):
                levels = dict(zip(grid.factors, grid.levels_of(arm), strict=True))
                found[environment, arm.name] = levels
        return found

    def _labels(self, arm: Arm) -> dict[str, Any]:
        levels = self._levels[arm.environment, arm.name]
        # A factor that is named like another column, as `seed`, has its levels in `factor seed`.
        named = {f"factor {x}" if x in COLUMNS else x: level for x, level in levels.items()}
        return {"arm": arm.name, "environment": arm.env_id} | named

    def _rows(self, table: str) -> pd.DataFrame:
        store, frames = Store(self.runs.root), []
        for arm in self.runs.plan.arms:
            for run in self.runs.of_arm(arm):
                if columns := _columns(store, run, table):
                    frames.append(pd.DataFrame(self._labels(arm) | {"seed": run.key.seed} | columns))
        empty = pd.DataFrame(columns=["arm", "environment", "seed", *TABLES[table]])
        return pd.concat(frames, ignore_index=True) if frames else empty


def _columns(store: Store, run: Run, table: str) -> dict[str, Any]:
    """Return a run's rows of a table by column, from the store where needed; empty if it has none."""
    if table in run.tables:
        return run.tables[table]
    if not (store.run_directory(run.key) / f"{table}.parquet").exists():
        return {}
    stored = store.read_table(run.key, table)
    return {name: stored[name].to_numpy() for name in stored.column_names}
