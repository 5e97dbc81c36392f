"""Figures of a study: learning curves by factor, and differences from the baseline."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.study import Arm
from analysis.comparisons import Comparison
from analysis.load import StudyRuns
from analysis.scores import DESCRIPTIONS, curve
from analysis.statistics import mean

FORMATS = ("svg", "png")
COLUMNS = 2
BASELINE_COLOUR = "black"
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ablation",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
}
DASHES = ("", (4, 1.5), (1, 1), (5, 1, 1, 1), (3, 1, 1, 1, 1, 1), (7, 2))
"""With the colours they keep curves apart in grey."""


def curve_frame(runs: StudyRuns, arm: Arm) -> pd.DataFrame:
    """Return an arm's learning curve: mean over runs at each step, t interval, number of runs.

    Columns `env_step`, `estimate`, `low`, `high`, `n`; empty without runs.
    """
    rows = []
    for run in runs.of_arm(arm):
        steps, returns = curve(run.tables["evaluations"])
        rows.append(pd.Series(returns, index=steps))
    if not rows:
        return pd.DataFrame(columns=["env_step", "estimate", "low", "high", "n"])
    table = pd.DataFrame(rows)
    intervals = [mean(table[step].dropna().to_numpy()) for step in table.columns]
    frame = pd.DataFrame([vars(interval) for interval in intervals])
    return frame.assign(env_step=list(table.columns))


def learning_curves(runs: StudyRuns, environment: str) -> Figure:
    """Return small multiples: a panel per factor, its levels beside the baseline, 95 % bands."""
    arms = [arm for arm in runs.plan.arms if arm.environment == environment]
    baseline = next(arm for arm in arms if arm.role == "baseline")
    factors = _panels(arms)
    rows = math.ceil(len(factors) / COLUMNS)
    columns = min(COLUMNS, len(factors))
    figure, axes = plt.subplots(
        rows, columns, figsize=(4.2 * columns, 2.9 * rows), sharex=True, sharey=True, squeeze=False
    )
    for axis, (title, members) in zip(axes.flat, factors.items(), strict=False):
        palette = sns.color_palette("colorblind", len(members))
        _draw(axis, runs, baseline, "baseline", BASELINE_COLOUR, "")
        for position, arm in enumerate(members):
            label = arm.name.removeprefix(f"{title}=")
            _draw(axis, runs, arm, label, palette[position], DASHES[(position + 1) % len(DASHES)])
        axis.set_title(title)
        axis.legend(fontsize=7, frameon=False)
    for axis in axes.flat[len(factors) :]:
        axis.set_visible(False)
    figure.supxlabel("environment steps")
    figure.supylabel("greedy evaluation return")
    figure.tight_layout()
    return figure


def forest_plot(comparisons: list[Comparison], score: str) -> Figure:
    """Return each arm's difference from the baseline with its interval; filled where resolved."""
    shown = [row for row in comparisons if row.difference is not None and row.difference.n > 0]
    figure, axis = plt.subplots(figsize=(6.4, 0.9 + 0.28 * max(len(shown), 1)))
    for position, row in enumerate(reversed(shown)):
        assert row.difference is not None
        interval = row.difference
        axis.plot([interval.low, interval.high], [position] * 2, color="0.35", lw=1.5)
        face = "0.1" if row.resolved else "white"
        axis.plot(interval.estimate, position, "o", color="0.1", markerfacecolor=face)
    axis.axvline(0, color="0.6", lw=1, zorder=0)
    several = len({row.arm.environment for row in shown}) > 1
    names = [f"{row.arm.name} ({row.arm.env_id})" if several else row.arm.name for row in shown]
    axis.set_yticks(range(len(shown)), [*reversed(names)])
    axis.set_xlabel(f"difference from the baseline\n({DESCRIPTIONS[score]})")
    figure.tight_layout()
    return figure


def draw_figures(runs: StudyRuns, comparisons: list[Comparison], score: str) -> dict[str, Figure]:
    """Return every figure of a study by name; none of a study without runs."""
    if all(row.mean.n == 0 for row in comparisons):
        return {}
    figures = {}
    with mpl.rc_context(STYLE):
        for environment in dict.fromkeys(arm.environment for arm in runs.plan.arms):
            if _panels([arm for arm in runs.plan.arms if arm.environment == environment]):
                figures[f"curves-{environment}"] = learning_curves(runs, environment)
        if any(row.difference is not None and row.difference.n > 0 for row in comparisons):
            figures["differences"] = forest_plot(comparisons, score)
    return figures


def write_figures(figures: dict[str, Figure], directory: Path) -> None:
    """Write each figure in `FORMATS` into a directory and close it."""
    with mpl.rc_context(STYLE):
        for name, figure in figures.items():
            for suffix in FORMATS:
                metadata = {"Date": None} if suffix == "svg" else {}
                figure.savefig(
                    directory / f"{name}.{suffix}", dpi=160, metadata=metadata, bbox_inches="tight"
                )
            plt.close(figure)


def _panels(arms: list[Arm]) -> dict[str, list[Arm]]:
    """Return the arms off the baseline, by the factors that they change; a lone baseline's own."""
    panels: dict[str, list[Arm]] = {}
    for arm in arms:
        if arm.role != "baseline":
            panels.setdefault(" x ".join(arm.levels), []).append(arm)
    return panels or {"baseline": []}


def _draw(axis: Axes, runs: StudyRuns, arm: Arm, label: str, colour: Any, dashes: Any) -> None:
    frame = curve_frame(runs, arm)
    if frame.empty:
        axis.plot([], [], color=colour, label=f"{label} (missing)")
        return
    n = int(np.max(frame["n"]))
    (line,) = axis.plot(frame["env_step"], frame["estimate"], color=colour, lw=1.4)
    if dashes:
        line.set_dashes(dashes)
    line.set_label(f"{label} (n={n})")
    axis.fill_between(frame["env_step"], frame["low"], frame["high"], color=colour, alpha=0.15, lw=0)
