"""Effects: forest plots, probability of improvement, dose-response, and two factors at a time."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.results.scores import SCORES
from ablation.study.plan import Arm
from analysis.effects.design_grid import DesignGrid, as_number
from analysis.effects.study_results import Results
from analysis.figures.style import FAINT, PAPER, arm_styles, style
from analysis.statistics import Interval, mean
from analysis.tables.wording import interval_text, number

DOSES = 3
"""Levels that make a dose-response curve."""


def forest_plot(results: Results) -> tuple[Figure, str] | None:
    """Return each arm's difference from the baseline, a panel per environment; filled where resolved."""
    rows = [row for row in results.comparisons if row.difference is not None and row.difference.n > 0]
    intervals = {(row.arm.name, row.arm.env_id): row.difference for row in rows if row.difference}
    filled = {(row.arm.name, row.arm.env_id) for row in rows if row.resolved}
    if not intervals:
        return None
    words = textwrap.fill(SCORES[results.score].description.split(" (")[0], 44)
    figure = _forest(results, intervals, filled, 0.0, f"difference from the baseline:\n{words}")
    texts = [
        f"{name} ({env}) {interval_text(interval, signed=True)}"
        + (" resolved" if (name, env) in filled else "")
        for (name, env), interval in intervals.items()
    ]
    return figure, "Difference from the baseline: " + "; ".join(texts) + ". The rest is not resolved."


def improvement_plot(results: Results) -> tuple[Figure, str] | None:
    """Return how often a run of each arm does better than one of the baseline."""
    intervals = {
        (row.arm.name, row.arm.env_id): row.improvement
        for row in results.comparisons
        if row.improvement is not None and row.improvement.n > 0
    }
    if not intervals:
        return None
    figure = _forest(
        results, intervals, set(), 0.5, "probability to do better than a run of the baseline"
    )
    for axis in figure.axes:
        axis.set_xlim(-0.02, 1.02)
    texts = [f"{name} ({env}) {interval_text(part)}" for (name, env), part in intervals.items()]
    return figure, "Probability to do better than a run of the baseline: " + "; ".join(texts) + "."


def _forest(
    results: Results,
    intervals: dict[tuple[str, str], Interval],
    filled: set[tuple[str, str]],
    nothing: float,
    axis_label: str,
) -> Figure:
    names = list(dict.fromkeys(name for name, _ in intervals))
    environments = list(dict.fromkeys(env for _, env in intervals))
    styles = arm_styles(results.runs)
    size = (3.2 + 3.2 * len(environments), 0.9 + 0.27 * len(names))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(environments), sharey=True, squeeze=False)[0]
    for axis, environment in zip(axes, environments, strict=True):
        axis.axvline(nothing, color=FAINT, lw=1, zorder=0)
        for position, name in enumerate(reversed(names)):
            interval = intervals.get((name, environment))
            if interval is None:
                continue
            look = styles[name]
            axis.plot([interval.low, interval.high], [position] * 2, color=look.colour, lw=1.6)
            face = look.colour if (name, environment) in filled else PAPER
            axis.plot(
                interval.estimate,
                position,
                look.marker,
                color=look.colour,
                markerfacecolor=face,
                ms=5.5,
            )
        axis.set_title(environment if len(environments) > 1 else "")
        axis.set_yticks(range(len(names)), [*reversed(names)])
        axis.set_xlabel(axis_label)
    return figure


def doses(levels: DesignGrid, factor: str) -> dict[float, tuple[str, Arm]]:
    """Return a factor's levels and their arms by them as positive numbers; nothing unless enough are."""
    found = {}
    for level, arm in levels.along(factor).items():
        value = as_number(level)
        if value is None:
            return {}
        found[value] = level, arm
    return dict(sorted(found.items())) if len(found) >= DOSES else {}


def dose_response(results: Results) -> tuple[Figure, str] | None:
    """Return the score against every factor of numbers on a log axis, the baseline's level marked."""
    shown = [
        (environment, factor, found)
        for environment, levels in results.levels.items()
        for factor in levels.factors
        if (found := doses(levels, factor))
    ]
    if not shown:
        return None
    columns = min(2, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(4.2 * columns, 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    texts = [_dose_panel(results, axis, *panel) for axis, panel in zip(axes.flat, shown, strict=False)]
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    return figure, " ".join(texts)


def _dose_panel(
    results: Results, axis: Axes, environment: str, factor: str, found: dict[float, tuple[str, Arm]]
) -> str:
    by_arm = {row.arm.name: row.mean for row in results.of_environment(environment)}
    points = {dose: by_arm[arm.name] for dose, (_, arm) in found.items() if by_arm[arm.name].n > 0}
    styles = arm_styles(results.runs)
    axis.plot(list(points), [point.estimate for point in points.values()], color=FAINT, lw=1, zorder=0)
    for dose, point in points.items():
        look = styles[found[dose][1].name]
        axis.plot([dose] * 2, [point.low, point.high], color=look.colour, lw=1.6)
        axis.plot(dose, point.estimate, look.marker, color=look.colour, ms=5)
    axis.set_xscale("log")
    axis.set_xticks(list(points), [found[dose][0] for dose in points], minor=False)
    axis.minorticks_off()
    axis.set_xlabel(factor)
    axis.set_ylabel(results.score.replace("_", " "))
    env_id = results.runs.arms(environment)[0].env_id
    axis.set_title(f"{factor}, {env_id}")
    texts = [
        f"{found[dose][0]}: {interval_text(point)}, n = {point.n}" for dose, point in points.items()
    ]
    return f"{factor} on {env_id}: {'; '.join(texts)}."


def two_factors(results: Results, environment: str) -> tuple[Figure, str] | None:
    """Return heat map and interaction plot of every pair of factors that are crossed completely."""
    levels = results.levels[environment]
    pairs = [
        (one, two, grid)
        for one, two in itertools.combinations(levels.factors, 2)
        if (grid := levels.crossed(one, two)) is not None
    ]
    if not pairs:
        return None
    height = 0.9 + 0.42 * max(len(levels.factors[one]) for one, _, _ in pairs)
    figure = Figure(figsize=(8.4, max(2.7, height) * len(pairs)), layout="constrained")
    axes = figure.subplots(len(pairs), 2, squeeze=False)
    texts = []
    for (left, right), (one, two, grid) in zip(axes, pairs, strict=True):
        cells = {key: _cell(results, arms) for key, arms in grid.items()}
        rows, columns = _ordered(levels.factors[one]), _ordered(levels.factors[two])
        _heat_map(left, cells, (one, rows), (two, columns))
        _interaction(right, cells, (one, rows), (two, columns), results.score)
        texts += [
            f"{one}={key[0]}, {two}={key[1]}: {interval_text(cell)}, n = {cell.n}"
            for key, cell in cells.items()
        ]
    return figure, "; ".join(texts) + "."


def _cell(results: Results, arms: Sequence[Arm]) -> Interval:
    """Return the mean over seeds of the arms' mean, from the seeds that have all of them."""
    values = np.mean([results.runs.scores(arm, results.score) for arm in arms], axis=0)
    return mean(values[~np.isnan(values)])


Named = tuple[str, list[str]]


def _ordered(levels: list[str]) -> list[str]:
    """Return numbers in their order, words as they are."""
    found = {level: value for level in levels if (value := as_number(level)) is not None}
    return sorted(levels, key=found.__getitem__) if len(found) == len(levels) else levels


def _heat_map(axis: Axes, cells: dict[tuple[str, ...], Interval], down: Named, along: Named) -> None:
    import seaborn as sns

    values = np.array([[cells[row, column].estimate for column in along[1]] for row in down[1]])
    texts = np.array(
        [[f"{number(cells[r, c].estimate)}\n(n={cells[r, c].n})" for c in along[1]] for r in down[1]]
    )
    sns.heatmap(
        values,
        annot=texts,
        fmt="",
        cmap="cividis",
        ax=axis,
        xticklabels=along[1],
        yticklabels=down[1],
        annot_kws={"size": 7},
        cbar=False,
        mask=np.isnan(values),
    )
    axis.set_xlabel(along[0])
    axis.set_ylabel(down[0])
    axis.tick_params(axis="y", rotation=0)


def _interaction(
    axis: Axes, cells: dict[tuple[str, ...], Interval], down: Named, along: Named, score: str
) -> None:
    offsets = np.linspace(-0.08, 0.08, len(down[1])) if len(down[1]) > 1 else [0.0]
    for at, row in enumerate(down[1]):
        found = [cells[row, column] for column in along[1]]
        look = style(at)
        places = np.arange(len(along[1])) + offsets[at]
        (line,) = axis.plot(places, [cell.estimate for cell in found], color=look.colour, lw=1.2)
        line.set(marker=look.marker, markersize=4, label=f"{down[0]}={row}")
        line.set_dashes(look.dashes or (None, None))
        for place, cell in zip(places, found, strict=True):
            axis.plot([place] * 2, [cell.low, cell.high], color=look.colour, lw=1)
    axis.set_xticks(range(len(along[1])), along[1])
    axis.set_xlabel(along[0])
    axis.set_ylabel(score.replace("_", " "))
    axis.legend()
