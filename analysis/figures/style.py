"""How arms look: one colour, dash and marker each throughout a study, told apart without colour too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ablation.results.load import StudyRuns
from ablation.study.plan import Arm

INK = "#1a1b1c"
"""Text, axes and the baseline; the page puts its own text colour there."""
PAPER = "#fefdfc"
"""What lies behind; the page puts its own background there."""
FAINT = "#8a8b8c"

STYLE: Any = {
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
DASHES: tuple[Any, ...] = ((), (4, 1.5), (1, 1), (5, 1, 1, 1), (3, 1, 1, 1, 1, 1), (7, 2))
MARKERS = "osD^vP"
COLOURS = (
    *("#006eab", "#e96700", "#007757", "#c972a2", "#8c6100", "#0094e7"),
    *("#ac4c00", "#00a276", "#ac417c", "#bd8300"),
)
"""Okabe and Ito's hues (2008) at luminance 0.14 or 0.27, which stand out from white and from black."""


@dataclass(frozen=True)
class ArmStyle:
    """An arm's colour, dashes (of a line) and marker."""

    colour: Any
    dashes: Any
    marker: str


def arm_styles(runs: StudyRuns) -> dict[str, ArmStyle]:
    """Return the style of every arm by its name; neighbours in the plan differ in all three."""
    names = list(dict.fromkeys(arm.name for arm in runs.plan.arms if arm.role != "baseline"))
    styles = {arm.name: ArmStyle(INK, (), "o") for arm in runs.plan.arms if arm.role == "baseline"}
    return styles | {name: style(at) for at, name in enumerate(names)}


def style(at: int) -> ArmStyle:
    """Return the style of the arm at a position; sixty positions have no two alike."""
    turn = at + at // len(COLOURS) + 1
    return ArmStyle(COLOURS[at % len(COLOURS)], DASHES[turn % len(DASHES)], MARKERS[turn % len(MARKERS)])


def panels(arms: Sequence[Arm], most: int = 8) -> dict[str, list[Arm]]:
    """Return the arms off the baseline by the factors that they change; a lone baseline's own.

    Crossed factors make panels of their own for each level of the first, where they are many.
    """
    found: dict[str, list[Arm]] = {}
    for arm in arms:
        if arm.role != "baseline":
            found.setdefault(" x ".join(arm.levels), []).append(arm)
    split: dict[str, list[Arm]] = {}
    for title, members in found.items():
        for arm in members:
            first, level = next(iter(arm.levels.items()), ("", ""))
            many = len(members) > most and len(arm.levels) > 1
            split.setdefault(f"{first}={level}" if many else title, []).append(arm)
    return split or {"baseline": []}


def label(arm: Arm, title: str) -> str:
    """Return an arm's name without what its panel's title says already."""
    return arm.name.removeprefix(f"{title}=").removeprefix(f"{title}, ")
