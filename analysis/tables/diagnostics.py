"""The table of diagnostics by arm: each arm's effect on the score next to its diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.diagnostics import SHOWN_DIAGNOSTICS, arm_diagnostics
from analysis.effects.study_results import StudyResults
from analysis.statistics import Estimate, Sample
from analysis.tables.columns import interval_cell, interval_columns, provenance_line
from analysis.tables.table import Cell, Table
from analysis.tables.wording import score_description

UNDEFINED = "not defined"

ByArm = Mapping[str, Mapping[str, Sample]]
"""Arm -> diagnostic -> its values `[R]`."""


def diagnostics_table(results: StudyResults, environment: str) -> Table | None:
    """Return an environment's diagnostics by arm, or None where no run has any."""
    arms = results.runs.arms(environment)
    measured: ByArm = {arm.name: arm_diagnostics(results.runs, arm) for arm in arms}
    names = list(dict.fromkeys(name for diagnostics in measured.values() for name in diagnostics))
    shown = [name for name in SHOWN_DIAGNOSTICS if name in names]
    if set(shown) <= {"evaluation_variation"}:
        return None
    rows, values = [], []
    for comparison in results.of_environment(environment):
        name, effect = comparison.arm.name, comparison.difference
        means = {key: _mean(measured[name], key) for key in names}
        cells = [interval_cell(means[key], missing=UNDEFINED) for key in shown]
        effect_cell = Cell("") if effect is None else interval_cell(effect, signed=True)
        rows.append([Cell(name, value=name), effect_cell, *cells])
        first = {"row": name, "n": comparison.mean.n} | interval_columns("difference", effect)
        values.append(first | _columns(means))
    correlations = {key: _rank_correlation(results, arms, measured, key) for key in names}
    n = max(interval.n for interval in correlations.values())
    cells = [interval_cell(correlations[key], signed=True, missing=UNDEFINED) for key in shown]
    rows.append([Cell(f"rank correlation with the score ({n} runs)"), Cell(""), *cells])
    values.append({"row": "rank correlation", "n": n} | _columns(correlations))
    score = score_description(results.runs, results.score)
    return Table(
        f"Diagnostics by arm, {arms[0].env_id}: {score}, and diagnostics; estimate [95 % interval]",
        ["arm", "difference from baseline", *(SHOWN_DIAGNOSTICS[key].heading for key in shown)],
        rows,
        notes=[*_notes(shown), *_missing(results, arms), provenance_line(results.runs)],
        values=values,
        label="diagnostics",
    )


def _columns(intervals: Mapping[str, Estimate]) -> dict[str, Any]:
    return {
        key: value
        for name, interval in intervals.items()
        for key, value in interval_columns(name, interval).items()
    }


def _mean(diagnostics: Mapping[str, Sample], name: str) -> Estimate:
    sample = diagnostics.get(name, np.array([]))
    return statistics.mean(sample)


def _rank_correlation(
    results: StudyResults, arms: Sequence[Arm], measured: ByArm, name: str
) -> Estimate:
    """Return a diagnostic's rank correlation with the score over the runs of all configurations."""
    once = {arm.cell: arm for arm in arms}.values()
    diagnostic = np.concatenate(
        [measured[arm.name].get(name, np.full(len(arm.seeds), np.nan)) for arm in once]
    )
    scores = np.concatenate([results.runs.scores(arm, results.score) for arm in once])
    return statistics.rank_correlation(diagnostic, scores)


def _missing(results: StudyResults, arms: Sequence[Arm]) -> list[str]:
    """Return a note of the diagnostics that failed in runs, with the exception of each."""
    failed: dict[str, list[str]] = {}
    for arm in arms:
        for run in results.runs.of_arm(arm):
            for name, error in run.record.failed_diagnostics.items():
                names = failed.setdefault(f"{name} ({error})", [])
                names += [arm.name] if arm.name not in names else []
    return [f"Diagnostic missing: {what}, in {'; '.join(arms)}." for what, arms in failed.items()]


def _notes(shown: Sequence[str]) -> list[str]:
    columns = [SHOWN_DIAGNOSTICS[name] for name in shown]
    meanings = "; ".join(f"{column.heading}: {column.meaning}" for column in columns)
    return [
        f"{meanings}. Each is the mean over the rows of a run, then over runs, with Student's t "
        "interval; the CSV has every diagnostic.",
        "The last row is Spearman's correlation between a diagnostic and the score over the runs of "
        "all arms, with Fisher's interval, which takes runs as independent. It is an association: arms "
        "differ in more than one diagnostic, and none was varied alone. It says which diagnostics go "
        "with the score, not which cause it.",
    ]
