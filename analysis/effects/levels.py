"""What the arms of an environment say about its design: the level of every factor in every arm.

Read from the levels that the plan's arms carry, never from the name of a design.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass

from ablation.results.load import StudyRuns
from ablation.study.plan import Arm

UNNAMED = "baseline"
"""Stands for the baseline's level where the plan does not name it."""
ABSENT = frozenset({"none", "off", "false", "no", "0", "without", "absent"})


@dataclass(frozen=True)
class Levels:
    """The factors of an environment, each with its levels in the study's order, baseline's first;
    and the arm of every combination, merged ones included, by its levels in the factors' order.
    """

    factors: dict[str, list[str]]
    points: dict[tuple[str, ...], Arm]

    def of_arm(self, arm: Arm) -> tuple[str, ...]:
        """Return an arm's level of every factor."""
        return next(levels for levels, found in self.points.items() if found is arm)

    @property
    def complete(self) -> bool:
        """Return whether there is an arm for every combination of several factors."""
        sizes = [len(levels) for levels in self.factors.values()]
        return len(sizes) > 1 and math.prod(sizes) == len(self.points)

    def grid(self, *names: str) -> dict[tuple[str, ...], list[Arm]] | None:
        """Return the arms of each combination of some factors' levels.

        One arm for each setting of the other factors that has all combinations, in the same order
        everywhere; None where no setting has them all.
        """
        at = [list(self.factors).index(name) for name in names]
        settings: dict[tuple[str, ...], dict[tuple[str, ...], Arm]] = {}
        for levels, arm in self.points.items():
            others = tuple(level for i, level in enumerate(levels) if i not in at)
            settings.setdefault(others, {})[tuple(levels[i] for i in at)] = arm
        chosen = list(itertools.product(*(self.factors[name] for name in names)))
        full = [found for found in settings.values() if len(found) == len(chosen)]
        return {levels: [found[levels] for found in full] for levels in chosen} if full else None

    def along(self, factor: str) -> dict[str, Arm]:
        """Return the arms that differ from the baseline in one factor at most, by its level."""
        at = list(self.factors).index(factor)
        base = tuple(levels[0] for levels in self.factors.values())
        lines = {level: (*base[:at], level, *base[at + 1 :]) for level in self.factors[factor]}
        return {level: self.points[line] for level, line in lines.items() if line in self.points}

    @property
    def components(self) -> bool:
        """Return whether every factor is something that is there or not, and several are."""
        return len(self.factors) > 1 and all(
            len(levels) == 2 and sum(level.lower() in ABSENT for level in levels) == 1
            for levels in self.factors.values()
        )


def as_number(level: str) -> float | None:
    """Return a level as a positive number, `2^-10` included; None for any other."""
    base, _, exponent = level.partition("^")
    try:
        value = float(base) ** float(exponent or 1)
    except (ValueError, OverflowError, ZeroDivisionError):
        return None
    return value if value > 0 and not math.isinf(value) else None


def levels_of(runs: StudyRuns, environment: str) -> Levels:
    """Return the factors and combinations of an environment's arms."""
    arms = {arm.name: arm for arm in runs.arms(environment)}
    merged = [
        (levels, arms[entry.into])
        for entry in runs.plan.merged
        if entry.environment == environment and entry.into in arms
        for levels in [_named(runs, entry.name)]
        if levels is not None
    ]
    baseline = runs.baseline(environment)
    named = [(arm.levels, arm) for arm in arms.values()] + merged
    base = _baseline_levels(baseline, merged)
    factors: dict[str, list[str]] = {}
    for levels, _ in named:
        for factor in levels:
            factors.setdefault(factor, [base.get(factor, UNNAMED)])
    for factor, found in factors.items():
        study = runs.plan.study.factors.get(factor)
        declared = list(study.overrides()) if study else []
        used = [levels[factor] for levels, _ in named if factor in levels]
        rest = [level for level in dict.fromkeys([*declared, *used]) if level in used]
        found.extend(level for level in rest if level not in found)
    points: dict[tuple[str, ...], Arm] = {}
    for levels, arm in [({}, baseline), *named]:
        key = tuple(levels.get(factor, found[0]) for factor, found in factors.items())
        points.setdefault(key, arm)
    return Levels(factors, points)


def _baseline_levels(baseline: Arm, merged: list[tuple[dict[str, str], Arm]]) -> dict[str, str]:
    """Return the baseline's levels: its own, or those of combinations that train what it trains.

    Among several the one that agrees with most of the others' counts, by factor.
    """
    votes: dict[str, Counter[str]] = {}
    for levels in [baseline.levels, *(levels for levels, arm in merged if arm is baseline)]:
        for factor, level in levels.items():
            votes.setdefault(factor, Counter())[level] += 1
    return {factor: counts.most_common(1)[0][0] for factor, counts in votes.items()}


def _named(runs: StudyRuns, name: str) -> dict[str, str] | None:
    """Return the levels that a combination's name spells, from the factors that the study declares."""
    found: dict[str, str] = {}
    rest = name
    while rest:
        for factor, declared in runs.plan.study.factors.items():
            fitting = [
                level
                for level in declared.overrides()
                if rest == f"{factor}={level}" or rest.startswith(f"{factor}={level}, ")
            ]
            if fitting:
                level = max(fitting, key=len)
                found[factor] = level
                rest = rest.removeprefix(f"{factor}={level}").removeprefix(", ")
                break
        else:
            return None
    return found
