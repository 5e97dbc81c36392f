"""How an estimate is drawn: its interval, a marker filled where significant, every run a point."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy

from ablation.results.references import Reference
from ablation.results.scores import SCORES
from ablation.study.plan import Arm
from analysis.effects.comparisons import Comparison
from analysis.effects.study_results import StudyResults
from analysis.figures.style import PAPER, ArmStyle
from analysis.statistics import Estimate, Sample


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


def draw_runs(axis: Axes, results: StudyResults, arm: Arm, x: float, color: str) -> None:
    """Draw the score of every run of an arm at `x`; of shares nothing, whose runs are 0 or 1."""
    if SCORES[results.score].unit != "share":
        scores = results.runs.scores(arm, results.score)
        draw_seeds(axis, np.full(len(scores), x), scores, color)


def score_reference(results: StudyResults, environment: str) -> Reference | None:
    """Return the references of an environment where the score is a return that they hold for."""
    runs = results.runs
    return runs.reference(runs.baseline(environment)) if SCORES[results.score].unit == "return" else None
