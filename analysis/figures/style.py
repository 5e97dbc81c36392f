"""The style of arms: a color, dashes and a marker each, distinguishable without color too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from ablation.results.load import StudyRuns
from ablation.study.plan import Arm

INK = "#1a1b1c"
"""Text, axes and the baseline; the page replaces it by its own text color."""
PAPER = "#fefdfc"
"""The background; the page replaces it by its own."""
FAINT = "#8a8b8c"

STYLE: Any = {
    # Names of arms are text: `$` in them begins no formula.
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "ablation",
    "pdf.fonttype": 42,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "font.size": 9,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}
MOST_INSIDE = 9
"""Entries of a legend that find a place inside of its axes."""
MOST_IN_COLUMN = 14
"""Entries that stand above each other beside a panel of usual height."""
DASHES: tuple[Any, ...] = ((), (4, 1.5), (1, 1), (5, 1, 1, 1), (3, 1, 1, 1, 1, 1), (7, 2))
MARKERS = "osD^vP"
COLORS = (
    *("#006eab", "#e96700", "#007757", "#c972a2", "#8c6100", "#0094e7"),
    *("#ac4c00", "#00a276", "#ac417c", "#bd8300"),
)
"""Okabe and Ito's hues (2008) at luminance 0.14 or 0.27, which stand out from white and from black."""


@dataclass(frozen=True)
class ArmStyle:
    """An arm's color, dashes (of a line) and marker."""

    color: Any
    dashes: Any
    marker: str


def arm_styles(runs: StudyRuns) -> dict[str, ArmStyle]:
    """Return the style of every arm by its name; neighbors in the plan differ in all three."""
    names = list(dict.fromkeys(arm.name for arm in runs.plan.arms if arm.role != "baseline"))
    styles = {arm.name: ArmStyle(INK, (), "o") for arm in runs.plan.arms if arm.role == "baseline"}
    return styles | {name: style_at(at) for at, name in enumerate(names)}


def style_at(at: int) -> ArmStyle:
    """Return the style of the arm at a position in the plan; the first sixty all differ."""
    # One further each time the colors start over, so that no pair of color and dashes comes back.
    shifted = at + at // len(COLORS) + 1
    return ArmStyle(
        COLORS[at % len(COLORS)], DASHES[shifted % len(DASHES)], MARKERS[shifted % len(MARKERS)]
    )


def panels(arms: Sequence[Arm], most: int = 8) -> dict[str, list[Arm]]:
    """Return the arms to show beside the baseline by the title of their panel: the changed factors.

    A panel with more than `most` arms of crossed factors is split by the levels of the first factor. A
    study of the baseline alone has one panel.
    """
    by_factors: dict[str, list[Arm]] = {}
    for arm in arms:
        if arm.role != "baseline":
            by_factors.setdefault(" x ".join(arm.levels), []).append(arm)
    split: dict[str, list[Arm]] = {}
    for title, members in by_factors.items():
        for arm in members:
            first, level = next(iter(arm.levels.items()), ("", ""))
            many = len(members) > most and len(arm.levels) > 1
            split.setdefault(f"{first}={level}" if many else title, []).append(arm)
    return split or {"baseline": []}


def label_powers(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers: the usual labels are formulas, which are off here."""
    axis.set_major_formatter(StrMethodFormatter("{x:,.7g}"))
    axis.set_minor_formatter(NullFormatter())


def legend_width(names: Sequence[str]) -> float:
    """Return the width in inches that a legend of the baseline and these arms needs beside its axes.

    It is 0 where the legend finds a place inside.
    """
    entries = len(names) + 1
    if entries <= MOST_INSIDE:
        return 0
    longest = max(len(name) for name in names) + len(" (n=30)")
    return _legend_columns(entries) * (0.06 * longest + 0.5)


def add_legend(axes: Axes) -> None:
    """Add a legend: inside, or beside the axes where so many entries would lie over the lines."""
    entries = len(axes.get_legend_handles_labels()[0])
    if entries <= MOST_INSIDE:
        axes.legend()
        return
    columns = _legend_columns(entries)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), ncols=columns, fontsize=6)


def _legend_columns(entries: int) -> int:
    return math.ceil(entries / MOST_IN_COLUMN)


def label(arm: Arm, title: str) -> str:
    """Return an arm's name without the part that its panel's title says."""
    return arm.name.removeprefix(f"{title}=").removeprefix(f"{title}, ")
