"""What a kind of figure is, and how figures are drawn and saved."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from analysis.effects.study_results import StudyResults
from analysis.figures.fonts import cover
from analysis.figures.style import STYLE

FORMATS = ("svg", "png", "pdf")
DOTS_PER_INCH = 160

Drawing = tuple[Figure, str] | None
"""A figure and its text description, or None where the study has nothing to show in it."""

Drawings = Iterator[tuple[str, Drawing]]
"""Drawings of one kind, each after the environment that it is about, "" for all of them."""


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure: its name on the command line and of its files, its title, and how it is drawn.

    `draw(results, seeds)` yields the drawings; `seeds` asks for single runs, where it shows those on
    demand (`single_runs`). The page folds the `details` away.
    """

    name: str
    title: str
    draw: Callable[[StudyResults, bool], Drawings]
    details: bool = False
    single_runs: bool = False


@dataclass(frozen=True)
class StudyFigure:
    """A figure with the name of its files, its title and its text description."""

    name: str
    title: str
    figure: Figure
    description: str


def whole_study(draw: Callable[[StudyResults], Drawing]) -> Callable[[StudyResults, bool], Drawings]:
    """Return the drawer of a kind with one figure for a whole study."""

    def drawings(results: StudyResults, _seeds: bool) -> Drawings:
        yield "", draw(results)

    return drawings


def each_environment(
    draw: Callable[[StudyResults, str], Drawing],
) -> Callable[[StudyResults, bool], Drawings]:
    """Return the drawer of a kind with a figure for each environment of a study."""

    def drawings(results: StudyResults, _seeds: bool) -> Drawings:
        for environment, _ in results.environments:
            yield environment, draw(results, environment)

    return drawings


def draw_figures(results: StudyResults, kind: FigureKind, seeds: bool = False) -> Iterator[StudyFigure]:
    """Yield a study's figures of one kind, without empty ones; `seeds` shows single runs as well."""
    if results.empty:
        return
    ids = dict(results.environments)
    with mpl.rc_context(STYLE):
        for environment, drawing in kind.draw(results, seeds):
            if drawing is not None:
                figure, description = drawing
                name = f"{kind.name}-{environment}" if environment else kind.name
                title = f"{kind.title}, {ids[environment]}" if environment else kind.title
                lacking = cover(figure)
                note = f" No font here has {lacking}: PNG and PDF show boxes instead." if lacking else ""
                yield StudyFigure(name, title, figure, description + note)


def render(figure: StudyFigure, formats: Sequence[str]) -> dict[str, bytes]:
    """Return a figure's files by format."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # The description names characters that no font has.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        # Layout takes as long as drawing: compute it once for all formats.
        figure.figure.draw_without_rendering()
        figure.figure.set_layout_engine("none")
        return {suffix: _rendered(figure.figure, suffix) for suffix in formats}


def save_figure(figure: StudyFigure, directory: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a figure into a directory, a file for each format, and return the files."""
    paths = []
    for suffix, data in render(figure, formats).items():
        paths.append(directory / f"{figure.name}.{suffix}")
        paths[-1].write_bytes(data)
    return paths


def _rendered(figure: Figure, suffix: str) -> bytes:
    data = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix, {})
    # The page puts its own background behind an SVG; other files have a white one.
    background = "none" if suffix == "svg" else "white"
    figure.savefig(data, format=suffix, dpi=DOTS_PER_INCH, metadata=metadata, facecolor=background)
    return data.getvalue()
