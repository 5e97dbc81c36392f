"""Sensitivity: the score against one factor's levels, a line for every arm of the other factors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.results.load import StudyNotFound, StudyRuns, load
from ablation.study.plan import BASELINE, Arm
from analysis.effects.design_grid import DesignGrid, as_number
from analysis.effects.study_results import Results
from analysis.figures.style import INK, PAPER, ArmStyle, style
from analysis.statistics import Interval, mean
from analysis.tables.wording import interval_text

LEVELS = 3
"""Levels that a curve takes."""
SPREAD = 0.16
"""How far apart the arms' points at a level are drawn altogether, in steps between levels."""


@dataclass(frozen=True)
class Curve:
    """An arm's score by level; where it was tuned, the chosen level and its score on fresh seeds."""

    by_level: Mapping[str, Interval]
    chosen: str | None = None
    fresh: Interval = field(default_factory=Interval.missing)


def sensitivity(results: Results, environment: str) -> tuple[Figure, str] | None:
    """Return the score against the tuned factor, both stages told apart, or against a crossed one.

    Tuning seeds are hollow, with lines; the reported, fresh seeds at the chosen level are filled.
    """
    found = _tuned(results, environment) or _crossed(results, environment)
    if found is None:
        return None
    factor, curves = found
    levels = list(dict.fromkeys(level for curve in curves.values() for level in curve.by_level))
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axis = figure.subplots()
    offsets = np.linspace(-SPREAD, SPREAD, len(curves)) if len(curves) > 1 else [0.0]
    for at, (name, curve) in enumerate(curves.items()):
        look = ArmStyle(INK, (), "o") if name == BASELINE else style(at)
        _draw(axis, {level: x + offsets[at] for x, level in enumerate(levels)}, name, curve, look)
    axis.set_xticks(range(len(levels)), levels)
    axis.set_xlabel(factor)
    axis.set_ylabel(results.score.replace("_", " "))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), title=_key(curves), title_fontsize=7)
    return figure, " ".join(_words(name, curve) for name, curve in curves.items())


def _draw(axis: Axes, places: Mapping[str, float], name: str, curve: Curve, look: ArmStyle) -> None:
    tuned = curve.chosen is not None
    points = {level: point for level, point in curve.by_level.items() if point.n}
    at = [places[level] for level in points]
    sizes = sorted({point.n for point in points.values()})
    n = f"n={sizes[0]}" if len(sizes) == 1 else f"n={sizes[0]} to {sizes[-1]}" if sizes else "missing"
    text = f"{name} ({n}" + (f", then {curve.fresh.n})" if tuned else ")")
    (line,) = axis.plot(at, [p.estimate for p in points.values()], color=look.colour, lw=1.2, label=text)
    line.set(marker=look.marker, markersize=4, markerfacecolor=PAPER if tuned else look.colour)
    line.set_dashes(look.dashes or (None, None))
    for x, point in zip(at, points.values(), strict=True):
        axis.plot([x] * 2, [point.low, point.high], color=look.colour, lw=0.8, alpha=0.6)
    if curve.chosen is not None and curve.fresh.n:
        x = places[curve.chosen]
        axis.plot([x] * 2, [curve.fresh.low, curve.fresh.high], color=look.colour, lw=2.2)
        axis.plot(x, curve.fresh.estimate, look.marker, color=look.colour, ms=7)


def _tuned(results: Results, environment: str) -> tuple[str, dict[str, Curve]] | None:
    """Return the tuned factor, and each arm's curve over the tuning seeds with its fresh score."""
    study = results.runs.plan.study
    if study.tune is None:
        return None
    try:
        tuning = load(study.tuning_name, results.runs.root)
    except StudyNotFound:
        return None
    fresh = {row.arm.name: row.mean for row in results.of_environment(environment)}
    chosen = {x.arm: x.level for x in results.runs.plan.choices if x.environment == environment}
    order = list(study.factors[study.tune.factor].overrides())
    curves = {}
    for name, reported in fresh.items():
        found = {
            arm.levels[study.tune.factor]: _mean(tuning, arm, results.score)
            for arm in tuning.arms(environment)
            if arm.candidate_of == name
        }
        if found:
            ordered = {level: found[level] for level in order if level in found}
            curves[name] = Curve(ordered, chosen.get(name), reported)
    return (study.tune.factor, curves) if curves else None


def _crossed(results: Results, environment: str) -> tuple[str, dict[str, Curve]] | None:
    """Return the crossed factor of numbers with most levels, and a curve for each arm of the others."""
    levels = results.levels[environment]
    factor = _longest(levels)
    if factor is None or not levels.complete:
        return None
    order = sorted(levels.factors[factor], key=lambda level: as_number(level) or math.nan)
    at = list(levels.factors).index(factor)
    means = {row.arm.name: row.mean for row in results.of_environment(environment)}
    curves: dict[str, dict[str, Interval]] = {}
    for level in order:
        for key, arm in levels.arm_at.items():
            if key[at] == level:
                others = [
                    f"{name}={value}"
                    for name, value in zip(levels.factors, key, strict=True)
                    if name != factor
                ]
                curves.setdefault(", ".join(others), {})[level] = means[arm.name]
    return factor, {name: Curve(by_level) for name, by_level in curves.items()}


def _longest(levels: DesignGrid) -> str | None:
    found = {
        name: len(of)
        for name, of in levels.factors.items()
        if len(of) >= LEVELS and all(as_number(level) for level in of)
    }
    return max(found, key=found.__getitem__) if found else None


def _mean(runs: StudyRuns, arm: Arm, score: str) -> Interval:
    values = runs.scores(arm, score)
    return mean(values[~np.isnan(values)])


def _key(curves: Mapping[str, Curve]) -> str:
    tuned = any(curve.chosen for curve in curves.values())
    return "line: tuning seeds; large: fresh seeds, chosen level" if tuned else ""


def _words(name: str, curve: Curve) -> str:
    points = "; ".join(
        f"{level} {interval_text(point)}, n = {point.n}" for level, point in curve.by_level.items()
    )
    if curve.chosen is None:
        return f"{name}: {points}."
    fresh = f"{interval_text(curve.fresh)}, n = {curve.fresh.n}"
    return f"{name}, tuning seeds: {points}; chosen {curve.chosen}, fresh seeds: {fresh}."
