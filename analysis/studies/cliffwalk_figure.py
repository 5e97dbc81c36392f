"""Schaul et al.'s figures 1 and 2: updates until the values are correct, by size of the buffer."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from analysis.effects.study_results import StudyResults
from analysis.figures.draw import Drawing
from analysis.figures.labels import add_legend, label_powers
from analysis.figures.style import PAPER, arm_styles, better
from analysis.studies.cliffwalk import MEASURE, chain_lengths, replay_title, transitions, updates
from analysis.tables.wording import number


def updates_by_transitions(results: StudyResults) -> Drawing:
    """Return medians with intervals on two logarithmic axes; None for other studies, or without any."""
    lengths = chain_lengths(results)
    if not lengths:
        return None
    runs, styles, texts = results.runs, arm_styles(results.runs), []
    figure = Figure(figsize=(7, 3.9), layout="constrained")
    axis, drawn = figure.subplots(), False
    titles = {arm.name: replay_title(arm) for arm in runs.plan.arms}
    for name, title in titles.items():
        style, points = styles[name], {}
        for environment, states in lengths.items():
            arms = [arm for arm in runs.arms(environment) if arm.name == name]
            median, unfinished = updates(runs, arms[0])
            if not median.n:
                continue
            points[transitions(states)] = median.value
            axis.plot([transitions(states)] * 2, [median.low, median.high], color=style.color, lw=1.2)
            if unfinished:
                axis.plot(transitions(states), median.value, style.marker, color=PAPER, ms=2, zorder=3)
        # Intervals take six runs: the axes' limits are those of the medians where there are none.
        look: Any = {"marker": style.marker, "ms": 5, "dashes": style.dashes or (None, None)}
        axis.plot(list(points), list(points.values()), color=style.color, lw=1.2, label=title, **look)
        drawn |= bool(points)
        texts.append(f"{title}: " + ", ".join(f"{x:,}: {number(y)}" for x, y in points.items()))
    if not drawn:
        return None
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="transitions in the buffer",
        ylabel=f"updates until correct (median) {better(MEASURE, vertical=True)}",
    )
    label_powers(axis.xaxis)
    label_powers(axis.yaxis)
    add_legend(axis)
    return figure, "Median updates by transitions in the buffer. " + "; ".join(texts) + "."
