"""Which figures a study has, drawn one at a time, and how they are written."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from analysis.effects.study_results import Results
from analysis.figures import curves, effects, sensitivity
from analysis.figures.style import STYLE
from analysis.studies import article_figure as training
from analysis.studies import cliffwalk_figure as cliffwalk
from analysis.studies import digits_figure as digits

FORMATS = ("svg", "png", "pdf")
DOTS_PER_INCH = 160


@dataclass(frozen=True)
class Drawn:
    """A figure with its file's name, its title, and what it shows in words."""

    name: str
    title: str
    figure: Figure
    alternative: str


Maybe = tuple[Figure, str] | None


def _curves(results: Results, seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    for environment, env_id in _environments(results):
        drawn = curves.learning_curves(results, environment, seeds)
        yield f"curves-{environment}", f"Learning curves, {env_id}", drawn


def _efficiency(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    for environment, env_id in _environments(results):
        drawn = curves.sample_efficiency(results, environment)
        yield f"efficiency-{environment}", f"Sample efficiency, {env_id}", drawn


def _profiles(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    if results.across and len(results.runs.environments) > 1:
        drawn = curves.performance_profiles(results, results.runs.environments[0], normalised=True)
        yield "profiles", "Performance profiles, all environments", drawn
        return
    for environment, env_id in _environments(results):
        drawn = curves.performance_profiles(results, environment, normalised=False)
        yield f"profiles-{environment}", f"Performance profiles, {env_id}", drawn


def _differences(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    yield "differences", "Differences from the baseline", effects.forest_plot(results)


def _improvement(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    yield "improvement", "Probability of improvement", effects.improvement_plot(results)


def _doses(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    yield "doses", "Dose and response", effects.dose_response(results)


def _sensitivity(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    for environment, env_id in _environments(results):
        drawn = sensitivity.sensitivity(results, environment)
        yield f"sensitivity-{environment}", f"Sensitivity, {env_id}", drawn


def _factors(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    for environment, env_id in _environments(results):
        drawn = effects.two_factors(results, environment)
        yield f"factors-{environment}", f"Two factors at a time, {env_id}", drawn


def _training(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    yield "training", "The article's outputs: reward and loss", training.training_outputs(results)


def _cliffwalk(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    yield "cliffwalk", "Updates until the values are right", cliffwalk.updates_by_transitions(results)


def _classes(results: Results, _seeds: bool) -> Iterator[tuple[str, str, Maybe]]:
    for environment, env_id in _environments(results):
        drawn = digits.accuracy_by_class(results, environment)
        yield f"classes-{environment}", f"Accuracy by class, {env_id}", drawn


FIGURES: dict[str, Callable[[Results, bool], Iterator[tuple[str, str, Maybe]]]] = {
    "differences": _differences,
    "curves": _curves,
    "training": _training,
    "cliffwalk": _cliffwalk,
    "classes": _classes,
    "efficiency": _efficiency,
    "doses": _doses,
    "sensitivity": _sensitivity,
    "factors": _factors,
    "profiles": _profiles,
    "improvement": _improvement,
}


def draw(results: Results, kind: str, seeds: bool = False) -> Iterator[Drawn]:
    """Yield the figures of one kind; none that would be empty. `seeds` draws single runs as well."""
    if results.empty:
        return
    with mpl.rc_context(STYLE):
        for name, title, drawn in FIGURES[kind](results, seeds):
            if drawn is not None:
                yield Drawn(name, title, *drawn)


def write(drawn: Drawn, directory: Path, formats: tuple[str, ...] = FORMATS) -> list[Path]:
    """Write a figure into a directory and return its files."""
    paths = []
    with mpl.rc_context(STYLE):
        # Arranging takes as long as drawing: once is enough for all formats.
        drawn.figure.draw_without_rendering()
        drawn.figure.set_layout_engine("none")
        for suffix in formats:
            path = directory / f"{drawn.name}.{suffix}"
            data = io.BytesIO()
            metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix, {})
            # A page has its own background; files go onto white paper.
            behind = "none" if suffix == "svg" else "white"
            drawn.figure.savefig(
                data, format=suffix, dpi=DOTS_PER_INCH, metadata=metadata, facecolor=behind
            )
            path.write_bytes(data.getvalue())
            paths.append(path)
    return paths


def _environments(results: Results) -> list[tuple[str, str]]:
    return [(name, results.runs.arms(name)[0].env_id) for name in results.runs.environments]
