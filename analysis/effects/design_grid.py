"""The design grid of an environment: its factors, their levels, and the arm of every combination.

Read from the levels that the plan's arms and merged combinations carry, never from their names.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from ablation.results.load import StudyRuns
from ablation.study.plan import Arm

UNNAMED = "baseline"
"""Stands for the baseline's level where the plan does not name it."""
ABSENT = frozenset({"none", "off", "false", "no", "0", "without", "absent"})
"""Levels that say that a component is not there."""

ArmLevels = tuple[dict[str, str], Arm]
"""Levels off the baseline by factor, and the arm that has them."""


@dataclass(frozen=True)
class CrossedPart:
    """Factors with levels of theirs that are crossed completely, the baseline's level first.

    `arms` has the arms of every combination, one for each setting of the other factors, in the same
    order for every combination.
    """

    factors: dict[str, list[str]]
    arms: dict[tuple[str, ...], list[Arm]]


@dataclass(frozen=True)
class DesignGrid:
    """The factors of an environment and the arm of every combination of their levels.

    `factors` lists each factor's levels in the study's order, the baseline's first. `arm_at` has every
    combination in the plan, merged ones included, by its levels in the order of the factors.
    """

    factors: dict[str, list[str]]
    arm_at: dict[tuple[str, ...], Arm]

    def levels_of(self, arm: Arm) -> tuple[str, ...]:
        """Return an arm's level of every factor."""
        return tuple(arm.levels.get(factor, known[0]) for factor, known in self.factors.items())

    @property
    def complete(self) -> bool:
        """Return whether several factors are crossed and every combination has an arm."""
        sizes = [len(levels) for levels in self.factors.values()]
        return len(sizes) > 1 and math.prod(sizes) == len(self.arm_at)

    def crossed(self, *names: str) -> dict[tuple[str, ...], list[Arm]] | None:
        """Return the arms of each combination of the named factors' levels.

        One arm for each setting of the other factors under which every combination has an arm, in the
        same order for every combination; None if there is no such setting.
        """
        columns = [list(self.factors).index(name) for name in names]
        settings: dict[tuple[str, ...], dict[tuple[str, ...], Arm]] = {}
        for levels, arm in self.arm_at.items():
            others = tuple(level for column, level in enumerate(levels) if column not in columns)
            settings.setdefault(others, {})[tuple(levels[column] for column in columns)] = arm
        combinations = list(itertools.product(*(self.factors[name] for name in names)))
        full = [arms for arms in settings.values() if len(arms) == len(combinations)]
        return {levels: [arms[levels] for arms in full] for levels in combinations} if full else None

    def largest_crossed_part(self) -> CrossedPart | None:
        """Return the part of the whole design that is crossed completely, None below two factors.

        Levels are left out one at a time, each time the one of whose combinations most are lacking.
        """
        levels = {name: list(known) for name, known in self.factors.items()}
        present = dict(self.arm_at)
        while len(present) < math.prod(map(len, levels.values())):
            factor, level = _most_lacking(levels, present)
            levels[factor].remove(level)
            column = list(levels).index(factor)
            present = {key: arm for key, arm in present.items() if key[column] != level}
        columns = [at for at, known in enumerate(levels.values()) if len(known) > 1]
        if len(columns) < 2:
            return None
        factors = {name: known for name, known in levels.items() if len(known) > 1}
        combinations = itertools.product(*levels.values())
        arms = {tuple(key[at] for at in columns): [present[key]] for key in combinations}
        return CrossedPart(factors, arms)

    def along(self, factor: str) -> dict[str, Arm]:
        """Return the arms that differ from the baseline in this factor at most, by its level."""
        column = list(self.factors).index(factor)
        base = tuple(levels[0] for levels in self.factors.values())
        keys = {level: (*base[:column], level, *base[column + 1 :]) for level in self.factors[factor]}
        return {level: self.arm_at[key] for level, key in keys.items() if key in self.arm_at}

    @property
    def has_only_components(self) -> bool:
        """Return whether there are several factors and each is a component that is there or not."""
        return len(self.factors) > 1 and all(
            len(levels) == 2 and sum(level.lower() in ABSENT for level in levels) == 1
            for levels in self.factors.values()
        )


def _most_lacking(levels: dict[str, list[str]], present: Collection[tuple[str, ...]]) -> tuple[str, str]:
    """Return the factor and level, none of the baseline's, that lacks most of its combinations."""
    total = math.prod(map(len, levels.values()))
    lacking = {}
    for column, (factor, known) in enumerate(levels.items()):
        counts = Counter(key[column] for key in present)
        for level in known[1:]:
            lacking[factor, level] = 1 - counts[level] * len(known) / total
    return max(lacking, key=lacking.__getitem__)


def as_number(level: str) -> float | None:
    """Return a level as a positive number, `2^-10` included; None for any other."""
    base, _, exponent = level.partition("^")
    try:
        value = float(base) ** float(exponent or 1)
    except (ValueError, OverflowError, ZeroDivisionError):
        return None
    return value if value > 0 and not math.isinf(value) else None


def design_grid(runs: StudyRuns, environment: str) -> DesignGrid:
    """Return the design grid of an environment."""
    arms = {arm.name: arm for arm in runs.arms(environment) if not runs.beside_ours(arm)}
    merged = [
        (entry.levels, arms[entry.into])
        for entry in runs.plan.merged
        if entry.environment == environment and entry.into in arms
    ]
    baseline = runs.baseline(environment)
    combinations = [(arm.levels, arm) for arm in arms.values()] + merged
    factors = _factors(runs, combinations, _baseline_levels(baseline, merged))
    arm_at: dict[tuple[str, ...], Arm] = {}
    for levels, arm in [({}, baseline), *combinations]:
        key = tuple(levels.get(factor, known[0]) for factor, known in factors.items())
        arm_at.setdefault(key, arm)
    return DesignGrid(factors, arm_at)


def _factors(
    runs: StudyRuns, combinations: list[ArmLevels], baseline: dict[str, str]
) -> dict[str, list[str]]:
    """Return each factor's levels that the plan uses, the baseline's first."""
    factors = {}
    for factor in dict.fromkeys(name for levels, _ in combinations for name in levels):
        study = runs.plan.study.factors.get(factor)
        declared = list(study.overrides()) if study else []
        used = [levels[factor] for levels, _ in combinations if factor in levels]
        ordered = [level for level in [*declared, *used] if level in used]
        factors[factor] = list(dict.fromkeys([baseline.get(factor, UNNAMED), *ordered]))
    return factors


def _baseline_levels(baseline: Arm, merged: list[ArmLevels]) -> dict[str, str]:
    """Return the baseline's level by factor: its own, or that of combinations merged into it.

    Where these differ, the commonest counts.
    """
    votes: dict[str, Counter[str]] = {}
    for levels in [baseline.levels, *(levels for levels, arm in merged if arm is baseline)]:
        for factor, level in levels.items():
            votes.setdefault(factor, Counter())[level] += 1
    return {factor: counts.most_common(1)[0][0] for factor, counts in votes.items()}
