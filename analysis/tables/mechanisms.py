"""The why table: each arm's effect on the score next to what its replay did to batches and networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ablation.results.scores import SCORES
from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.mechanisms import SHOWN, mechanisms
from analysis.effects.study_results import Results
from analysis.statistics import Interval, Sample
from analysis.tables.table import Cell, Table, ends, footer, plain

UNDEFINED = "not defined"

ByArm = Mapping[str, Mapping[str, Sample]]


def why_table(results: Results, environment: str) -> Table | None:
    """Return an environment's why table, or None where no run has diagnostics."""
    arms = results.runs.arms(environment)
    found: ByArm = {arm.name: mechanisms(results.runs, arm) for arm in arms}
    names = list(dict.fromkeys(name for measured in found.values() for name in measured))
    shown = [name for name in SHOWN if name in names]
    if set(shown) <= {"evaluation_variation"}:
        return None
    rows, values = [], []
    for comparison in results.of_environment(environment):
        intervals = {name: _mean(found[comparison.arm.name], name) for name in names}
        effect = comparison.difference
        rows.append(
            [
                Cell(comparison.arm.name, value=comparison.arm.name),
                Cell("") if effect is None else plain(effect, signed=True),
                *(plain(intervals[name], missing=UNDEFINED) for name in shown),
            ]
        )
        flat: dict[str, Any] = {"row": comparison.arm.name, "n": comparison.mean.n}
        flat |= ends("difference", effect)
        values.append(flat | {k: v for name in names for k, v in ends(name, intervals[name]).items()})
    associated = {name: _association(results, arms, found, name) for name in names}
    most = max(interval.n for interval in associated.values())
    cells = [plain(associated[name], signed=True, missing=UNDEFINED) for name in shown]
    rows.append([Cell(f"rank correlation with the score ({most} runs)"), Cell(""), *cells])
    flat = {"row": "rank correlation", "n": most}
    values.append(flat | {k: v for name in names for k, v in ends(name, associated[name]).items()})
    return Table(
        f"Why: {SCORES[results.score].description} and mechanisms, {arms[0].env_id}; estimate "
        "[95 % interval]",
        ["arm", "difference from baseline", *(SHOWN[name].heading for name in shown)],
        rows,
        notes=[*_notes(shown), footer(results.runs)],
        values=values,
        label="why",
    )


def _mean(measured: Mapping[str, Sample], name: str) -> Interval:
    sample = measured.get(name, np.array([]))
    return statistics.mean(sample[~np.isnan(sample)])


def _association(results: Results, arms: list[Arm], found: ByArm, name: str) -> Interval:
    """Return the rank correlation over all runs; arms that share a cell count once."""
    once = {arm.cell: arm for arm in arms}.values()
    seeds = len(results.runs.plan.study.seeds)
    missing = np.full(seeds, np.nan)
    measured = np.concatenate([found[arm.name].get(name, missing) for arm in once])
    scores = np.concatenate([results.runs.scores(arm, results.score) for arm in once])
    return statistics.rank_correlation(measured, scores)


def _notes(shown: list[str]) -> list[str]:
    meanings = "; ".join(f"{SHOWN[name].heading}: {SHOWN[name].meaning}" for name in shown)
    return [
        f"{meanings}. Each is the mean over the rows of a run, then over runs, with Student's t "
        "interval; the CSV has every diagnostic.",
        "The last row is Spearman's correlation between a mechanism and the score over the runs of "
        "all arms, with Fisher's interval, which takes runs as independent. It is an association: arms "
        "differ in more than one mechanism, and none of them was set by itself. It says which "
        "mechanisms go with the score, not which cause it.",
    ]
