"""Two crossed factors at a time: a heat map and an interaction plot of every pair."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.study.plan import Arm
from analysis.effects.design_grid import as_number
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import Drawing
from analysis.figures.intervals import draw_interval, draw_seeds, filled, score_reference
from analysis.figures.style import (
    WIDTH,
    ArmStyle,
    add_legend,
    better,
    draw_references,
    factor_styles,
    luminance,
)
from analysis.statistics import Estimate, Sample, mean
from analysis.tables.wording import axis_label, interval_text, number

FactorLevels = tuple[str, Sequence[str]]
"""A factor's name and its levels in the order of the axis."""
Means = Mapping[tuple[str, ...], Estimate]
"""(level of the first factor, level of the second) -> mean over seeds."""
BLACK, WHITE = "#000000", "#ffffff"
"""On the colors of a heat map, which are the same on a dark page."""


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
        scores = {levels: _scores(results, crossed) for levels, crossed in arms.items()}
        means = {levels: mean(values) for levels, values in scores.items()}
        rows, columns = _ordered(grid.factors[one]), _ordered(grid.factors[two])
        _heat_map(left, means, (one, rows), (two, columns))
        styles = factor_styles(results.runs, one, grid.factors[one])
        # A point over several settings of other factors is of no single arm.
        full = {key for key, of in arms.items() if len(of) == 1 and filled(by_arm[of[0].name])}
        _lines(right, scores, full, (one, rows), (two, columns), styles)
        label = f"{axis_label(results.score)} {better(results.score, vertical=True)}"
        right.set_ylabel(textwrap.fill(label, 32))
        draw_references([right], score_reference(results, environment))
        texts += [
            f"{one}={levels[0]}, {two}={levels[1]}: {interval_text(interval)}, n = {interval.n}"
            for levels, interval in means.items()
        ]
    return figure, "; ".join(texts) + "."


def _scores(results: StudyResults, arms: Sequence[Arm]) -> Sample:
    """Return each seed's mean over the arms `[R]`, NaN for a seed that lacks one of them."""
    values: Sample = np.mean([results.runs.scores(arm, results.score) for arm in arms], axis=0)
    return values


def _ordered(levels: Sequence[str]) -> Sequence[str]:
    """Return levels that are numbers in ascending order, others as they are."""
    numbers = {level: value for level in levels if (value := as_number(level)) is not None}
    return sorted(levels, key=numbers.__getitem__) if len(numbers) == len(levels) else levels


def _heat_map(axis: Axes, means: Means, rows: FactorLevels, columns: FactorLevels) -> None:
    values = np.array([[means[row, column].value for column in columns[1]] for row in rows[1]])
    image = axis.imshow(np.ma.masked_invalid(values), cmap="cividis", aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        n = means[rows[1][y], columns[1][x]].n
        dark = np.isfinite(value) and luminance(image.cmap(image.norm(value))) < 0.2
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5}
        axis.text(x, y, f"{number(value)}\n(n={n})", color=WHITE if dark else BLACK, **style)
    axis.set_xticks(range(len(columns[1])), columns[1])
    axis.set_yticks(range(len(rows[1])), rows[1])
    axis.set(xlabel=columns[0], ylabel=rows[0])


def _lines(
    axis: Axes,
    scores: Mapping[tuple[str, ...], Sample],
    full: Collection[tuple[str, ...]],
    rows: FactorLevels,
    columns: FactorLevels,
    styles: Mapping[str, ArmStyle],
) -> None:
    """Draw a line for each level of the first factor along the levels of the second."""
    offsets = np.linspace(-0.12, 0.12, len(rows[1])) if len(rows[1]) > 1 else [0.0]
    for at, row in enumerate(rows[1]):
        style, keys = styles[row], [(row, column) for column in columns[1]]
        points = [mean(scores[key]) for key in keys]
        xs = np.arange(len(keys)) + offsets[at]
        label = f"{rows[0]}={row}"
        (line,) = axis.plot(
            xs, [point.value for point in points], color=style.color, lw=1.2, label=label
        )
        line.set_dashes(style.dashes or (None, None))
        for x, key, point in zip(xs, keys, points, strict=True):
            draw_seeds(axis, np.full(len(scores[key]), x), scores[key], style.color)
            draw_interval(axis, x, point, style, key in full)
    axis.set_xticks(range(len(columns[1])), columns[1])
    axis.set_xlabel(columns[0])
    add_legend(axis)
