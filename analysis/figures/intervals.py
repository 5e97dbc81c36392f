"""How an estimate is drawn: its interval, a marker filled where significant, every run a point."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy

from ablation.results.references import Reference
from ablation.results.scores import SCORES
from analysis.effects.comparisons import Comparison
from analysis.effects.study_results import StudyResults
from analysis.figures.returns import within_bounds
from analysis.figures.style import PAPER, ArmStyle, better
from analysis.statistics import Estimate, Sample
from analysis.tables.wording import axis_label


def filled(row: Comparison) -> bool:
    """Return whether an arm's marker is filled: it differs significantly, or is the baseline itself."""
    return row.significant or row.difference is None


def draw_interval(
    axis: Axes, at: float, interval: Estimate, style: ArmStyle, full: bool, *, across: bool = False
) -> None:
    """Draw an interval with its estimate at a place on the other axis; `across`: along the x axis."""
    for values, look in (
        ([interval.low, interval.high], {"lw": 1.8}),
        ([interval.value], {"marker": style.marker, "mfc": style.color if full else PAPER, "ms": 6}),
    ):
        places = [at] * len(values)
        axis.plot(*((values, places) if across else (places, values)), color=style.color, **look)


def draw_seeds(axis: Axes, x: Sample, y: Sample, color: str, *, across: bool = False) -> None:
    """Draw every run as a faint point at `x` and `y` `[R]`, beside the interval; not what is missing."""
    x_inches, y_inches = (0, -0.055) if across else (0.055, 0)
    beside = offset_copy(axis.transData, axis.get_figure(root=True), x_inches, y_inches)
    style: dict[str, Any] = {"ls": "", "marker": "o", "ms": 2.2, "mew": 0, "alpha": 0.5, "zorder": 1}
    axis.plot(x, y, color=color, transform=beside, **style)
    # Lines that are drawn beside their place do not count in the limits of the axes by themselves.
    axis.update_datalim(np.column_stack([x, y]))


def draw_scores(axis: Axes, score: str, scores: Sample, x: float, color: str) -> None:
    """Draw the score of every run `[R]` at `x`; of shares nothing, whose runs are 0 or 1."""
    if SCORES[score].unit != "share":
        draw_seeds(axis, np.full(len(scores), x), scores, color)


def within_reach(interval: Estimate, scores: Sample, bounds: tuple[float, float] | None) -> Estimate:
    """Return the interval of runs' scores `[R]`, which ends where no score can lie."""
    if bounds is None or not interval.n:
        return interval
    low, high = within_bounds(interval.low, interval.high, scores, bounds)
    return replace(interval, low=float(low), high=float(high))


def draw_line(
    axis: Axes, points: Iterable[tuple[float, Estimate]], style: ArmStyle, label: str, **look: Any
) -> None:
    """Draw a line through estimates at their places."""
    xy = np.array([(x, point.value) for x, point in points]).reshape(-1, 2)
    look |= {"color": style.color, "dashes": style.dashes or (None, None)}
    axis.plot(*xy.T, lw=1.2, label=label, **look)


def side_by_side(n: int, most: float) -> Sequence[float]:
    """Return the offsets of `n` lines that share their places on an axis, from -`most` to `most`."""
    return [float(offset) for offset in np.linspace(-most, most, n)] if n > 1 else [0.0]


def score_label(score: str, width: int, prefix: str = "") -> str:
    """Return the label of a vertical axis, on lines of so many characters."""
    return textwrap.fill(f"{prefix}{axis_label(score)} {better(score, vertical=True)}", width)


def score_reference(results: StudyResults, environment: str) -> Reference | None:
    """Return the references of an environment where the score is a return that they hold for."""
    runs = results.runs
    return runs.reference(runs.baseline(environment)) if SCORES[results.score].unit == "return" else None


def score_bounds(results: StudyResults, environment: str) -> tuple[float, float] | None:
    """Return between what an environment's scores lie, None where nobody said; steps: within a run."""
    if SCORES[results.score].unit == "steps":
        cell = results.runs.baseline(environment).cell
        return 0.0, float(results.runs.plan.cells[cell]["train"]["env_steps"])
    reference = score_reference(results, environment)
    return None if reference is None else reference.bounds
