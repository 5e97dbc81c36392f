"""Two crossed factors at a time: a heat map and an interaction plot of every pair."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.study.plan import Arm
from analysis.effects.design_grid import as_number
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import Drawing
from analysis.figures.style import add_legend, style_at
from analysis.statistics import Estimate, mean
from analysis.tables.wording import axis_label, interval_text, number

FactorLevels = tuple[str, Sequence[str]]
"""A factor's name and its levels in the order of the axis."""
Means = Mapping[tuple[str, ...], Estimate]
"""(level of the first factor, level of the second) -> mean over seeds."""


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
    figure = Figure(figsize=(8.4, max(2.7, height) * len(pairs)), layout="constrained")
    axes = figure.subplots(len(pairs), 2, squeeze=False)
    texts = []
    for (left, right), (one, two, arms) in zip(axes, pairs, strict=True):
        means = {levels: _mean(results, crossed) for levels, crossed in arms.items()}
        rows, columns = _ordered(grid.factors[one]), _ordered(grid.factors[two])
        _heat_map(left, means, (one, rows), (two, columns))
        _lines(right, means, (one, rows), (two, columns))
        right.set_ylabel(axis_label(results.score))
        texts += [
            f"{one}={levels[0]}, {two}={levels[1]}: {interval_text(interval)}, n = {interval.n}"
            for levels, interval in means.items()
        ]
    return figure, "; ".join(texts) + "."


def _mean(results: StudyResults, arms: Sequence[Arm]) -> Estimate:
    """Return the mean over seeds of the arms' mean, from the seeds that have all of them."""
    values = np.mean([results.runs.scores(arm, results.score) for arm in arms], axis=0)
    return mean(values)


def _ordered(levels: Sequence[str]) -> Sequence[str]:
    """Return levels that are numbers in ascending order, others as they are."""
    numbers = {level: value for level in levels if (value := as_number(level)) is not None}
    return sorted(levels, key=numbers.__getitem__) if len(numbers) == len(levels) else levels


def _heat_map(axis: Axes, means: Means, rows: FactorLevels, columns: FactorLevels) -> None:
    import seaborn as sns

    cells = [[means[row, column] for column in columns[1]] for row in rows[1]]
    values = np.array([[cell.value for cell in row] for row in cells])
    texts = np.array([[f"{number(cell.value)}\n(n={cell.n})" for cell in row] for row in cells])
    sns.heatmap(
        values,
        annot=texts,
        fmt="",
        cmap="cividis",
        ax=axis,
        xticklabels=columns[1],
        yticklabels=rows[1],
        annot_kws={"size": 7},
        cbar=False,
        mask=np.isnan(values),
    )
    axis.set_xlabel(columns[0])
    axis.set_ylabel(rows[0])
    axis.tick_params(axis="y", rotation=0)


def _lines(axis: Axes, means: Means, rows: FactorLevels, columns: FactorLevels) -> None:
    """Draw a line for each level of the first factor along the levels of the second."""
    offsets = np.linspace(-0.08, 0.08, len(rows[1])) if len(rows[1]) > 1 else [0.0]
    for at, row in enumerate(rows[1]):
        points = [means[row, column] for column in columns[1]]
        style = style_at(at)
        x = np.arange(len(columns[1])) + offsets[at]
        (line,) = axis.plot(x, [point.value for point in points], color=style.color, lw=1.2)
        line.set(marker=style.marker, markersize=4, label=f"{rows[0]}={row}")
        line.set_dashes(style.dashes or (None, None))
        for position, point in zip(x, points, strict=True):
            axis.plot([position] * 2, [point.low, point.high], color=style.color, lw=1)
    axis.set_xticks(range(len(columns[1])), columns[1])
    axis.set_xlabel(columns[0])
    add_legend(axis)
