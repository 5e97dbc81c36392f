"""The table of a plan: which difference of each arm a number of seeds can find."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

from analysis.effects.pilot import PlannedContrast
from analysis.tables.table import Cell, Table
from analysis.tables.wording import number, seeds_text


def planning_table(rows: Sequence[PlannedContrast], power: float) -> Table:
    """Return the table of planned contrasts, found with probability `power`; one row at least."""
    asked = rows[0].difference
    headings = ["arm", "environment", "pilot runs of", "pairs", "sd of differences"]
    headings.append(f"found by {rows[0].seeds} seeds")
    if not math.isnan(asked):
        headings.append(f"seeds for a difference of {number(asked)}")
    cells = []
    for row in rows:
        texts = [row.arm, row.environment, row.source, str(row.pairs), number(row.sd)]
        texts.append(number(row.detectable))
        if not math.isnan(asked):
            texts.append(seeds_text(row.needed))
        cells.append([Cell(text) for text in texts])
    note = (
        "Found: the smallest true difference from the baseline that so many seeds find with "
        f"{100 * power:g} % power (paired t test, corrected for all arms of the environment). The "
        "standard deviation of a few pairs is itself uncertain: with 4 of them the true one may be "
        "almost four times as large."
    )
    return Table(
        "What the planned seeds can find",
        headings,
        cells,
        names=3,
        notes=[note],
        values=[asdict(row) for row in rows],
        label="planning",
    )
