"""When a change matters: its effect against the moment of the run at which it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.study.designs import FORK
from ablation.study.plan import Arm
from analysis.effects.comparisons import Comparison
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import Drawing
from analysis.figures.effects import seed_differences
from analysis.figures.intervals import (
    draw_interval,
    draw_line,
    draw_seeds,
    filled,
    score_label,
    side_by_side,
)
from analysis.figures.labels import add_legend
from analysis.figures.style import FAINT, WIDTH, ArmStyle, arm_styles, change, style_at
from analysis.tables.wording import interval_text

OFFSET = 0.012
"""Horizontal offset of the first and last change from their moment, in shares of the run."""

ByMoment = Mapping[float, Comparison]
"""The moments of a change, as shares of the run, and its comparison with the baseline."""


def effect_by_moment(results: StudyResults, environment: str) -> Drawing:
    """Return each change's difference from the baseline against the moment of the change.

    Markers are filled where it is significant, points are single runs. Arms that have it from their
    first step on stand at 0. None without forked arms.
    """
    changes = changes_by_moment(results, environment)
    if not changes:
        return None
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axis = figure.subplots()
    axis.axhline(0, color=FAINT, lw=1, zorder=0)
    offsets, styles = side_by_side(len(changes), OFFSET), arm_styles(results.runs)
    for at, (name, moments) in enumerate(changes.items()):
        color = styles[next(iter(moments.values())).arm.name].color
        style = replace(style_at(at), color=color)
        _draw_change(axis, name, moments, style, offsets[at])
        for moment, row in moments.items():
            seeds = seed_differences(results, row)
            draw_seeds(axis, np.full(len(seeds), moment + offsets[at]), seeds, color)
    ticks = sorted({moment for moments in changes.values() for moment in moments})
    axis.set_xticks(ticks, [f"{moment:.0%}" if moment else "start" for moment in ticks])
    axis.set(xlabel="moment of the change, share of the run")
    axis.set_ylabel(score_label(results.score, 32, "difference from the baseline: "))
    add_legend(axis)
    return figure, " ".join(_description(name, moments) for name, moments in changes.items())


def changes_by_moment(results: StudyResults, environment: str) -> dict[str, ByMoment]:
    """Return the changes that forks make, named by their levels, with their moments in order."""
    rows = [row for row in results.of_environment(environment) if row.difference is not None]
    names = dict.fromkeys(change(row.arm) for row in rows if FORK in row.arm.levels)
    changes: dict[str, ByMoment] = {}
    for name in names:
        moments = {_moment(row.arm): row for row in rows if change(row.arm) == name}
        changes[name] = dict(sorted(moments.items()))
    return changes


def _moment(arm: Arm) -> float:
    return float(arm.levels.get(FORK, 0))


def _draw_change(axis: Axes, name: str, moments: ByMoment, style: ArmStyle, offset: float) -> None:
    shown = {at + offset: row for at, row in moments.items()}
    points = {x: row.difference for x, row in shown.items() if row.difference and row.difference.n}
    draw_line(axis, points.items(), style, name, marker=style.marker)
    for x, difference in points.items():
        draw_interval(axis, x, difference, style, filled(shown[x]))


def _description(name: str, moments: ByMoment) -> str:
    texts = []
    for at, row in moments.items():
        assert row.difference is not None
        where = f"after {at:.0%} of the run" if at else "from the start"
        star = " significant" if row.significant else ""
        texts.append(f"{where} {interval_text(row.difference, signed=True)}{star}")
    return f"{name}: {'; '.join(texts)}."
