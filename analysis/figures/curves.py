"""Curves with bands, a panel per factor: learning, steps to threshold, performance profiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablation.results.load import StudyRuns
from ablation.results.references import Reference
from ablation.study.plan import Arm
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import Drawing
from analysis.figures.labels import add_legend
from analysis.figures.returns import Line, evaluation_matrix, return_curves
from analysis.figures.style import (
    ArmStyle,
    arm_styles,
    better,
    draw_references,
    panel_grid,
    panels,
    references_text,
)
from analysis.statistics import Estimate, performance_profile
from analysis.statistics.intervals import wilson
from analysis.tables.wording import axis_label, interval_text

PROFILE_POINTS = 101
Array = NDArray[np.float64]


def reached_threshold_line(runs: StudyRuns, arm: Arm) -> Line | None:
    """Return the fraction of runs that reached the threshold by each step, None without a threshold."""
    scored = [run.scores for run in runs.of_arm(arm) if not math.isnan(run.scores["reached_threshold"])]
    steps, _ = evaluation_matrix(runs, arm)
    if not scored or not len(steps):
        return None
    when = np.array([s["steps_to_threshold"] if s["reached_threshold"] else math.inf for s in scored])
    counts = (when[:, None] <= steps).sum(axis=0).tolist()
    return _line(steps, [wilson(count, len(scored)) for count in counts], len(scored))


def profile_line(
    runs: StudyRuns, arm: Arm, score: str, thresholds: Array, normalized: bool
) -> Line | None:
    """Return the fraction of an arm's runs with score > x, for each x of `thresholds` `[T]`.

    Normalized: over all environments.
    """
    arms = [other for other in runs.plan.arms if other.name == arm.name] if normalized else [arm]
    samples = [runs.scores(each, score, normalized) for each in arms]
    samples = [sample[~np.isnan(sample)] for sample in samples]
    if any(len(sample) == 0 for sample in samples):
        return None
    n = sum(len(sample) for sample in samples)
    return _corners(_line(thresholds, performance_profile(samples, thresholds), n))


def learning_curves(results: StudyResults, environment: str, seeds: bool = False) -> Drawing:
    """Return the learning curves of an environment; with `seeds` of single runs, too."""
    runs = results.runs
    curves = return_curves(runs, environment)
    if curves is None:
        return None
    lines = {arm.name: curves.line(arm) for arm in runs.arms(environment)}
    figure = small_multiples(
        runs,
        environment,
        lambda arm: lines[arm.name],
        curves.axis_labels,
        single_runs=seeds,
        reference=curves.reference,
    )
    return figure, f"Mean {curves.returns} at the end: {_last(lines)}{references_text(curves.reference)}"


def steps_to_threshold(results: StudyResults, environment: str) -> Drawing:
    """Return the fraction of runs that reached the solved threshold by each step."""
    runs = results.runs
    lines = {arm.name: reached_threshold_line(runs, arm) for arm in runs.arms(environment)}
    if not any(lines.values()):
        return None
    axis_labels = ("environment steps", "fraction of runs that reached\nthe threshold (↑ better)")
    figure = small_multiples(
        runs, environment, lambda arm: lines[arm.name], axis_labels, drawstyle="steps-post", band=0.07
    )
    return figure, "Fraction of runs that reached the threshold by the end: " + _last(lines)


def performance_profiles(results: StudyResults, environment: str | None) -> Drawing:
    """Return the fraction of runs with score > x; normalized over all environments if it is None."""
    found = profile_lines(results, environment)
    if found is None:
        return None
    lines, axis_labels = found
    figure = small_multiples(
        results.runs,
        environment or results.runs.environments[0],
        lambda arm: lines[arm.name],
        axis_labels,
        band=0.07,
    )
    texts = [f"{name} {_median(line):.3g}" for name, line in lines.items() if line is not None]
    return figure, "Score that half of the runs exceed: " + ", ".join(texts) + "."


def profile_lines(
    results: StudyResults, environment: str | None
) -> tuple[dict[str, Line | None], tuple[str, str]] | None:
    """Return the performance profile of every arm by name, and the labels of the axes."""
    runs, score, normalized = results.runs, results.score, environment is None
    arms = runs.arms(environment or runs.environments[0])
    values = np.concatenate(
        [runs.scores(arm, score, normalized) for arm in (runs.plan.arms if normalized else arms)]
    )
    values = values[~np.isnan(values)]
    if not len(values) or np.ptp(values) == 0:
        return None
    thresholds = np.linspace(values.min() - 0.02 * np.ptp(values), values.max(), PROFILE_POINTS)
    lines = {arm.name: profile_line(runs, arm, score, thresholds, normalized) for arm in arms}
    x_label = f"x: {axis_label(score)}{', normalized' if normalized else ''}"
    return lines, (x_label, f"fraction of runs with score > x\n{better(score, vertical=True)}")


def draw_arms(
    axis: Axes,
    runs: StudyRuns,
    environment: str,
    line_of: Callable[[Arm], Line | None],
    axis_labels: tuple[str, str],
    single_runs: bool = False,
) -> None:
    """Draw the lines of all arms of an environment into given axes."""
    styles = arm_styles(runs)
    for arm in runs.arms(environment):
        line = line_of(arm)
        text = arm.name if line is None else f"{arm.name} (n={line.n})"
        _draw_line(axis, line, text, styles[arm.name], "default", single_runs, 0.07)
    axis.set(xlabel=axis_labels[0], ylabel=axis_labels[1])
    add_legend(axis)


def small_multiples(
    runs: StudyRuns,
    environment: str,
    line_of: Callable[[Arm], Line | None],
    axis_labels: tuple[str, str],
    *,
    single_runs: bool = False,
    drawstyle: str = "default",
    band: float = 0.13,
    reference: Reference | None = None,
) -> Figure:
    """Return a panel for each factor: its arms and the baseline, each a line with a band."""
    arms, baseline, styles = runs.arms(environment), runs.baseline(environment), arm_styles(runs)
    members_of = panels(runs, arms)
    figure, axes = panel_grid(len(members_of), shared=True)
    lines = {arm.name: line_of(arm) for arm in arms}
    sizes = {line.n for line in lines.values() if line is not None}
    for axis, (title, members) in zip(axes, members_of.items(), strict=True):
        for name, arm in {baseline.name: baseline, **members}.items():
            line = lines[arm.name]
            text = name if line is None or len(sizes) == 1 else f"{name} (n={line.n})"
            _draw_line(axis, line, text, styles[arm.name], drawstyle, single_runs, band)
        axis.set_title(title)
        add_legend(axis)
        axis.margins(x=0.01)
    draw_references(axes, reference)
    n = f" (n = {sizes.pop()} runs of each arm)" if len(sizes) == 1 else ""
    figure.supxlabel(axis_labels[0] + n, fontsize=9)
    figure.supylabel(axis_labels[1], fontsize=9)
    return figure


def _draw_line(
    axis: Axes,
    line: Line | None,
    name: str,
    style: ArmStyle,
    drawstyle: str,
    single_runs: bool,
    band: float,
) -> None:
    if line is None:
        axis.plot([], [], color=style.color, label=f"{name} (missing)")
        return
    if single_runs and line.runs is not None:
        axis.plot(line.x, line.runs.T, color=style.color, lw=0.5, alpha=0.35)
    look: Any = {"drawstyle": drawstyle, "dashes": style.dashes or (None, None)}
    axis.plot(line.x, line.estimate, color=style.color, lw=1.6, label=name, **look)
    step: Any = "post" if drawstyle == "steps-post" else None
    axis.fill_between(line.x, line.low, line.high, step=step, color=style.color, alpha=band, lw=0)


def _line(x: Array, intervals: list[Estimate], n: int) -> Line:
    estimate, low, high = (
        np.array([getattr(part, name) for part in intervals]) for name in ("value", "low", "high")
    )
    return Line(x, estimate, low, high, n)


def _corners(line: Line) -> Line:
    """Return a line without the points between equal neighbors."""
    kept = np.ones(len(line.x), bool)
    kept[1:-1] = (np.diff(line.estimate)[:-1] != 0) | (np.diff(line.estimate)[1:] != 0)
    return Line(line.x[kept], line.estimate[kept], line.low[kept], line.high[kept], line.n)


def _last(lines: dict[str, Line | None]) -> str:
    texts = [
        f"{name} missing" if line is None else f"{name} {interval_text(_end(line))}, n = {line.n}"
        for name, line in lines.items()
    ]
    return "; ".join(texts) + "."


def _end(line: Line) -> Estimate:
    return Estimate(float(line.estimate[-1]), float(line.low[-1]), float(line.high[-1]), line.n)


def _median(line: Line) -> float:
    above = np.flatnonzero(line.estimate > 0.5)
    return float(line.x[above[-1]]) if len(above) else float(line.x[0])
