"""The ablation table of a study: arms, or their components as check marks, by environments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from ablation.study.declaration import BASELINE
from ablation.study.plan import Arm
from analysis.effects.comparisons import Comparison
from analysis.effects.design_grid import ABSENT
from analysis.effects.study_results import StudyResults
from analysis.tables.columns import comparison_columns, interval_cell, p_value_cell
from analysis.tables.notes import ablation_notes, is_share
from analysis.tables.side_columns import PublishedNumbers, SideColumns
from analysis.tables.table import Cell, Footnotes, Table
from analysis.tables.tuned import tuned_columns
from analysis.tables.wording import interval_text, missing_text, score_description

CHECK, CROSS = "✓", "–"
AT_LEAST = "≥ "
Layout = Literal["auto", "arms", "components"]


def ablation_table(
    results: StudyResults,
    layout: Layout = "auto",
    published: PublishedNumbers | None = None,
) -> Table:
    """Return the table of a study: arms (or their components as check marks) by environments.

    `published` has numbers of the score to put beside.
    """
    runs, score, comparisons = results.runs, results.score, results.comparisons
    environments = runs.environments
    footnotes, sides = Footnotes(), SideColumns(runs, published or {})
    components = layout == "components" or (layout == "auto" and _has_only_components(results))
    name_headings, name_cells = _name_columns(results, components, footnotes)
    columns = _score_headings(score, several=len(environments) > 1)
    rows = [
        [*name_cells[name], *_arm_cells(by_environment, name, environments, columns, sides, footnotes)]
        for name, by_environment in _by_name(comparisons).items()
    ]
    columns = [*sides.headings_before, *columns, *sides.headings_after]
    groups = [("", len(name_headings))]
    groups += [(runs.arms(environment)[0].env_id, len(columns)) for environment in environments]
    return Table(
        f"Study {runs.plan.study.name}: {score_description(runs, score)}; estimate [95 % interval]",
        [*name_headings, *columns * len(environments)],
        rows,
        groups if len(environments) > 1 else [],
        len(name_headings),
        footnotes.texts(),
        [*sides.notes, *ablation_notes(results, comparisons, "IQM" in columns)],
        [
            comparison_columns(row) | tuned_columns(results, row.arm) | sides.values(row.arm)
            for row in comparisons
        ],
    )


def _by_name(comparisons: Sequence[Comparison]) -> dict[str, dict[str, Comparison]]:
    """Return the comparisons by arm, then by environment."""
    by_name: dict[str, dict[str, Comparison]] = {}
    for row in comparisons:
        by_name.setdefault(row.arm.name, {})[row.arm.environment] = row
    return by_name


def _score_headings(score: str, several: bool) -> list[str]:
    estimate = "share" if is_share(score) else "mean"
    iqm = [] if several or is_share(score) else ["IQM"]
    return [f"{estimate} (n)", *iqm, "difference from baseline", "p (Holm)"]


def _arm_cells(
    by_environment: Mapping[str, Comparison],
    name: str,
    environments: Sequence[str],
    columns: list[str],
    sides: SideColumns,
    footnotes: Footnotes,
) -> list[Cell]:
    """Return an arm's cells of all environments, without its name."""
    return [
        cell
        for environment in environments
        for cell in [
            *sides.before(environment, name, footnotes),
            *_score_cells(by_environment.get(environment), columns, footnotes),
            *sides.after(environment, name, footnotes),
        ]
    ]


def _score_cells(row: Comparison | None, columns: list[str], footnotes: Footnotes) -> list[Cell]:
    """Return an arm's cells in one environment; dashes where the study has no such arm."""
    if row is None:
        return [Cell(CROSS, marks=footnotes.mark("not part of the study in this environment"))] + [
            Cell(CROSS) for _ in columns[1:]
        ]
    marks = "".join(footnotes.mark(text) for text in _remarks(row))
    prefix = AT_LEAST if row.censored else ""
    text = prefix + interval_text(row.mean, missing=missing_text(row.statuses))
    text += f" ({row.mean.n})" if row.mean.n else ""
    cells = [Cell(text, row.among_best, marks, row.mean.value)]
    if "IQM" in columns:
        cells.append(interval_cell(row.interquartile_mean, missing=""))
    return [*cells, *_difference_cells(row, footnotes)]


def _difference_cells(row: Comparison, footnotes: Footnotes) -> list[Cell]:
    """Return the cells of the difference from the baseline and its p-value, empty for the baseline."""
    difference = row.difference
    if difference is None:
        return [Cell(""), Cell("")]
    marks = ""
    if row.paired and 0 < difference.n < row.mean.n:
        marks = footnotes.mark(f"over the {difference.n} seeds that arm and baseline both have")
    text = interval_text(difference, signed=True, missing="") + ("*" if row.significant else "")
    return [Cell(text, marks=marks, value=difference.value), p_value_cell(row.p_value)]


def _remarks(row: Comparison) -> list[str]:
    """Return the footnotes of an arm's runs: missing, diverged, unscored and censored ones."""
    total = sum(row.statuses.values())
    statuses = Counter(row.statuses)
    remarks = []
    lacking = {name: n for name, n in statuses.items() if name not in ("complete", "diverged")}
    if lacking:
        counts = ", ".join(f"{n} {name}" for name, n in lacking.items())
        remarks.append(f"of {total} runs {counts}")
    if statuses["diverged"]:
        remarks.append(f"{statuses['diverged']} of {total} runs diverged; scored by the rows until then")
    unscored = statuses["complete"] + statuses["diverged"] - row.mean.n
    if unscored:
        remarks.append(f"{unscored} of {total} runs ended without the data that this score needs")
    if row.censored:
        remarks.append(
            f"{row.censored} of {row.mean.n} runs never reached the threshold: their length counts"
        )
    return remarks


def _name_columns(
    results: StudyResults, components: bool, footnotes: Footnotes
) -> tuple[list[str], dict[str, list[Cell]]]:
    """Return the headings of the columns that identify an arm, and each arm's cells in them."""
    runs = results.runs
    marks = _merged_marks(results, footnotes)
    arms = {arm.name: arm for arm in reversed(runs.plan.arms)}
    if not components:
        return ["arm"], {name: [_name_cell(arm, marks.get(name, ""))] for name, arm in arms.items()}
    factors = list(results.grids[runs.environments[0]].factors)
    return factors, {
        name: [Cell(name, value=name), *(Cell("") for _ in factors[1:])]
        if runs.beside_ours(arm)
        else _component_cells(results.grids[arm.environment].levels_of(arm), marks.get(name, ""))
        for name, arm in arms.items()
    }


def _name_cell(arm: Arm, marks: str) -> Cell:
    """Return the cell of an arm's name; the page marks the row whose value is `baseline`."""
    if arm.role == BASELINE and arm.name != BASELINE:
        return Cell(f"{arm.name} ({BASELINE})", marks=marks, value=BASELINE)
    return Cell(arm.name, marks=marks, value=arm.name)


def _component_cells(levels: Sequence[str], mark: str) -> list[Cell]:
    return [
        Cell(CROSS if level.lower() in ABSENT else CHECK, marks="" if at else mark, value=level)
        for at, level in enumerate(levels)
    ]


def _merged_marks(results: StudyResults, footnotes: Footnotes) -> dict[str, str]:
    """Return the mark of each arm into which other combinations were merged."""
    marks: dict[str, str] = {}
    for arm in results.runs.plan.arms:
        also = [
            merged.name
            for merged in results.runs.plan.merged
            if (merged.into, merged.environment) == (arm.name, arm.environment)
        ]
        if also:
            names = "; ".join(dict.fromkeys(also))
            marks[arm.name] = footnotes.mark(f"also {names}: identical configuration (merged)")
    return marks


def _has_only_components(results: StudyResults) -> bool:
    grids = list(results.grids.values())
    same = len({tuple(grid.factors) for grid in grids}) == 1
    return same and all(grid.has_only_components for grid in grids)
