"""How numbers, intervals and results are worded, the same in tables, figures, page and terminal."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ablation.results.scores import SCORES
from analysis.effects.comparisons import Comparison, Effect
from analysis.effects.design_grid import UNNAMED, DesignGrid
from analysis.statistics import Interval

NO_INTERVAL = "n/a"
ENOUGH = 0.93
"""Coverage below which a report says so."""
COVERAGE = Path(__file__).parent / "coverage.csv"


def number(value: float) -> str:
    """Return a score with about three significant digits, large ones to the tenth."""
    if math.isnan(value):
        return NO_INTERVAL
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def interval_text(interval: Interval, signed: bool = False, missing: str = "missing") -> str:
    """Return `estimate [low, high]`; `missing` without runs, with one run no interval."""
    if interval.n == 0 or math.isnan(interval.estimate):
        return missing
    sign = "+" if signed and interval.estimate > 0 else ""
    if math.isnan(interval.low):
        return f"{sign}{number(interval.estimate)} [{NO_INTERVAL}]"
    return f"{sign}{number(interval.estimate)} [{number(interval.low)}, {number(interval.high)}]"


def p_text(p_value: float | None) -> str:
    """Return a p-value with three decimals; nothing where there is none."""
    if p_value is None:
        return ""
    if math.isnan(p_value):
        return NO_INTERVAL
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def what_is_missing(statuses: Mapping[str, int]) -> str:
    """Return a word for a cell without any score: its runs' status if they share one."""
    lacking = [status for status in statuses if status != "complete"]
    return lacking[0] if len(statuses) == 1 and lacking else "no data"


def result(row: Comparison) -> str:
    """Return a clause on an arm: higher, lower or not resolved, effect, n, and what n could show."""
    difference = row.difference
    if difference is None:
        return "trains exactly what the baseline trains"
    if difference.n == 0:
        counts = ", ".join(f"{n} {status}" for status, n in row.statuses.items())
        return f"has no runs to compare ({counts})"
    effect = f"{interval_text(difference, signed=True)}, n = {difference.n}, p {_equals(row.p_value)}"
    if row.resolved:
        return f"is {'higher' if difference.estimate > 0 else 'lower'} than the baseline ({effect})"
    blind = ""
    if not math.isnan(row.detectable):
        blind = f"; {difference.n} runs would show {number(row.detectable)} with 80 % power"
    return f"is not resolved ({effect}{blind})"


def answers(rows: list[Comparison], levels: DesignGrid, effects: list[Effect]) -> list[tuple[str, str]]:
    """Return a sentence for each factor of an environment: its name and what is known of it.

    Where factors are crossed their main effects answer; interactions and other arms that change
    several factors follow with their names joined.
    """
    found: dict[str, list[str]] = {}
    for effect in effects:
        name = " x ".join(effect.levels)
        found.setdefault(name, []).append(_effect(effect))
    for row in rows:
        changed = {name: level for name, level in row.arm.levels.items() if level != _base(levels, name)}
        name = " x ".join(changed)
        if row.arm.role == "baseline" or not changed or (effects and name in found):
            continue
        if not effects or len(changed) == 1:
            label = ", ".join(changed.values()) if len(changed) == 1 else row.arm.name
            found.setdefault(name, []).append(f"{label} {result(row)}")
    return [(name, "; ".join(clauses) + ".") for name, clauses in found.items()]


def verdict(rows: list[Comparison]) -> str:
    """Return one sentence that counts what is resolved."""
    compared = [row for row in rows if row.difference is not None and row.difference.n > 0]
    if not compared:
        return "There is nothing to compare with the baseline yet."
    resolved = [row.arm.name for row in compared if row.resolved]
    rest = len(compared) - len(resolved)
    open_ = (
        f"{rest} of {len(compared)} arms {'is' if rest == 1 else 'are'} not resolved from the baseline"
    )
    if not resolved:
        return f"{open_}: this study tells no arm from it."
    return f"Resolved from the baseline: {'; '.join(resolved)}. " + (f"{open_}." if rest else "")


def shortfalls(intervals: Mapping[str, int]) -> list[str]:
    """Return a sentence for each interval (by name in `coverage.csv`, with its smallest n) that held
    the truth in less than 93 % of simulations with so few runs.
    """
    found = []
    for name, n in intervals.items():
        known = [size for interval, _, size in _coverage() if interval == name]
        sizes = [size for size in known if size <= n] or known[:1]
        for scores in ("normal", "skewed") if sizes else ():
            size = max(sizes)
            value = _coverage()[name, scores, size]
            if value < ENOUGH:
                kind = "skewed, bounded" if scores == "skewed" else scores
                found.append(
                    f"The 95 % interval of the {name} held the truth in {value:.1%} of simulations with "
                    f"{kind} scores at n = {size}."
                )
    return found


@cache
def _coverage() -> dict[tuple[str, str, int], float]:
    with COVERAGE.open(newline="") as file:
        return {
            (row["interval"], row["scores"], int(row["n"])): float(row["coverage"])
            for row in csv.DictReader(file)
        }


def _base(levels: DesignGrid, name: str) -> str:
    return levels.factors.get(name, [UNNAMED])[0]


def _equals(p_value: float | None) -> str:
    text = p_text(p_value)
    return text if text.startswith("<") else f"= {text}"


def _effect(effect: Effect) -> str:
    difference = effect.difference
    levels = ", ".join(effect.levels.values())
    if difference.n == 0:
        return f"{levels}: no seed has all runs that this takes"
    text = f"{interval_text(difference, signed=True)}, n = {difference.n}, p {_equals(effect.p_value)}"
    kind = "on average over the other factors" if len(effect.levels) == 1 else "interaction"
    if not effect.resolved:
        return f"{levels} ({kind}) is not resolved ({text})"
    return f"{levels} ({kind}) is {'higher' if difference.estimate > 0 else 'lower'} ({text})"


def better(score: str) -> str:
    """Return which direction of a score is better, in a word."""
    return "higher" if SCORES[score].higher_is_better else "lower"
