"""A classifier's accuracy by class over time, while the classes come one group after another."""

from __future__ import annotations

import math
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablation.study.plan import Arm
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import Drawing
from analysis.figures.style import INK, PAPER

ENV_ID = "digits"
GROUPS = 5
"""Groups of classes that a run sees one after another, each for the same number of images."""
COLUMNS = 3
WIDTH = 34
"""Characters in a line of a panel's title."""

Accuracy = NDArray[np.float64]


def accuracy_by_class(results: StudyResults, environment: str) -> Drawing:
    """Return a heat map of every arm, images seen by class; None for other studies."""
    runs = results.runs
    arms = [arm for arm in runs.arms(environment) if arm.env_id == ENV_ID and runs.of_arm(arm)]
    if not arms:
        return None
    rows = math.ceil(len(arms) / COLUMNS)
    figure = Figure(figsize=(2.7 * COLUMNS, 1.9 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    texts = []
    for axis, arm in zip(axes.flat, arms, strict=False):
        steps, accuracy, n = mean_accuracy(results, arm)
        image = _draw_map(axis, steps, accuracy)
        axis.set_title(textwrap.fill(f"{arm.name} (n={n})", WIDTH), fontsize=7)
        last = ", ".join(f"{value:.2f}" for value in accuracy[:, -1])
        texts.append(f"{arm.name} (n={n}), at the end, by class from 0: {last}")
    for axis in axes.flat[len(arms) :]:
        axis.set_visible(False)
    # Label the axis of the lowest panel of each column, which need not be in the last row.
    for column in range(min(COLUMNS, len(arms))):
        lowest = axes[(len(arms) - 1 - column) // COLUMNS, column]
        lowest.set_xlabel("images seen")
        lowest.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("class")
    figure.colorbar(image, ax=axes, label="accuracy on test images", shrink=0.8)
    return figure, "Mean accuracy over runs. " + "; ".join(texts) + "."


def mean_accuracy(results: StudyResults, arm: Arm) -> tuple[NDArray[np.int64], Accuracy, int]:
    """Return evaluation steps `[T]`, mean accuracy over runs `[classes, T]`, and the number of runs."""
    by_run = []
    for run in results.runs.of_arm(arm):
        rows = run.tables["evaluations"]
        steps, column = np.unique(rows["env_step"], return_inverse=True)
        accuracy = np.full((int(rows["episode"].max()) + 1, len(steps)), np.nan)
        accuracy[rows["episode"], column] = rows["episode_return"]
        by_run.append(accuracy)
    # A run that ended early has fewer evaluations: the mean is over what all of them have.
    shortest = min(accuracy.shape[1] for accuracy in by_run)
    stacked = np.stack([accuracy[:, :shortest] for accuracy in by_run])
    return steps[:shortest], stacked.mean(axis=0), len(by_run)


def _draw_map(axis: Axes, steps: NDArray[np.int64], accuracy: Accuracy) -> QuadMesh:
    """Draw a heat map whose cells extend from the evaluation before, and a frame around each group."""
    edges = np.concatenate([[0], steps])
    classes = np.arange(len(accuracy) + 1) - 0.5
    image = axis.pcolormesh(edges, classes, accuracy, cmap="cividis", vmin=0, vmax=1, rasterized=True)
    for group in range(GROUPS):
        first, last = np.array([group, group + 1]) / GROUPS * steps[-1]
        shown = np.array([group, group + 1]) / GROUPS * len(accuracy) - 0.5
        across, down = [first, last, last, first, first], [*shown.repeat(2), shown[0]]
        axis.plot(across, down, color=PAPER, lw=0.8)
    axis.set(ylim=(len(accuracy) - 0.5, -0.5), yticks=range(0, len(accuracy), 2))
    for spine in axis.spines.values():
        spine.set_color(INK)
    return image
