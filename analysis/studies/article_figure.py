"""Reward and loss of the introductory article's system, as it was meant and as it was written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.results.run import Run
from ablation.study.plan import Arm
from analysis.effects.study_results import StudyResults
from analysis.figures.draw import Drawing
from analysis.figures.labels import add_legend, label_powers
from analysis.figures.returns import binned
from analysis.figures.style import style_at
from analysis.statistics import mean
from analysis.studies.article import Floats, article_systems, episode_returns, losses

BINS = 30
LOSS = "loss (geometric mean)"
"""Geometric, because losses of one system differ by orders of magnitude between runs."""

Curve = Callable[[Run], tuple[Floats, Floats]]
"""A run -> environment steps and values, both `[N]`."""


def training_outputs(results: StudyResults) -> Drawing:
    """Return reward an episode and loss against environment steps; None for other studies."""
    systems = article_systems(results)
    if not systems:
        return None
    runs = results.runs
    panels: dict[str, Curve] = {
        "reward of a training episode": lambda run: (_steps(run), episode_returns(run)),
        LOSS: lambda run: losses(runs, run),
    }
    figure = Figure(figsize=(9.6, 2.9), layout="constrained")
    texts = []
    for axis, (name, curve) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        for at, (arm, title) in enumerate(systems):
            last = _draw_system(results, axis, at, arm, title, curve, name == LOSS)
            texts.append(f"{name}, {title}, at the end: {last}")
        axis.set(xlabel="environment steps", ylabel=name, yscale="log" if name == LOSS else "linear")
        if name == LOSS:
            label_powers(axis.yaxis)
        add_legend(axis)
    return figure, "; ".join(texts) + "."


def _draw_system(
    results: StudyResults, axis: Axes, at: int, arm: Arm, title: str, curve: Curve, logarithmic: bool
) -> str:
    """Draw a system's mean over runs, in bins of equally many steps, with its band; return its end."""
    curves = [curve(run) for run in results.runs.of_arm(arm)]
    if not curves:
        return "missing"
    edges = np.linspace(0, max(float(steps.max()) for steps, _ in curves), BINS + 1)
    matrix = np.stack([binned(steps, values, edges) for steps, values in curves])
    if logarithmic:
        matrix = np.log(matrix)
    intervals = [mean(column) for column in matrix.T]
    centers, color = (edges[:-1] + edges[1:]) / 2, style_at(at).color
    estimate, low, high = (
        np.array([getattr(interval, end) for interval in intervals]) for end in ("value", "low", "high")
    )
    if logarithmic:
        estimate, low, high = np.exp(estimate), np.exp(low), np.exp(high)
    axis.plot(centers, estimate, color=color, label=f"{title} (n={len(curves)})")
    axis.fill_between(centers, low, high, color=color, alpha=0.2, lw=0)
    return f"{estimate[-1]:.3g}"


def _steps(run: Run) -> Floats:
    return np.asarray(run.tables["episodes"]["env_step"], float)
