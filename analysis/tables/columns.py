"""The numbers of comparisons and intervals as cells and as columns of CSV files; their provenance."""

from __future__ import annotations

import math
from typing import Any

from ablation.results.load import StudyRuns
from analysis.effects.comparisons import Comparison
from analysis.effects.spread import Spread
from analysis.statistics import Estimate
from analysis.tables.table import Cell, is_missing
from analysis.tables.wording import interval_text, p_value_text


def comparison_columns(row: Comparison) -> dict[str, Any]:
    """Return a comparison's numbers at full precision by the names of the CSV's columns."""
    columns: dict[str, Any] = {
        "arm": row.arm.name,
        "environment": row.arm.env_id,
        "cell": row.arm.cell,
        "score": row.score,
        "n": row.mean.n,
    }
    columns |= interval_columns("mean", row.mean) | interval_columns("iqm", row.interquartile_mean)
    columns |= spread_columns(row.spread) | interval_columns("difference", row.difference)
    columns |= {"difference_n": row.difference.n if row.difference else None, "p_holm": row.p_value}
    columns |= {"significant": row.significant, "among_best": row.among_best, "censored": row.censored}
    columns |= interval_columns("unpaired", row.unpaired)
    columns |= interval_columns("improvement", row.improvement)
    return columns | {
        "correlation": row.correlation,
        "p_permutation": row.permutation,
        "detectable": row.detectable,
        "seeds_to_find": row.seeds_to_find,
    }


def spread_columns(spread: Spread) -> dict[str, Any]:
    """Return the numbers of an arm's spread by the names of the CSV's columns."""
    return {
        "sd": spread.standard_deviation.value,
        "tolerance_low": spread.tolerance.low,
        "tolerance_high": spread.tolerance.high,
        "tolerance_method": spread.tolerance.method,
    } | interval_columns("failures", spread.failures)


def provenance_line(runs: StudyRuns) -> str:
    """Return the line that names a table's study, plan and commits."""
    commits = {run.record.git_commit[:10] for run in runs.runs.values() if run.record.git_commit}
    outside = [cell["outside"] for cell in runs.plan.cells.values() if "outside" in cell]
    files = ", ".join(sorted({values["data"][:12] for values in outside}))
    imported = f", runs from elsewhere (sha256 {files})" if outside else ""
    return (
        f"Study {runs.plan.study.name}, plan {runs.plan.hash}{imported}, "
        f"commit {', '.join(sorted(commits)) or 'unknown'}."
    )


def interval_cell(interval: Estimate, signed: bool = False, missing: str = "missing") -> Cell:
    """Return a cell that shows an interval and sorts by its estimate."""
    return Cell(interval_text(interval, signed, missing), value=interval.value)


def p_value_cell(p_value: float | None, bold: bool = False) -> Cell:
    """Return a cell that shows a p-value; empty where there is none."""
    return Cell("" if is_missing(p_value) else p_value_text(p_value), bold, value=p_value)


def interval_columns(name: str, interval: Estimate | None) -> dict[str, float | None]:
    """Return an interval as three numbers by name, None for what is missing."""
    parts = {"estimate": "value", "low": "low", "high": "high"}
    return {
        f"{name}_{column}": None
        if interval is None or math.isnan(getattr(interval, part))
        else getattr(interval, part)
        for column, part in parts.items()
    }
