"""The table of spread: standard deviation, tolerance interval and failures of every arm's runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.effects.comparisons import Comparison
from analysis.effects.study_results import StudyResults
from analysis.statistics import runs_for_tolerance
from analysis.tables.columns import interval_cell, interval_columns, spread_columns
from analysis.tables.table import Cell, Footnotes, Table
from analysis.tables.wording import NO_INTERVAL, interval_text, modes_text, number, score_description


def spread_table(results: StudyResults) -> Table:
    """Return the table of how single runs spread, one row for each arm with runs."""
    comparisons, several_environments = results.comparisons, len(results.environments) > 1
    footnotes = Footnotes()
    rows, values = [], []
    for row in comparisons:
        if not row.mean.n:
            continue
        where = [Cell(row.arm.env_id)] if several_environments else []
        spread = row.spread
        rows.append(
            [
                Cell(row.arm.name, value=row.arm.name),
                *where,
                Cell(str(row.mean.n), value=row.mean.n),
                interval_cell(row.mean),
                Cell(number(spread.standard_deviation.value), value=spread.standard_deviation.value),
                _tolerance_cell(row, footnotes),
                Cell(interval_text(spread.failures, missing=""), value=spread.failures.value),
            ]
        )
        values.append(
            {"arm": row.arm.name, "environment": row.arm.env_id, "n": row.mean.n}
            | interval_columns("mean", row.mean)
            | spread_columns(spread)
            | {"two_modes": spread.modes is not None}
        )
    names = ["arm", "environment"] if several_environments else ["arm"]
    note = (
        "The 95 % interval is about the mean, the tolerance interval about single runs: it holds 90 % "
        f"of all runs with 95 % confidence; order statistics need {runs_for_tolerance()} runs and no "
        "assumption. Failures: share of runs below random actions plus 10 % of the way to the solved "
        "threshold, Wilson's interval."
    )
    return Table(
        f"Spread of single runs: {score_description(results.runs, results.score)}",
        [*names, "n", "mean [95 % interval]", "sd", "tolerance (90 % of runs)", "failures"],
        rows,
        names=len(names),
        footnotes=footnotes.texts(),
        notes=[note, *modes_notes(comparisons)],
        values=values,
        label="spread",
    )


def modes_notes(comparisons: Sequence[Comparison]) -> list[str]:
    """Return a note that names the arms whose runs fall into two groups; none without any."""
    texts = [
        modes_text(row.arm.name, row.score, row.spread.modes) for row in comparisons if row.spread.modes
    ]
    return [f"Two groups of runs, which no mean describes: {'; '.join(texts)}."] if texts else []


def _tolerance_cell(row: Comparison, footnotes: Footnotes) -> Cell:
    tolerance = row.spread.tolerance
    if math.isnan(tolerance.low):
        return Cell(NO_INTERVAL, marks=footnotes.mark(tolerance.method))
    mark = ""
    if tolerance.method == "normal":
        mark = footnotes.mark(f"assumes normal scores; {runs_for_tolerance()} runs need no assumption")
    return Cell(f"[{number(tolerance.low)}, {number(tolerance.high)}]", marks=mark, value=tolerance.low)
