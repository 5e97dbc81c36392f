"""The article's two curves, for its system as it was meant and as it was written: reward and loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.results.load import Run
from ablation.study.plan import Arm
from analysis.effects.study_results import Results
from analysis.figures.style import style
from analysis.statistics import mean
from analysis.studies.article import Floats, compared, episode_returns, losses

BINS = 30
LOSS = "loss (geometric mean)"
"""Losses of one system differ by orders of magnitude between runs."""

Curve = Callable[[Run], tuple[Floats, Floats]]
"""A run -> environment steps and values, both `[N]`."""


def training_outputs(results: Results) -> tuple[Figure, str] | None:
    """Return reward an episode and loss against environment steps; None for other studies."""
    systems = compared(results)
    if not systems:
        return None
    runs = results.runs
    panels: dict[str, Curve] = {
        "reward of a training episode": lambda run: (_steps(run), episode_returns(run)),
        LOSS: lambda run: losses(runs, run),
    }
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    words = []
    for axis, (name, curve) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        for at, (arm, title) in enumerate(systems):
            last = _draw(results, axis, at, arm, title, curve, name == LOSS)
            words.append(f"{name}, {title}, at the end: {last}")
        axis.set(xlabel="environment steps", ylabel=name, yscale="log" if name == LOSS else "linear")
        axis.legend()
    return figure, "; ".join(words) + "."


def _draw(
    results: Results, axis: Axes, at: int, arm: Arm, title: str, curve: Curve, logarithmic: bool
) -> str:
    """Draw a system's mean over runs in equal spans of steps with its band; return its end in words."""
    found = [curve(run) for run in results.runs.of_arm(arm)]
    if not found:
        return "missing"
    edges = np.linspace(0, max(float(steps.max()) for steps, _ in found), BINS + 1)
    matrix = np.stack([_binned(steps, values, edges) for steps, values in found])
    if logarithmic:
        matrix = np.log(matrix)
    intervals = [mean(column[~np.isnan(column)]) for column in matrix.T]
    middles, colour = (edges[:-1] + edges[1:]) / 2, style(at).colour
    middle, low, high = (
        np.array([getattr(interval, end) for interval in intervals])
        for end in ("estimate", "low", "high")
    )
    if logarithmic:
        middle, low, high = np.exp(middle), np.exp(low), np.exp(high)
    axis.plot(middles, middle, color=colour, label=f"{title} (n={len(found)})")
    axis.fill_between(middles, low, high, color=colour, alpha=0.2, lw=0)
    return f"{middle[-1]:.3g}"


def _binned(steps: Floats, values: Floats, edges: Floats) -> Floats:
    """Return the mean of the values in each span, NaN where there is none."""
    where = np.clip(np.searchsorted(edges, steps, side="left") - 1, 0, BINS - 1)
    counts = np.bincount(where, minlength=BINS)
    sums = np.bincount(where, weights=values, minlength=BINS)
    means: Floats = np.full(BINS, math.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _steps(run: Run) -> Floats:
    return np.asarray(run.tables["episodes"]["env_step"], float)
