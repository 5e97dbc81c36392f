"""Schaul et al.'s figures 1 and 2: updates until a table is right, by the transitions to choose from."""

from __future__ import annotations

from matplotlib.figure import Figure

from analysis.effects.study_results import Results
from analysis.figures.style import PAPER, arm_styles
from analysis.studies.cliffwalk import chains, transitions, updates
from analysis.tables.wording import number


def updates_by_transitions(results: Results) -> tuple[Figure, str] | None:
    """Return medians with intervals on two logarithmic axes; None for other studies."""
    found = chains(results)
    if not found:
        return None
    runs, styles, words = results.runs, arm_styles(results.runs), []
    figure = Figure(figsize=(5.4, 3.9), layout="constrained")
    axis = figure.subplots()
    for name in dict.fromkeys(arm.name for arm in runs.plan.arms):
        look, points = styles[name], {}
        title = name.partition("=")[2] or "uniform"
        (line,) = axis.plot([], [], look.marker, color=look.colour, ls="-", lw=1.2, ms=5, label=title)
        line.set_dashes(look.dashes or (None, None))
        for environment, states in found.items():
            arms = [arm for arm in runs.arms(environment) if arm.name == name]
            median, late = updates(runs, arms[0])
            if not median.n:
                continue
            points[transitions(states)] = median.estimate
            axis.plot([transitions(states)] * 2, [median.low, median.high], color=look.colour, lw=1.2)
            if late:
                axis.plot(transitions(states), median.estimate, look.marker, color=PAPER, ms=2, zorder=3)
        line.set_data(list(points), list(points.values()))
        words.append(f"{title}: " + ", ".join(f"{x:,}: {number(y)}" for x, y in points.items()))
    axis.set(
        xscale="log", yscale="log", xlabel="transitions in memory", ylabel="updates until right (median)"
    )
    axis.legend()
    return figure, "Median updates by transitions in memory. " + "; ".join(words) + "."
