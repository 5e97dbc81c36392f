"""Expands a study declaration into arms and cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

from ablation.config.cell import Cell
from ablation.config.fork import forked
from ablation.config.near import one_of
from ablation.config.schema import CellConfig
from ablation.config.validation import ConfigError
from ablation.study.declaration import BASELINE, CONTROL, Study
from ablation.study.designs import Combination, Overrides, combinations
from ablation.study.plan import Arm, Merged, Plan, Pruned

Resolve = Callable[[Mapping[str, Any]], CellConfig]
"""Overrides on the default configuration -> the validated configuration of a cell."""


def expand(study: Study, resolve: Resolve) -> Plan:
    """Return the plan of a study: its designs' combinations as arms, equal ones merged.

    Raises `ConfigError` for the first combination whose configuration is refused.
    """
    plan = Plan(study, [], [])
    for environment in study.environments:
        _Environment(plan, environment, resolve).expand()
    return plan


class _Environment:
    """The arms of one environment of a plan."""

    def __init__(self, plan: Plan, environment: str, resolve: Resolve) -> None:
        self._plan, self._study = plan, plan.study
        self._environment, self._resolve = environment, resolve
        self._names: dict[str, str] = {}
        """The first arm of each cell, by the cell's name."""
        self._arms: dict[str, str] = {}
        """The cell of each arm, by the arm's name."""

    def expand(self) -> None:
        """Add the baseline, every combination of every design, and the control."""
        self._add(Combination({}))
        for part in self._study.designs:
            off = self._off if part.design in ("leave_one_out", "add_one_in") else {}
            for combination in combinations(part, self._study.crossed, off):
                self._constrain(combination)
        if self._study.control:
            base = next(arm for arm in self._plan.arms if arm.environment == self._environment)
            overrides, seeds = base.overrides, self._study.control_seeds
            self._plan.arms.append(
                Arm(CONTROL, "control", self._environment, base.env_id, {}, overrides, base.cell, seeds)
            )

    def _constrain(self, asked: Combination) -> None:
        """Add a combination as the constraints leave it: as it is, collapsed, or not at all."""
        combination, reasons = asked, []
        for constraint in self._study.constraints:
            # A factor that a combination does not name is at its baseline level.
            if not constraint.applies(self._baseline_levels | combination.levels):
                continue
            if constraint.forbid is not None:
                levels = asked.shown_levels
                pruned = Pruned(asked.label, self._environment, constraint.reason, levels)
                self._plan.pruned.append(pruned)
                return
            shorter = combination.without(constraint.collapse or ())
            if shorter is not combination:
                combination = shorter
                reasons.append(constraint.reason)
        into = self._add(combination)
        if combination is not asked and into != asked.label:
            self._merge(asked, into, "; ".join(reasons))

    def _add(self, combination: Combination) -> str:
        """Add a combination as an arm, or as merged into one; return the arm that has its cell."""
        overrides = combination.all_overrides(self._study.factors)
        every = self._every(overrides)
        config = self._resolve(every)
        if combination.fork is not None:
            config = forked(self._baseline, config, combination.fork)
        cell = Cell(config)
        name = combination.label or BASELINE
        if self._arms.get(name, cell.name) != cell.name:
            name = combination.words or f"{name} ({cell.name[-4:]})"
        if cell.name in self._names:
            into = self._names[cell.name]
            if name != into:
                self._merge(combination, into, f"trains exactly what {into} trains")
            return into
        self._names[cell.name], self._arms[name] = name, cell.name
        role: Literal["baseline", "arm"] = "baseline" if name == BASELINE else "arm"
        levels, seeds = combination.shown_levels, self._study.seeds
        self._plan.arms.append(
            Arm(name, role, self._environment, cell.config.env.id, levels, every, cell.name, seeds)
        )
        self._plan.add_cells([cell])
        return name

    def _merge(self, combination: Combination, into: str, reason: str) -> None:
        levels = combination.shown_levels
        merged = Merged(combination.label, self._environment, into, reason, levels)
        if (merged.name, merged.environment) not in {(m.name, m.environment) for m in self._plan.merged}:
            self._plan.merged.append(merged)

    @cached_property
    def _baseline_levels(self) -> dict[str, str]:
        """The level that each factor has in the baseline, of those that have one there."""
        levels = {}
        for name in self._study.factors:
            same = [level for level, cell in self._cells_of(name).items() if cell == self._baseline_cell]
            if same:
                levels[name] = same[0]
        return levels

    @cached_property
    def _off(self) -> dict[str, str]:
        """The level of each factor that leaves its component out of the baseline."""
        return {name: self._off_level(name) for name in self._study.crossed}

    def _off_level(self, name: str) -> str:
        factor, key = self._study.factors[name], f"study.factors.{name}.off"
        levels = list(factor.overrides())
        if factor.off is not None:
            if str(factor.off) not in levels:
                raise ConfigError(key, factor.off, one_of(factor.off, levels))
            return str(factor.off)
        others = [level for level, cell in self._cells_of(name).items() if cell != self._baseline_cell]
        if len(others) == 1:
            return others[0]
        allowed = (
            f"name the level that leaves it out; off the baseline are: {', '.join(others) or 'none'}"
        )
        raise ConfigError(key, None, allowed)

    def _cells_of(self, name: str) -> dict[str, str]:
        """Return the cell of each of a factor's levels alone; none for one that is refused."""
        cells = {}
        for level in self._study.factors[name].overrides():
            try:
                overrides = Combination({name: level}).all_overrides(self._study.factors)
                cells[level] = Cell(self._resolve(self._every(overrides))).name
            except ConfigError:
                cells[level] = ""
        return cells

    @cached_property
    def _baseline(self) -> CellConfig:
        return self._resolve(self._every({}))

    @cached_property
    def _baseline_cell(self) -> str:
        return Cell(self._baseline).name

    def _every(self, overrides: Overrides) -> Overrides:
        return self._study.baseline | overrides | {"env": self._environment}
