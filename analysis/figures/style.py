"""The look that all figures share: a color for each factor, dashes and a marker for each level."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.colors
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.results.load import StudyRuns
from ablation.results.references import Reference
from ablation.study.designs import FORK
from ablation.study.plan import Arm
from analysis.tables.wording import better_direction, elsewhere_title

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
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
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
WIDTH, COLUMNS = 9.6, 2
"""Inches of width of a figure on a desk, and its panels side by side."""
PER_PANEL = len(DASHES)
"""Arms of one factor in a panel; all differ without color."""
COLORS = (
    *("#006eab", "#e96700", "#007757", "#c972a2", "#8c6100", "#0094e7"),
    *("#ac4c00", "#00a276", "#ac417c", "#bd8300"),
)
"""Okabe and Ito's hues (2008) at luminance 0.14 or 0.27, which stand out from white and from black."""
LIGHT, DARK = 0.29, 0.135
"""Relative luminance of the lightest and the darkest shade: both stand out from white and from black."""


@dataclass(frozen=True)
class ArmStyle:
    """An arm's color, dashes (of a line) and marker."""

    color: Any
    dashes: Any
    marker: str


BASELINE_STYLE = ArmStyle(INK, (), "o")


def family(runs: StudyRuns, arm: Arm) -> str:
    """Return what an arm's color and panel follow from: the factors that it changes, at any moment."""
    if runs.beside_ours(arm):
        return elsewhere_title(runs, arm)
    return " x ".join(factor for factor in arm.levels if factor != FORK) or change(arm)


def change(arm: Arm) -> str:
    """Return an arm's levels as text, or its own name without them, but for the moment of its fork."""
    levels = {factor: level for factor, level in arm.levels.items() if factor != FORK}
    words = ", ".join(f"{factor}={level}" for factor, level in levels.items())
    return words or arm.name.partition(f", {FORK}=")[0]


def families(runs: StudyRuns) -> dict[str, list[str]]:
    """Return the names of a study's arms by family, without the baseline, equal changes in a row."""
    members: dict[str, dict[str, dict[str, None]]] = {}
    for arm in runs.plan.arms:
        if arm.role != "baseline":
            members.setdefault(family(runs, arm), {}).setdefault(change(arm), {})[arm.name] = None
    return {name: [arm for arms in by.values() for arm in arms] for name, by in members.items()}


def arm_styles(runs: StudyRuns) -> dict[str, ArmStyle]:
    """Return the style of every arm by its name: shades of its family's color, the baseline's ink."""
    styles = {arm.name: BASELINE_STYLE for arm in runs.plan.arms if arm.role == "baseline"}
    for at, names in enumerate(families(runs).values()):
        styles |= dict(zip(names, shades(at, len(names)), strict=True))
    return styles


def factor_styles(runs: StudyRuns, factor: str, levels: Sequence[str]) -> dict[str, ArmStyle]:
    """Return the style of every level of a factor, by level; the first one's is the baseline's."""
    known = list(families(runs))
    at = known.index(factor) if factor in known else len(known)
    return dict(zip(levels, [BASELINE_STYLE, *shades(at, len(levels) - 1)], strict=True))


def shades(at: int, n: int) -> list[ArmStyle]:
    """Return the styles of the `n` members of the family at a position: shades of one color.

    Any `PER_PANEL` of them in a row differ in dashes and marker, too.
    """
    luminances = np.linspace(LIGHT, DARK, min(n, PER_PANEL)) if n > 1 else [(LIGHT + DARK) / 2]
    return [
        ArmStyle(
            _with_luminance(COLORS[at % len(COLORS)], float(luminances[k % PER_PANEL])),
            DASHES[k % PER_PANEL],
            MARKERS[k % PER_PANEL],
        )
        for k in range(n)
    ]


def style_at(at: int) -> ArmStyle:
    """Return a style for what is no arm, by position; neighbors differ in color, dashes and marker."""
    return ArmStyle(COLORS[at % len(COLORS)], DASHES[at % PER_PANEL], MARKERS[at % PER_PANEL])


def luminance(color: Any) -> float:
    """Return a color's relative luminance (WCAG 2.2), from 0 to 1."""
    return float(_linear(color) @ (0.2126, 0.7152, 0.0722))


def _linear(color: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    parts = np.array(matplotlib.colors.to_rgb(color))
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def _with_luminance(color: str, wanted: float) -> str:
    """Return a color of the same hue with another relative luminance: mixed with black or white."""
    linear, now = _linear(color), luminance(color)
    mixed = (
        linear * wanted / now if wanted <= now else linear + (1 - linear) * (wanted - now) / (1 - now)
    )
    parts = np.where(mixed <= 0.0031308, mixed * 12.92, 1.055 * mixed ** (1 / 2.4) - 0.055)
    red, green, blue = np.clip(parts, 0, 1).tolist()
    return matplotlib.colors.to_hex((red, green, blue))


def panels(runs: StudyRuns, arms: Iterable[Arm]) -> dict[str, dict[str, Arm]]:
    """Return the arms to show beside the baseline by the title of their panel, then by their label.

    A panel for each family. One of more than `PER_PANEL` arms is split by the levels of its first
    factor, then into pages. A study of the baseline alone has one panel.
    """
    members: dict[str, list[Arm]] = {}
    for arm in arms:
        if arm.role != "baseline":
            members.setdefault(family(runs, arm), []).append(arm)
    shown: dict[str, dict[str, Arm]] = {}
    for title, group in members.items():
        split: dict[str, list[Arm]] = {}
        many = len(group) > PER_PANEL and any(len(arm.levels) > 1 for arm in group)
        for arm in group:
            first, level = next(iter(arm.levels.items()), ("", ""))
            split.setdefault(f"{first}={level}" if many else title, []).append(arm)
        for name, part in split.items():
            pages = [part[at : at + PER_PANEL] for at in range(0, len(part), PER_PANEL)]
            for number, page in enumerate(pages, 1):
                paged = f"{name} ({number} of {len(pages)})" if len(pages) > 1 else name
                shown[paged] = {_short(arm.name, name): arm for arm in page}
    return shown or {"baseline": {}}


def _short(name: str, title: str) -> str:
    """Return an arm's name without the part that its panel's title says."""
    return name.removeprefix(f"{title}=").removeprefix(f"{title}, ")


def panel_grid(
    n: int, height: float = 2.6, most: int = COLUMNS, shared: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure with `n` axes in rows of at most so many."""
    columns = min(most, n)
    rows = -(-n // columns)
    figure = Figure(
        figsize=(WIDTH if columns > 1 else 0.65 * WIDTH, height * rows), layout="constrained"
    )
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared).flat)
    for unused in axes[n:]:
        unused.remove()
    for lowest in axes[max(0, n - columns) : n]:
        lowest.tick_params(labelbottom=True)
    return figure, axes[:n]


def better(score: str, vertical: bool = False) -> str:
    """Return an arrow along an axis toward better values of a score."""
    arrows = {"higher": "→↑", "lower": "←↓"}[better_direction(score)]
    return f"({arrows[vertical]} better)"


def references_text(reference: Reference | None) -> str:
    """Return a sentence with the returns of random actions and of a solution; nothing without any."""
    known = {} if reference is None else {"random": reference.random, "solved": reference.threshold}
    texts = [f"{name} {value:g}" for name, value in known.items() if not math.isnan(value)]
    return f" References: {', '.join(texts)}." if texts else ""


def draw_references(axes: Iterable[Axes], reference: Reference | None) -> None:
    """Draw the returns of random actions and of a solution as lines across axes that share a scale.

    Only those that lie within twice the range of the data: one far off would flatten all curves.
    """
    axes = list(axes)
    if reference is None or not axes:
        return
    low, high = axes[0].get_ylim()
    near = (low - (high - low) / 2, high + (high - low) / 2)
    for text, value in (("random", reference.random), ("solved", reference.threshold)):
        if not near[0] <= value <= near[1]:
            continue
        for axis in axes:
            axis.axhline(value, color=FAINT, lw=0.8, dashes=(2, 2), zorder=0)
            place: Any = {"xycoords": ("axes fraction", "data"), "va": "bottom", "ha": "right"}
            axis.annotate(text, (1, value), fontsize=7, **place)
