"""What each factor of a study does, in sentences: significantly different or not, and by how much."""

from __future__ import annotations

import math

from analysis.effects.comparisons import Comparison
from analysis.effects.design_grid import UNNAMED, DesignGrid
from analysis.effects.factorial_effects import FactorialEffect
from analysis.statistics import Estimate
from analysis.tables.wording import MOST_SHOWN, interval_text, number, p_value_text, seeds_text


def answers_by_factor(
    rows: list[Comparison], grid: DesignGrid, effects: list[FactorialEffect]
) -> list[tuple[str, str]]:
    """Return a name and a sentence for each factor of an environment.

    Where factors are crossed, their main effects answer; interactions and other arms that change
    several factors follow under their joined names.
    """
    clauses: dict[str, list[str]] = {}
    for effect in effects:
        clauses.setdefault(" x ".join(effect.levels), []).append(_effect_conclusion(effect))
    for row in rows:
        changed = {
            name: level for name, level in row.arm.levels.items() if level != _baseline_level(grid, name)
        }
        name = " x ".join(changed)
        if row.arm.role == "baseline" or not changed or (effects and name in clauses):
            continue
        if not effects or len(changed) == 1:
            label = ", ".join(changed.values()) if len(changed) == 1 else row.arm.name
            clauses.setdefault(name, []).append(f"{label} {arm_conclusion(row)}")
    return [(name, "; ".join(parts) + ".") for name, parts in clauses.items()]


def arm_conclusion(row: Comparison) -> str:
    """Return a clause about an arm: significantly different or inconclusive, effect, n, p.

    An inconclusive one ends with the minimum detectable effect.
    """
    difference = row.difference
    if difference is None:
        return "is identical to the baseline (same configuration)"
    if difference.n == 0:
        counts = ", ".join(f"{n} {status}" for status, n in row.statuses.items())
        return f"has no runs to compare ({counts})"
    effect = _effect_text(difference, row.p_value)
    if row.significant:
        return f"is significantly {_direction(difference)} than the baseline ({effect})"
    planned = _planned_text(row, difference)
    if not row.judged:
        return f"differs from the baseline by {effect}, without a verdict{planned}"
    return f"is inconclusive ({effect}){planned}"


def _planned_text(row: Comparison, difference: Estimate) -> str:
    """Return which effect so many seeds find, and how many seeds the estimated one takes."""
    if math.isnan(row.detectable):
        return ""
    text = f", minimum detectable effect at n = {difference.n}: {number(row.detectable)}"
    about = "about " if row.seeds_to_find <= MOST_SHOWN else ""
    seeds, size = seeds_text(row.seeds_to_find), number(abs(difference.value))
    return f"{text}, and to find a difference of {size} takes {about}{seeds} seeds (80 % power)"


def _effect_conclusion(effect: FactorialEffect) -> str:
    difference = effect.difference
    levels = ", ".join(effect.levels.values())
    if difference.n == 0:
        return f"{levels}: no seed has all the runs that this effect needs"
    text = _effect_text(difference, effect.p_value)
    kind = "on average over the other factors" if len(effect.levels) == 1 else "interaction"
    if not effect.judged:
        return f"{levels} ({kind}) is {text}, without a verdict"
    if not effect.significant:
        return f"{levels} ({kind}) is inconclusive ({text})"
    return f"{levels} ({kind}) is significantly {_direction(difference)} ({text})"


def _effect_text(difference: Estimate, p_value: float | None) -> str:
    if p_value is None or math.isnan(p_value):
        return f"{interval_text(difference, signed=True)}, n = {difference.n}"
    p_text = p_value_text(p_value)
    equals = "" if p_text.startswith("<") else "= "
    return f"{interval_text(difference, signed=True)}, n = {difference.n}, p {equals}{p_text}"


def _direction(difference: Estimate) -> str:
    return "higher" if difference.value > 0 else "lower"


def _baseline_level(grid: DesignGrid, factor: str) -> str:
    return grid.factors.get(factor, [UNNAMED])[0]
