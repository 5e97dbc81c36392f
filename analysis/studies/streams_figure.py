"""A stream's accuracy or loss over time: by group of test examples, and of examples before learning."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from numpy.typing import NDArray

from ablation.study.plan import Arm
from ablation.tasks.streams.order import TURNS
from analysis.effects.study_results import StudyResults
from analysis.figures.curves import small_multiples
from analysis.figures.draw import Drawing
from analysis.figures.returns import Line, training_curve
from analysis.figures.style import INK, PAPER, panel_grid
from analysis.studies.streams import STREAMS, Doubles, arms_of, by_group

WIDTH = 34
"""Characters in a line of a panel's title."""


def measure_by_group(results: StudyResults, environment: str) -> Drawing:
    """Return a heat map of every arm, steps by group; None for other environments."""
    arms = arms_of(results, environment)
    if not arms:
        return None
    words = STREAMS[arms[0].env_id]
    maps = [mean_by_group(results, arm) for arm in arms]
    seen = np.concatenate([values.ravel() for _, values, _ in maps])
    limits = (float(np.nanmin(seen)), float(np.nanmax(seen))) if words.loss else (0.0, 1.0)
    figure, axes = panel_grid(len(arms), 1.9, most=3, shared=True)
    texts = []
    for axis, arm, (steps, values, n) in zip(axes, arms, maps, strict=True):
        image = _draw_map(axis, steps, values, limits, "cividis_r" if words.loss else "cividis")
        axis.set_title(textwrap.fill(f"{arm.name} (n={n})", WIDTH), fontsize=7)
        last = ", ".join(f"{value:.2f}" for value in values[:, -1])
        texts.append(f"{arm.name} (n={n}), at the end, by {words.group} from 0: {last}")
    figure.supxlabel(words.steps, fontsize=9)
    figure.supylabel(words.group, fontsize=9)
    figure.colorbar(image, ax=axes, label=words.measure, shrink=0.8)
    return figure, f"Mean over runs: {words.measure}. " + "; ".join(texts) + "."


def running_loss(results: StudyResults, environment: str) -> Drawing:
    """Return each arm's loss on examples before they were learned from; None where there is none."""
    arms, runs = arms_of(results, environment), results.runs
    if not arms or not STREAMS[arms[0].env_id].loss:
        return None
    last = max(int(runs.plan.cells[arm.cell]["train"]["env_steps"]) for arm in arms)

    def line(arm: Arm) -> Line | None:
        found = training_curve(runs, arm, last)
        if found is None:
            return None
        return Line(found.x, -found.estimate, -found.high, -found.low, found.n)

    labels = STREAMS[arms[0].env_id].steps, "loss before learning (nats)\n(↓ better)"
    lines = {arm.name: line(arm) for arm in arms}
    texts = [f"{name} {one.estimate.mean():.3f}" for name, one in lines.items() if one is not None]
    figure = small_multiples(runs, environment, lambda arm: lines.get(arm.name), labels)
    return figure, "Mean over the run: " + "; ".join(texts) + "."


def mean_by_group(results: StudyResults, arm: Arm) -> tuple[NDArray[np.int64], Doubles, int]:
    """Return evaluation steps `[T]`, means over runs by group `[groups, T]`, and the number of runs."""
    found = [by_group(run) for run in results.runs.of_arm(arm)]
    # A run that ended early has fewer evaluations: the mean is over what all of them have.
    shortest = min(values.shape[1] for _, values in found)
    stacked = np.stack([values[:, :shortest] for _, values in found])
    return found[0][0][:shortest], stacked.mean(axis=0), len(found)


def _draw_map(
    axis: Axes, steps: NDArray[np.int64], values: Doubles, limits: tuple[float, float], colors: str
) -> QuadMesh:
    """Draw a heat map whose cells extend from the evaluation before, and a frame around each turn."""
    edges = np.concatenate([[0], steps])
    groups = np.arange(len(values) + 1) - 0.5
    low, high = limits
    image = axis.pcolormesh(edges, groups, values, cmap=colors, vmin=low, vmax=high, rasterized=True)
    for turn in range(TURNS):
        first, last = np.array([turn, turn + 1]) / TURNS * steps[-1]
        shown = np.array([turn, turn + 1]) / TURNS * len(values) - 0.5
        across, down = [first, last, last, first, first], [*shown.repeat(2), shown[0]]
        axis.plot(across, down, color=PAPER, lw=0.8)
    axis.set(ylim=(len(values) - 0.5, -0.5), yticks=range(0, len(values), max(1, len(values) // TURNS)))
    for spine in axis.spines.values():
        spine.set_color(INK)
    return image
