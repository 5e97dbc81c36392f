"""Effects of arms: forest plots of the differences and of the probability of improvement."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.results.scores import SCORES
from analysis.effects.study_results import StudyResults
from analysis.effects.verdict_rule import verdict_notes
from analysis.figures.draw import Drawing
from analysis.figures.style import FAINT, PAPER, ArmStyle, arm_styles
from analysis.statistics import Estimate
from analysis.tables.wording import interval_text

OTHERS = "All others are inconclusive."
ByArm = Mapping[tuple[str, str], Estimate]
"""(arm, environment id) -> interval."""


def forest_plot(results: StudyResults) -> Drawing:
    """Return each arm's difference from the baseline by environment, significant ones filled."""
    intervals, significant = _differences(results)
    if not intervals:
        return None
    figure = _forest(results, intervals, significant, 0.0, _difference_label(results))
    texts = [
        f"{name} ({env}) {interval_text(interval, signed=True)}"
        + (" significant" if (name, env) in significant else "")
        for (name, env), interval in intervals.items()
    ]
    verdicts = verdict_notes(intervals.values(), results.runs.plan.study) or [OTHERS]
    return figure, " ".join(["Difference from the baseline: " + "; ".join(texts) + ".", *verdicts])


def draw_differences(axis: Axes, results: StudyResults, env_id: str) -> None:
    """Draw the differences of one environment into given axes."""
    intervals, significant = _differences(results)
    names = [name for name, where in intervals if where == env_id]
    _forest_panel(axis, results, names, env_id, intervals, significant, 0.0)
    axis.set_xlabel(_difference_label(results))


def _differences(results: StudyResults) -> tuple[ByArm, set[tuple[str, str]]]:
    """Return every arm's difference, and the arms whose is significant."""
    rows = [row for row in results.comparisons if row.difference is not None and row.difference.n > 0]
    intervals = {(row.arm.name, row.arm.env_id): row.difference for row in rows if row.difference}
    return intervals, {(row.arm.name, row.arm.env_id) for row in rows if row.significant}


def _difference_label(results: StudyResults) -> str:
    score = textwrap.fill(SCORES[results.score].description.split(" (")[0], 44)
    return f"difference from the baseline:\n{score}"


def improvement_plot(results: StudyResults) -> Drawing:
    """Return the probability of improvement of each arm over the baseline."""
    intervals = {
        (row.arm.name, row.arm.env_id): row.improvement
        for row in results.comparisons
        if row.improvement is not None and row.improvement.n > 0
    }
    if not intervals:
        return None
    figure = _forest(results, intervals, set(), 0.5, "P(arm > baseline)")
    for axis in figure.axes:
        axis.set_xlim(-0.02, 1.02)
    texts = [f"{name} ({env}) {interval_text(part)}" for (name, env), part in intervals.items()]
    return figure, "Probability that a run beats one of the baseline: " + "; ".join(texts) + "."


def _forest(
    results: StudyResults,
    intervals: ByArm,
    filled: set[tuple[str, str]],
    reference: float,
    axis_label: str,
) -> Figure:
    """Return a panel for each environment with a line for each arm, and a rule at the reference."""
    names = list(dict.fromkeys(name for name, _ in intervals))
    environments = list(dict.fromkeys(env for _, env in intervals))
    size = (3.2 + 3.2 * len(environments), 1.0 + 0.27 * len(names))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(environments), sharey=True, squeeze=False)[0]
    for axis, environment in zip(axes, environments, strict=True):
        _forest_panel(axis, results, names, environment, intervals, filled, reference)
        axis.set_title(environment if len(environments) > 1 else "")
        axis.set_xlabel(axis_label)
    return figure


def _forest_panel(
    axis: Axes,
    results: StudyResults,
    names: Sequence[str],
    environment: str,
    intervals: ByArm,
    filled: set[tuple[str, str]],
    reference: float,
) -> None:
    styles = arm_styles(results.runs)
    axis.axvline(reference, color=FAINT, lw=1, zorder=0)
    for position, name in enumerate(reversed(names)):
        key = (name, environment)
        if key in intervals:
            _draw_interval(axis, position, intervals[key], styles[name], key in filled)
    axis.set_yticks(range(len(names)), [*reversed(names)])
    axis.set_ylim(-0.6, len(names) - 0.4)


def _draw_interval(axis: Axes, position: int, interval: Estimate, style: ArmStyle, filled: bool) -> None:
    axis.plot([interval.low, interval.high], [position] * 2, color=style.color, lw=1.6)
    face = style.color if filled else PAPER
    axis.plot(interval.value, position, style.marker, color=style.color, markerfacecolor=face, ms=5.5)
