"""Two crossed factors at a time: a heat map and an interaction plot of every pair."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.study.plan import Arm
from analysis.effects.design_grid import as_number
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import Drawing
from analysis.figures.intervals import (
    draw_interval,
    draw_line,
    draw_scores,
    filled,
    score_label,
    score_reference,
    side_by_side,
)
from analysis.figures.labels import add_legend
from analysis.figures.style import WIDTH, ArmStyle, draw_references, factor_styles, luminance
from analysis.statistics import Estimate, Sample, mean
from analysis.tables.wording import better_direction, estimate_text, interval_text

FactorLevels = tuple[str, Sequence[str]]
"""A factor's name and its levels in the order of the axis."""
COLORS = {"higher": "cividis", "lower": "cividis_r"}
"""Of a heat map, by which direction of the score is better."""
BLACK, WHITE = "#000000", "#ffffff"
"""On the colors of a heat map, which are the same on a dark page."""


@dataclass(frozen=True)
class Point:
    """Each seed's mean over the arms of two levels `[R]`, NaN for a seed that lacks one of them.

    `mean` is that over seeds; `full`: drawn as significant.
    """

    scores: Sample
    mean: Estimate
    full: bool


Points = Mapping[tuple[str, ...], Point]
"""By level of the first factor and level of the second."""


def interaction_plot(results: StudyResults, environment: str) -> Drawing:
    """Return heat map and interaction plot of every pair of factors that are crossed completely."""
    grid = results.grids[environment]
    pairs = [
        (one, two, arms)
        for one, two in itertools.combinations(grid.factors, 2)
        if (arms := grid.crossed(one, two)) is not None
    ]
    if not pairs:
        return None
    height = 0.9 + 0.42 * max(len(grid.factors[one]) for one, _, _ in pairs)
    figure = Figure(figsize=(WIDTH, max(2.7, height) * len(pairs)), layout="constrained")
    axes = figure.subplots(len(pairs), 2, squeeze=False)
    by_arm = {row.arm.name: row for row in results.of_environment(environment)}
    texts = []
    for (left, right), (one, two, arms) in zip(axes, pairs, strict=True):
        points = {
            # A point over several settings of other factors is of no single arm.
            levels: _point(results, of, full=len(of) == 1 and filled(by_arm[of[0].name]))
            for levels, of in arms.items()
        }
        rows, columns = (one, _ordered(grid.factors[one])), (two, _ordered(grid.factors[two]))
        _heat_map(left, points, rows, columns, COLORS[better_direction(results.score)])
        styles = factor_styles(results.runs, one, grid.factors[one])
        _lines(right, results.score, points, rows, columns, styles)
        right.set_ylabel(score_label(results.score, 32))
        draw_references([right], score_reference(results, environment))
        texts += [
            f"{one}={levels[0]}, {two}={levels[1]}: {interval_text(point.mean)}, n = {point.mean.n}"
            for levels, point in points.items()
        ]
    return figure, "; ".join(texts) + "."


def _point(results: StudyResults, arms: Sequence[Arm], full: bool) -> Point:
    scores: Sample = np.mean([results.runs.scores(arm, results.score) for arm in arms], axis=0)
    return Point(scores, mean(scores), full)


def _ordered(levels: Sequence[str]) -> Sequence[str]:
    """Return levels that are numbers in ascending order, others as they are."""
    numbers = {level: value for level in levels if (value := as_number(level)) is not None}
    return sorted(levels, key=numbers.__getitem__) if len(numbers) == len(levels) else levels


def _heat_map(
    axis: Axes, points: Points, rows: FactorLevels, columns: FactorLevels, colors: str
) -> None:
    values = np.array([[points[row, column].mean.value for column in columns[1]] for row in rows[1]])
    image = axis.imshow(np.ma.masked_invalid(values), cmap=colors, aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        shown = points[rows[1][y], columns[1][x]].mean
        dark = np.isfinite(value) and luminance(image.cmap(image.norm(value))) < 0.2
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5}
        axis.text(
            x, y, f"{estimate_text(shown)}\n(n={shown.n})", color=WHITE if dark else BLACK, **style
        )
    axis.set_xticks(range(len(columns[1])), columns[1])
    axis.set_yticks(range(len(rows[1])), rows[1])
    axis.set(xlabel=columns[0], ylabel=rows[0])
    axis.set_title("lighter is better", fontsize=8, loc="right")


def _lines(
    axis: Axes,
    score: str,
    points: Points,
    rows: FactorLevels,
    columns: FactorLevels,
    styles: Mapping[str, ArmStyle],
) -> None:
    """Draw a line for each level of the first factor along the levels of the second."""
    for row, offset in zip(rows[1], side_by_side(len(rows[1]), 0.12), strict=True):
        style = styles[row]
        of_row = {at + offset: points[row, column] for at, column in enumerate(columns[1])}
        draw_line(axis, ((x, point.mean) for x, point in of_row.items()), style, f"{rows[0]}={row}")
        for x, point in of_row.items():
            draw_scores(axis, score, point.scores, x, style.color)
            draw_interval(axis, x, point.mean, style, point.full)
    axis.set_xticks(range(len(columns[1])), columns[1])
    axis.set_xlabel(columns[0])
    add_legend(axis)
