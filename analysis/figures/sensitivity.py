"""Sensitivity by arm: the score against a tuned or crossed factor, with a line for each arm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.results.load import StudyRuns
from ablation.study.plan import Arm
from analysis.effects.comparisons import Comparison
from analysis.effects.design_grid import DesignGrid, as_number
from analysis.effects.study_results import StudyResults
from analysis.figures.dose_response import MIN_LEVELS
from analysis.figures.draw import Drawing
from analysis.figures.intervals import (
    draw_interval,
    draw_line,
    draw_scores,
    filled,
    score_bounds,
    score_label,
    score_reference,
    side_by_side,
    within_reach,
)
from analysis.figures.labels import add_legend
from analysis.figures.style import (
    PAPER,
    WIDTH,
    ArmStyle,
    arm_styles,
    draw_references,
    factor_styles,
)
from analysis.statistics import Estimate, Sample, mean
from analysis.tables.wording import interval_text

ARM_OFFSET = 0.16
"""Horizontal offset of the first and the last arm's points from their level, in steps between levels."""


@dataclass(frozen=True)
class ArmCurve:
    """An arm's score by level; where it was tuned, the chosen level and its score on fresh seeds.

    `significant` has the levels whose score differs significantly from the baseline's; `runs` the
    score of every run `[R]` by level, without those on tuning seeds.
    """

    by_level: Mapping[str, Estimate]
    style: ArmStyle
    significant: frozenset[str] = frozenset()
    chosen: str | None = None
    fresh: Estimate = field(default_factory=Estimate.missing)
    runs: Mapping[str, Sample] = field(default_factory=dict)


Curves = tuple[str, Sequence[str], dict[str, ArmCurve]]
"""A factor, its levels in order, and a curve for each arm by its name."""


def sensitivity_by_arm(results: StudyResults, environment: str) -> Drawing:
    """Return the score against the tuned factor, or a crossed numeric one, with a line for each arm.

    Scores on tuning seeds are lines; those on fresh seeds at the chosen level are large markers.
    """
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axis = figure.subplots()
    description = draw_sensitivity(axis, results, environment)
    legend = axis.get_legend()
    if legend is not None:
        lines = sum(text.get_text().count("\n") + 1 for text in legend.get_texts())
        figure.set_figheight(max(figure.get_figheight(), 0.18 * lines + 1))
    return None if description is None else (figure, description)


def draw_sensitivity(axis: Axes, results: StudyResults, environment: str) -> str | None:
    """Draw that into given axes and return its text description; None if there is nothing to draw."""
    factor_curves = _tuned_curves(results, environment) or _crossed_curves(results, environment)
    if factor_curves is None:
        return None
    factor, order, curves = factor_curves
    levels = [level for level in order if any(level in curve.by_level for curve in curves.values())]
    offsets = side_by_side(len(curves), ARM_OFFSET)
    for at, (name, curve) in enumerate(curves.items()):
        x_of = {level: x + offsets[at] for x, level in enumerate(levels)}
        _draw_arm(axis, x_of, name, curve)
        for level, scores in curve.runs.items():
            draw_scores(axis, results.score, scores, x_of[level], curve.style.color)
    axis.set_xticks(range(len(levels)), levels)
    axis.set(xlabel=factor, ylabel=score_label(results.score, 36))
    draw_references([axis], score_reference(results, environment))
    add_legend(axis, title=_legend_title(curves), title_fontsize=8, alignment="left")
    return " ".join(_description(name, curve) for name, curve in curves.items())


def _draw_arm(axis: Axes, x_of: Mapping[str, float], name: str, curve: ArmCurve) -> None:
    style, tuned = curve.style, curve.chosen is not None
    points = {level: point for level, point in curve.by_level.items() if point.n}
    sizes = sorted({point.n for point in points.values()})
    n = f"n={sizes[0]}" if len(sizes) == 1 else f"n={sizes[0]} to {sizes[-1]}" if sizes else "missing"
    label = f"{name} ({n}" + (f", then {curve.fresh.n})" if tuned else ")")
    draw_line(axis, ((x_of[level], point) for level, point in points.items()), style, label)
    for level, point in points.items():
        x = x_of[level]
        axis.plot([x] * 2, [point.low, point.high], color=style.color, lw=0.8, alpha=0.6)
        if not tuned:
            face = style.color if level in curve.significant else PAPER
            axis.plot(x, point.value, style.marker, color=style.color, mfc=face, ms=4.5)
    if curve.chosen is not None and curve.fresh.n:
        x, level = x_of[curve.chosen], curve.chosen
        draw_interval(axis, x, curve.fresh, style, level in curve.significant)


def _tuned_curves(results: StudyResults, environment: str) -> Curves | None:
    """Return the tuned factor, its levels, and each arm's tuning curve with its score on fresh seeds."""
    study = results.runs.plan.study
    tuning = results.runs.tuning
    if study.tune is None or tuning is None:
        return None
    factor = study.tune.factor
    styles, bounds = arm_styles(results.runs), score_bounds(results, environment)
    chosen = {x.arm: x.level for x in results.runs.plan.choices if x.environment == environment}
    order = list(tuning.plan.study.factors[factor].overrides())
    curves = {}
    for row in results.of_environment(environment):
        name = row.arm.name
        means = {
            arm.levels[factor]: _mean(tuning, arm, results.score, bounds)
            for arm in tuning.arms(environment)
            if arm.candidate_of == name
        }
        if means:
            by_level = {level: means[level] for level in order if level in means}
            level = chosen.get(name)
            significant = frozenset([level] if level is not None and filled(row) else [])
            fresh = _fresh(results, row, bounds)
            runs = {} if level is None else {level: results.runs.scores(row.arm, results.score)}
            curves[name] = ArmCurve(by_level, styles[name], significant, level, fresh, runs)
    return (factor, order, curves) if curves else None


def _crossed_curves(results: StudyResults, environment: str) -> Curves | None:
    """Return the numeric crossed factor with most levels, these, and a curve for each other arm."""
    grid = results.grids[environment]
    factor = _longest_numeric_factor(grid)
    if factor is None or not grid.complete:
        return None
    order = sorted(grid.factors[factor], key=lambda level: as_number(level) or math.nan)
    rows = {row.arm.name: row for row in results.of_environment(environment)}
    curves: dict[str, dict[str, Comparison]] = {}
    for level in order:
        for key, arm in grid.arm_at.items():
            levels = dict(zip(grid.factors, key, strict=True))
            if levels.pop(factor) == level:
                others = ", ".join(f"{name}={value}" for name, value in levels.items())
                curves.setdefault(others, {})[level] = rows[arm.name]
    others = next((name for name in grid.factors if name != factor), factor)
    styles = factor_styles(results.runs, others, list(curves))
    bounds = score_bounds(results, environment)
    curve_of = {
        name: ArmCurve(
            {level: _fresh(results, row, bounds) for level, row in of_level.items()},
            styles[name],
            frozenset(level for level, row in of_level.items() if filled(row)),
            runs={level: results.runs.scores(row.arm, results.score) for level, row in of_level.items()},
        )
        for name, of_level in curves.items()
    }
    return factor, order, curve_of


def _longest_numeric_factor(grid: DesignGrid) -> str | None:
    sizes = {
        name: len(levels)
        for name, levels in grid.factors.items()
        if len(levels) >= MIN_LEVELS and all(as_number(level) for level in levels)
    }
    return max(sizes, key=sizes.__getitem__) if sizes else None


def _mean(runs: StudyRuns, arm: Arm, score: str, bounds: tuple[float, float] | None) -> Estimate:
    scores = runs.scores(arm, score)
    return within_reach(mean(scores), scores, bounds)


def _fresh(results: StudyResults, row: Comparison, bounds: tuple[float, float] | None) -> Estimate:
    return within_reach(row.mean, results.runs.scores(row.arm, results.score), bounds)


def _legend_title(curves: Mapping[str, ArmCurve]) -> str | None:
    tuned = any(curve.chosen for curve in curves.values())
    return "line: tuning seeds\nmarker: fresh seeds, chosen level" if tuned else None


def _description(name: str, curve: ArmCurve) -> str:
    points = "; ".join(
        f"{level} {interval_text(point)}, n = {point.n}" for level, point in curve.by_level.items()
    )
    if curve.chosen is None:
        return f"{name}: {points}."
    fresh = f"{interval_text(curve.fresh)}, n = {curve.fresh.n}"
    return f"{name}, tuning seeds: {points}; chosen {curve.chosen}, fresh seeds: {fresh}."
