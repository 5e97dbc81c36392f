"""What a classifier knows of each class while the classes come in turn: accuracy by class over time."""

from __future__ import annotations

import math
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablation.study.plan import Arm
from analysis.effects.study_results import Results
from analysis.figures.style import INK, PAPER

ENV_ID = "digits"
TURNS = 5
"""Turns of a run, equally long, each with its share of the classes in order."""
COLUMNS = 3
WIDTH = 34
"""Letters in a line of a panel's title."""

Accuracy = NDArray[np.float64]


def accuracy_by_class(results: Results, environment: str) -> tuple[Figure, str] | None:
    """Return a map of every arm, images seen to the right and classes down; None for other studies."""
    runs = results.runs
    arms = [arm for arm in runs.arms(environment) if arm.env_id == ENV_ID and runs.of_arm(arm)]
    if not arms:
        return None
    rows = math.ceil(len(arms) / COLUMNS)
    figure = Figure(figsize=(2.7 * COLUMNS, 1.9 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    words = []
    for axis, arm in zip(axes.flat, arms, strict=False):
        steps, accuracy, n = mean_accuracy(results, arm)
        image = _draw(axis, steps, accuracy)
        axis.set_title(textwrap.fill(f"{arm.name} (n={n})", WIDTH), fontsize=7)
        last = ", ".join(f"{value:.2f}" for value in accuracy[:, -1])
        words.append(f"{arm.name} (n={n}), at the end, by class from 0: {last}")
    for axis in axes.flat[len(arms) :]:
        axis.set_visible(False)
    # The lowest panel of each column, which need not be in the last row, says what its axis is.
    for column in range(min(COLUMNS, len(arms))):
        lowest = axes[(len(arms) - 1 - column) // COLUMNS, column]
        lowest.set_xlabel("images seen")
        lowest.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("class")
    figure.colorbar(image, ax=axes, label="accuracy on test images", shrink=0.8)
    return figure, "Mean accuracy over runs. " + "; ".join(words) + "."


def mean_accuracy(results: Results, arm: Arm) -> tuple[NDArray[np.int64], Accuracy, int]:
    """Return the steps of the evaluations, the mean over runs `[classes, evaluations]`, and the runs."""
    found = []
    for run in results.runs.of_arm(arm):
        rows = run.tables["evaluations"]
        steps, when = np.unique(rows["env_step"], return_inverse=True)
        accuracy = np.full((int(rows["episode"].max()) + 1, len(steps)), np.nan)
        accuracy[rows["episode"], when] = rows["episode_return"]
        found.append(accuracy)
    # A run that ended early has fewer evaluations: the mean is over what all of them have.
    shortest = min(accuracy.shape[1] for accuracy in found)
    stacked = np.stack([accuracy[:, :shortest] for accuracy in found])
    return steps[:shortest], stacked.mean(axis=0), len(found)


def _draw(axis: Axes, steps: NDArray[np.int64], accuracy: Accuracy) -> QuadMesh:
    """Draw a map whose cells reach back from each evaluation to the one before."""
    edges = np.concatenate([[0], steps])
    classes = np.arange(len(accuracy) + 1) - 0.5
    image = axis.pcolormesh(edges, classes, accuracy, cmap="cividis", vmin=0, vmax=1, rasterized=True)
    for turn in range(TURNS):
        first, last = np.array([turn, turn + 1]) / TURNS * steps[-1]
        shown = np.array([turn, turn + 1]) / TURNS * len(accuracy) - 0.5
        across, down = [first, last, last, first, first], [*shown.repeat(2), shown[0]]
        axis.plot(across, down, color=PAPER, lw=0.8)
    axis.set(ylim=(len(accuracy) - 0.5, -0.5), yticks=range(0, len(accuracy), 2))
    for spine in axis.spines.values():
        spine.set_color(INK)
    return image
