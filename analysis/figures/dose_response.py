"""Hyperparameter sensitivity: the score against the levels of every numeric factor."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from ablation.study.plan import Arm
from analysis.effects.design_grid import DesignGrid, as_number
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import Drawing
from analysis.figures.intervals import draw_interval, draw_scores, filled, score_label, score_reference
from analysis.figures.style import FAINT, arm_styles, draw_references, panel_grid
from analysis.tables.wording import interval_text

MIN_LEVELS = 3
"""Levels that a curve needs."""

NumericLevels = Mapping[float, tuple[str, Arm]]
"""A level as a number -> its name in the study, and its arm."""


def dose_response(results: StudyResults) -> Drawing:
    """Return the score against every numeric factor, a panel for each, on a logarithmic axis."""
    shown = [
        (environment, factor, levels)
        for environment, grid in results.grids.items()
        for factor in grid.factors
        if (levels := numeric_levels(grid, factor))
    ]
    if not shown:
        return None
    figure, axes = panel_grid(len(shown))
    texts = [_dose_panel(results, axis, *panel) for axis, panel in zip(axes, shown, strict=True)]
    figure.supylabel(score_label(results.score, 30), fontsize=9)
    return figure, " ".join(texts)


def numeric_levels(grid: DesignGrid, factor: str) -> NumericLevels:
    """Return a factor's levels in ascending order; nothing unless there are three, all numbers."""
    levels = {}
    for level, arm in grid.along(factor).items():
        value = as_number(level)
        if value is None:
            return {}
        levels[value] = level, arm
    return dict(sorted(levels.items())) if len(levels) >= MIN_LEVELS else {}


def _dose_panel(
    results: StudyResults, axis: Axes, environment: str, factor: str, levels: NumericLevels
) -> str:
    """Draw one factor's panel and return its text description."""
    by_arm = {row.arm.name: row for row in results.of_environment(environment)}
    rows = {value: by_arm[arm.name] for value, (_, arm) in levels.items() if by_arm[arm.name].mean.n > 0}
    points = {value: row.mean for value, row in rows.items()}
    styles = arm_styles(results.runs)
    axis.plot(list(points), [point.value for point in points.values()], color=FAINT, lw=1, zorder=0)
    for value, row in rows.items():
        style = styles[row.arm.name]
        scores = results.runs.scores(row.arm, results.score)
        draw_scores(axis, results.score, scores, value, style.color)
        draw_interval(axis, value, row.mean, style, filled(row))
    axis.set_xscale("log")
    axis.set_xticks(list(points), [levels[value][0] for value in points], minor=False)
    axis.minorticks_off()
    env_id = results.runs.arms(environment)[0].env_id
    axis.set(xlabel=factor, title=f"{factor}, {env_id}")
    draw_references([axis], score_reference(results, environment))
    texts = [
        f"{levels[value][0]}: {interval_text(point)}, n = {point.n}" for value, point in points.items()
    ]
    return f"{factor} on {env_id}: {'; '.join(texts)}."
