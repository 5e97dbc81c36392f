"""Effects of arms: forest plots of the differences and of the probability of improvement."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.results.scores import SCORES
from analysis.effects.comparisons import Comparison
from analysis.effects.study_results import StudyResults
from analysis.effects.verdict_rule import verdict_notes
from analysis.figures.draw import Drawing
from analysis.figures.intervals import draw_interval, draw_seeds, filled
from analysis.figures.labels import wrapped
from analysis.figures.style import FAINT, arm_styles, better
from analysis.statistics import Estimate, Sample
from analysis.tables.wording import axis_label, interval_text

Rows = Mapping[str, Mapping[str, Comparison]]
"""Environment id -> arm -> its comparison; only those that have the interval to show."""
ROW, MARGIN = 0.25, 0.85
"""Inches of height of an arm, and of title and labels."""
WIDE, NARROW = 9.6, 3.7
"""Inches of width, on a desk and on a phone."""
NAME_WIDTH = 18
"""Characters in a line of an arm's name on a phone."""


@dataclass(frozen=True)
class ForestKind:
    """A kind of forest plot: the interval of an arm, its reference, and the label of the axis."""

    interval: Callable[[Comparison], Estimate | None]
    reference: float
    axis_label: str
    seeds: Callable[[Comparison], Sample] | None = None
    limits: tuple[float, float] | None = None

    def rows(self, results: StudyResults) -> Rows:
        """Return the comparisons that have the interval, by environment id and arm."""
        rows: dict[str, dict[str, Comparison]] = {}
        for row in results.comparisons:
            interval = self.interval(row)
            if interval is not None and interval.n > 0:
                rows.setdefault(row.arm.env_id, {})[row.arm.name] = row
        return rows


def forest_plot(results: StudyResults, narrow: bool = False, seeds: bool = True) -> Drawing:
    """Return each arm's difference from the baseline by environment, significant ones filled.

    `narrow`: for a phone; `seeds` shows every run as a point.
    """
    kind = _differences(results, seeds)
    rows = kind.rows(results)
    if not rows:
        return None
    texts = [
        f"{name} ({env}) {interval_text(row.difference, signed=True)}"
        + (" significant" if row.significant else "")
        for env, arms in rows.items()
        for name, row in arms.items()
        if row.difference is not None
    ]
    return _forest(results, kind, rows, narrow), (
        f"Difference from the baseline: {'; '.join(texts)}. {_verdicts(results, rows)}"
    )


def draw_differences(axis: Axes, results: StudyResults, env_id: str) -> None:
    """Draw the differences of one environment into given axes."""
    kind = _differences(results)
    arms = kind.rows(results).get(env_id, {})
    _forest_panel(axis, results, kind, list(arms), arms)
    axis.set_xlabel(kind.axis_label)


def improvement_plot(results: StudyResults, narrow: bool = False) -> Drawing:
    """Return the probability of improvement of each arm over the baseline."""
    kind = ForestKind(
        lambda row: row.improvement, 0.5, "P(arm > baseline) (→ better)", limits=(-0.02, 1.02)
    )
    rows = kind.rows(results)
    if not rows:
        return None
    texts = [
        f"{name} ({env}) {interval_text(row.improvement)}"
        for env, arms in rows.items()
        for name, row in arms.items()
        if row.improvement is not None
    ]
    text = f"Probability that a run beats one of the baseline: {'; '.join(texts)}."
    return _forest(results, kind, rows, narrow), text


def _differences(results: StudyResults, seeds: bool = True) -> ForestKind:
    label = f"difference from the baseline: {axis_label(results.score)} {better(results.score)}"
    points = partial(seed_differences, results) if seeds else None
    return ForestKind(lambda row: row.difference, 0.0, label, points)


def seed_differences(results: StudyResults, row: Comparison) -> Sample:
    """Return each run's difference from the baseline `[R]`: of the same seed if paired, else its mean.

    Empty for shares, whose runs are 0 or 1.
    """
    if SCORES[row.score].unit == "share":
        return np.zeros(0)
    baseline = results.runs.scores(results.runs.baseline(row.arm.environment), row.score)
    return results.runs.scores(row.arm, row.score) - (baseline if row.paired else np.nanmean(baseline))


def _verdicts(results: StudyResults, rows: Rows) -> str:
    compared = [row for arms in rows.values() for row in arms.values()]
    if notes := verdict_notes([row.difference for row in compared], results.runs.plan):
        return notes[0]
    significant = [row.significant for row in compared]
    if all(significant):
        return "All differ significantly."
    return "All others are inconclusive." if any(significant) else "None differs significantly."


def _forest(results: StudyResults, kind: ForestKind, rows: Rows, narrow: bool) -> Figure:
    """Return a panel for each environment, below each other if `narrow`, with a line for each arm."""
    names = list(dict.fromkeys(name for arms in rows.values() for name in arms))
    across, down = (1, len(rows)) if narrow else (len(rows), 1)
    longest = max(len(name) for name in names)
    tall = 1.35 if narrow and longest > NAME_WIDTH else 1
    width = NARROW if narrow else max(WIDE, 0.07 * longest + 2.6 * across)
    height = down * (MARGIN + ROW * tall * len(names))
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(down, across, sharey=True, squeeze=False).flat
    for axis, (env_id, arms) in zip(axes, rows.items(), strict=True):
        _forest_panel(axis, results, kind, names, arms)
        if len(rows) > 1:
            axis.set_title(env_id)
        if narrow:
            labels = [wrapped(name, NAME_WIDTH) for name in reversed(names)]
            axis.set_yticks(range(len(names)), labels, fontsize=7.5)
    label = textwrap.fill(kind.axis_label, 48) if narrow else kind.axis_label
    figure.supxlabel(label, fontsize=9)
    return figure


def _forest_panel(
    axis: Axes,
    results: StudyResults,
    kind: ForestKind,
    names: Sequence[str],
    arms: Mapping[str, Comparison],
) -> None:
    """Draw a line for each arm that is there, the first one on top, and a rule at the reference."""
    styles = arm_styles(results.runs)
    axis.axvline(kind.reference, color=FAINT, lw=1, zorder=0)
    for position, name in enumerate(reversed(names)):
        row = arms.get(name)
        interval = None if row is None else kind.interval(row)
        if row is None or interval is None:
            continue
        seeds = np.zeros(0) if kind.seeds is None else kind.seeds(row)
        draw_seeds(axis, seeds, np.full(len(seeds), position), styles[name].color, across=True)
        draw_interval(axis, position, interval, styles[name], filled(row), across=True)
    axis.set_yticks(range(len(names)), [*reversed(names)])
    axis.margins(x=0.03)
    axis.set_ylim(-0.6, len(names) - 0.4)
    if kind.limits:
        axis.set_xlim(*kind.limits)
