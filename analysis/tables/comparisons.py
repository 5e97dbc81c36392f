"""The tables beside the ablation table: all environments, each arm in detail, crossed factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ablation.results.scores import SCORES
from analysis.effects.comparisons import AcrossEnvironments, Comparison, Effect
from analysis.tables.table import Cell, Table, ends, numbers, plain
from analysis.tables.wording import interval_text, number, p_text, shortfalls


def aggregate_table(rows: Sequence[AcrossEnvironments], score: str, environments: int) -> Table:
    """Return the table of normalised scores over all environments, as rliable defines them."""
    labels = {"mean": "mean", "median": "median", "iqm": "IQM", "optimality_gap": "optimality gap"}
    if environments == 1:
        del labels["median"]  # It is over environments: of one it is the mean.
    cells, values = [], []
    for row in rows:
        improvement = row.improvement
        cells.append(
            [
                Cell(row.name),
                *(plain(row.aggregates[label]) for label in labels),
                Cell("") if improvement is None else plain(improvement),
            ]
        )
        flat: dict[str, Any] = {"arm": row.name}
        for label, interval in [*row.aggregates.items(), ("improvement", improvement)]:
            flat |= ends(label, interval)
        values.append(flat)
    median = "the median is over environments; " if environments > 1 else ""
    note = (
        "Normalised from 0, random actions, to 1, the environment's solved threshold "
        f"(ablation/results/references.csv); {median}optimality gap: how far below 1 "
        "runs are on average; expanded percentile intervals of a bootstrap within environments. "
        "P(improvement): how often a run scores above one of the baseline, with Newcombe's interval."
    )
    measured: tuple[str, ...] = ("iqm", "optimality gap", "improvement")
    if environments > 1:
        measured = ("iqm of 3 tasks", "mean of 3 tasks", "median of 3 tasks", "improvement over 3 tasks")
    smallest = min((row.aggregates["mean"].n // environments for row in rows), default=0)
    return Table(
        f"{'All environments together' if environments > 1 else 'Normalised'}: "
        f"{SCORES[score].description}, from random actions (0) to solved (1)",
        ["arm", *labels.values(), "P(improvement)"],
        cells,
        label="aggregates",
        notes=[note, *shortfalls(dict.fromkeys(measured, smallest))],
        values=values,
    )


def comparison_table(comparisons: Sequence[Comparison], several_environments: bool) -> Table:
    """Return everything that is said of each arm against its baseline."""
    headings = [
        "paired difference",
        "correlation",
        "unpaired difference",
        "p (Holm)",
        "p (permutation)",
        "P(improvement)",
        "detectable",
    ]
    rows = []
    for row in comparisons:
        if row.difference is None or row.unpaired is None or row.improvement is None:
            continue
        where = [Cell(row.arm.env_id)] if several_environments else []
        rows.append(
            [
                Cell(row.arm.name),
                *where,
                plain(row.difference, signed=True),
                Cell(number(row.correlation), value=row.correlation),
                plain(row.unpaired, signed=True),
                Cell(p_text(row.p_value), row.resolved, value=row.p_value),
                Cell(p_text(row.permutation), value=row.permutation),
                plain(row.improvement),
                Cell(number(row.detectable), value=row.detectable),
            ]
        )
    note = (
        "Paired: within a seed, Student's t; unpaired: Welch's t; correlation: of arm and baseline; "
        "p (permutation): signs of the paired differences flipped, not corrected; detectable: the true "
        "difference that so many runs would have told from zero with 80 % power after the correction."
    )
    names = ["arm", "environment"] if several_environments else ["arm"]
    return Table(
        "Each arm against the baseline",
        [*names, *headings],
        rows,
        names=len(names),
        label="comparisons",
        notes=[note],
        values=[numbers(row) for row in comparisons if row.difference is not None],
    )


def effects_table(effects: Sequence[Effect], several_environments: bool) -> Table:
    """Return main effects and interactions of a design that crosses factors."""
    rows, values = [], []
    for effect in effects:
        what = " x ".join(f"{name}={level}" for name, level in effect.levels.items())
        where = [Cell(effect.environment)] if several_environments else []
        kind = "main effect" if len(effect.levels) == 1 else "interaction"
        p_value = Cell(p_text(effect.p_value), value=effect.p_value)
        estimate = interval_text(effect.difference, signed=True)
        shown = Cell(estimate, effect.resolved, value=effect.difference.estimate)
        rows.append([Cell(what), *where, Cell(kind), shown, Cell(str(effect.difference.n)), p_value])
        values.append(
            {"effect": what, "environment": effect.environment, "kind": kind}
            | ends("difference", effect.difference)
            | {"n": effect.difference.n, "p_holm": effect.p_value}
        )
    note = (
        "Main effect: a level minus the baseline's, averaged over the other factors; interaction: by "
        "how much that changes with the other level; within seeds, Student's t; p corrected by Holm's "
        "method over all of them."
    )
    names = ["effect", *(["environment"] if several_environments else []), "kind"]
    return Table(
        "Main effects and interactions",
        [*names, "difference", "n", "p (Holm)"],
        rows,
        names=len(names),
        label="effects",
        notes=[note],
        values=values,
    )
