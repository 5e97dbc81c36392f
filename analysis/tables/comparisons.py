"""Three more tables of a study: over all environments, each arm in detail, crossed factors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analysis.effects.study_results import StudyResults
from analysis.effects.verdict_rule import verdict_notes
from analysis.tables.columns import (
    comparison_columns,
    interval_cell,
    interval_columns,
    p_value_cell,
)
from analysis.tables.coverage import undercoverage_notes
from analysis.tables.table import Cell, Table
from analysis.tables.tuned import tuned_cells, tuned_columns, tuned_headings, tuned_notes
from analysis.tables.wording import interval_text, number, p_value_text, score_description, seeds_text

IMPROVEMENT = "P(arm > baseline)"
COMPARISON_NOTES = {
    "paired difference": "Paired: within a seed, Student's t",
    "unpaired difference": "unpaired: Welch's t",
    "correlation": "correlation: of arm and baseline",
    "p (permutation)": "p (permutation): sign-flip test of the paired differences, not corrected",
    "min. detectable effect": "min. detectable effect: the smallest true difference that so many runs "
    "find with 80 % power after correction",
    "seeds to find the difference": "seeds to find the difference: how many find a true one of the "
    "estimate's size, likewise",
}
"""What the columns of comparisons are, by heading."""


def aggregate_table(results: StudyResults) -> Table:
    """Return the table of normalized scores over all environments, aggregated as rliable does."""
    rows, environments = results.across, len(results.environments)
    labels = {"mean": "mean", "median": "median", "iqm": "IQM", "optimality_gap": "optimality gap"}
    if environments == 1:
        del labels["median"]  # The median over one environment is its mean.
    cells, values = [], []
    for row in rows:
        improvement = row.improvement
        cells.append(
            [
                Cell(row.name),
                *(interval_cell(row.aggregates[label]) for label in labels),
                Cell("") if improvement is None else interval_cell(improvement),
            ]
        )
        flat: dict[str, Any] = {"arm": row.name}
        for label, interval in [*row.aggregates.items(), ("improvement", improvement)]:
            flat |= interval_columns(label, interval)
        values.append(flat)
    median = "the median is over environments; " if environments > 1 else ""
    note = (
        "Normalized from 0, random actions, to 1, the environment's solved threshold "
        f"(its file's or that of ablation/results/references.csv); {median}optimality gap: how far "
        "below 1 runs are on average; expanded percentile intervals of a bootstrap within environments. "
        f"{IMPROVEMENT}: how often a run is better than one of the baseline, with Newcombe's interval."
    )
    # The ablation table of one environment already has the note on its IQM.
    measured: tuple[str, ...] = ("optimality gap", "improvement")
    if environments > 1:
        measured = ("iqm of 3 tasks", "mean of 3 tasks", "median of 3 tasks", "improvement over 3 tasks")
    smallest = min((row.aggregates["mean"].n // environments for row in rows), default=0)
    return Table(
        f"{'All environments together' if environments > 1 else 'Normalized'}: "
        f"{score_description(results.runs, results.score)}, from random actions (0) to solved (1)",
        ["arm", *labels.values(), IMPROVEMENT],
        cells,
        label="aggregates",
        notes=[note, *undercoverage_notes(dict.fromkeys(measured, smallest))],
        values=values,
    )


def comparison_table(results: StudyResults) -> Table:
    """Return the table of each arm against its baseline, with every difference and p-value."""
    headings = [
        "paired difference",
        "correlation",
        "unpaired difference",
        "p (Holm)",
        "p (permutation)",
        IMPROVEMENT,
        "min. detectable effect",
        "seeds to find the difference",
        *tuned_headings(results),
    ]
    several_environments = len(results.environments) > 1
    comparisons = results.comparisons
    rows = []
    for row in comparisons:
        if row.difference is None or row.unpaired is None or row.improvement is None:
            continue
        where = [Cell(row.arm.env_id)] if several_environments else []
        rows.append(
            [
                Cell(row.arm.name),
                *where,
                interval_cell(row.difference, signed=True) if row.paired else Cell(""),
                Cell(number(row.correlation) if row.paired else "", value=row.correlation),
                interval_cell(row.unpaired, signed=True),
                p_value_cell(row.p_value, row.significant),
                Cell(p_value_text(row.permutation) if row.judged else "", value=row.permutation),
                interval_cell(row.improvement),
                Cell(number(row.detectable), value=row.detectable),
                Cell(seeds_text(row.seeds_to_find), value=row.seeds_to_find),
                *tuned_cells(results, row.arm),
            ]
        )
    names = ["arm", "environment"] if several_environments else ["arm"]
    table = Table(
        "Each arm against the baseline",
        [*names, *headings],
        rows,
        names=len(names),
        label="comparisons",
        values=[
            comparison_columns(row) | tuned_columns(results, row.arm)
            for row in comparisons
            if row.difference is not None
        ],
    )
    known = "; ".join(text for name, text in COMPARISON_NOTES.items() if name in table.headings)
    return replace(
        table,
        notes=[
            f"{known[:1].upper()}{known[1:]}.",
            *verdict_notes((row.difference for row in comparisons), results.runs.plan),
            *tuned_notes(results),
        ],
    )


def effects_table(results: StudyResults) -> Table:
    """Return main effects and interactions of a design that crosses factors, and what they leave out."""
    several_environments = len(results.environments) > 1
    rows, values = [], []
    for effect in results.effects:
        name = " x ".join(f"{factor}={level}" for factor, level in effect.levels.items())
        where = [Cell(effect.environment)] if several_environments else []
        kind = "main effect" if len(effect.levels) == 1 else "interaction"
        estimate = interval_text(effect.difference, signed=True)
        shown = Cell(estimate, effect.significant, value=effect.difference.value)
        n, p_value = Cell(str(effect.difference.n)), p_value_cell(effect.p_value)
        rows.append([Cell(name), *where, Cell(kind), shown, n, p_value])
        values.append(
            {"effect": name, "environment": effect.environment, "kind": kind}
            | interval_columns("difference", effect.difference)
            | {"n": effect.difference.n, "p_holm": effect.p_value}
        )
    note = (
        "Main effect: a level minus the baseline's, averaged over the other factors; interaction: the "
        "change of that difference with the other level; within seeds, Student's t; p corrected by "
        "Holm's method over all effects."
    )
    differences = (effect.difference for effect in results.effects)
    without_verdict = verdict_notes(differences, results.runs.plan)
    names = ["effect", *(["environment"] if several_environments else []), "kind"]
    return Table(
        "Main effects and interactions",
        [*names, "difference", "n", "p (Holm)"],
        rows,
        names=len(names),
        label="effects",
        notes=[note, *without_verdict, *results.pruned_levels],
        values=values,
    )
