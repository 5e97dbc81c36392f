"""The two stages of a study that tunes a factor: all levels on tuning seeds, then the best on new seeds.

Pure: `ablation.results.tuning_choices` makes the choice from stored runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ablation.config.cell import Cell
from ablation.config.schema import CellConfig
from ablation.config.validation import ConfigError
from ablation.study.declaration import BASELINE, Study, Tune
from ablation.study.designs import Factor
from ablation.study.plan import Arm, Choice, Merged, Plan
from ablation.study.widening import Named, widened

Resolve = Callable[[Mapping[str, Any]], CellConfig]
Beyond = Mapping[tuple[str, str], Sequence[str]]
"""The levels beyond an edge that arms try as well, by environment and arm."""


def tuning_plan(plan: Plan, resolve: Resolve, beyond: Beyond | None = None) -> Plan:
    """Return the plan of the first stage: each arm of a study's plan at every level, on tuning seeds.

    Its baseline is the study's at the study's own level, or at the first where that is not among them.
    Raises `ConfigError` for a factor by which arms are not tuned with equal effort.
    """
    tune, beyond = _tune(plan.study), beyond or {}
    declared = list(plan.study.factors[tune.factor].overrides())
    added = {level for names in beyond.values() for level in names}
    order = [level for level in _levels(plan.study) if level in {*declared, *added}]
    arms, merged, cells = [], [], []
    distinct: dict[str, int] = {}
    for arm in plan.arms:
        if arm.role == "control":
            continue
        own_levels = {*declared, *beyond.get((arm.environment, arm.name), ())}
        levels = [level for level in order if level in own_levels]
        tried = {level: _at(plan.study, arm, level, resolve) for level in levels}
        _check_effort(arm, tune.factor, {tried[level][1].name for level in declared}, distinct)
        own = next((level for level in levels if tried[level][1].name == arm.cell), declared[0])
        for level in levels if arm.role != "baseline" else [own, *(x for x in levels if x != own)]:
            overrides, cell = tried[level]
            cells.append(cell)
            reference = arm.role == "baseline" and level == own
            words = f"{tune.factor}={level}"
            name = words if arm.role == "baseline" else f"{arm.name}, {words}"
            if reference:
                reason = f"is the level that stands for {BASELINE}"
                merged.append(Merged(words, arm.environment, BASELINE, reason, {tune.factor: level}))
            arms.append(
                replace(
                    arm,
                    name=BASELINE if reference else name,
                    role="baseline" if reference else "arm",
                    levels=arm.levels | {tune.factor: level},
                    overrides=overrides,
                    cell=cell.name,
                    seeds=tune.seeds,
                    candidate_of=arm.name,
                )
            )
    factor = plan.study.factors[tune.factor]
    if added:
        factor = Factor({level: _levels(plan.study)[level] for level in order})
    study = replace(
        plan.study,
        name=plan.study.tuning_name,
        factors=plan.study.factors | {tune.factor: factor},
        seeds=tune.seeds,
        primary_score=tune.score or plan.study.primary_score,
        control=False,
        tune=None,
    )
    first_stage = Plan(study, arms, merged, pruned=plan.pruned, references=plan.references)
    first_stage.add_cells(cells)
    return first_stage


def beyond_edges(plan: Plan, choices: Sequence[Choice], resolve: Resolve) -> Beyond:
    """Return the levels that arms try beyond the edge at which they chose; none without `widen`.

    Levels that an arm's configuration does not allow are left out.
    """
    tune = _tune(plan.study)
    levels = list(_levels(plan.study))
    declared = list(plan.study.factors[tune.factor].overrides())
    ends = {
        declared[0]: levels[: levels.index(declared[0])],
        declared[-1]: levels[levels.index(declared[-1]) + 1 :],
    }
    arms = {(arm.environment, arm.name): arm for arm in plan.arms}
    beyond: dict[tuple[str, str], list[str]] = {}
    for choice in choices:
        key = (choice.environment, choice.arm)
        named = ends.get(choice.level, []) if choice.at_the_edge else []
        allowed = [level for level in named if _allowed(plan.study, arms[key], level, resolve)]
        if allowed:
            beyond[key] = allowed
    return beyond


def reported_plan(plan: Plan, choices: Sequence[Choice], resolve: Resolve) -> Plan:
    """Return the plan of the second stage: each arm at its chosen level, on the study's own seeds.

    Arms without a choice are left out, and an environment's all while its baseline has none.
    """
    chosen = {(choice.environment, choice.arm): choice.level for choice in choices}
    arms, cells = [], []
    for arm in plan.arms:
        level = chosen.get((arm.environment, BASELINE if arm.role == "control" else arm.name))
        if level is not None and (arm.environment, BASELINE) in chosen:
            overrides, cell = _at(plan.study, arm, level, resolve)
            arms.append(replace(arm, overrides=overrides, cell=cell.name))
            cells.append(cell)
    names = {(arm.environment, arm.name) for arm in arms}
    merged = [entry for entry in plan.merged if (entry.environment, entry.into) in names]
    second_stage = replace(plan, arms=arms, merged=merged, cells={}, choices=list(choices))
    second_stage.add_cells(cells)
    return second_stage


def undecided(plan: Plan, choices: Sequence[Choice]) -> list[Arm]:
    """Return the arms of a study's plan whose level is not chosen yet."""
    chosen = {(choice.environment, choice.arm) for choice in choices}
    return [
        arm
        for arm in plan.arms
        if arm.role != "control" and not {(arm.environment, x) for x in (arm.name, BASELINE)} <= chosen
    ]


def with_waiting(reported: Plan, plan: Plan, waiting: Sequence[Arm]) -> Plan:
    """Return a second stage that also has the arms without a choice, at the level of the study's plan.

    It serves estimates of memory and time, which the level hardly changes; it is not trained.
    """
    if not waiting:
        return reported
    names = {(arm.environment, arm.name) for arm in waiting}
    decided = {(arm.environment, arm.name): arm for arm in reported.arms}
    arms = [
        arm if (arm.environment, arm.name) in names else decided[arm.environment, arm.name]
        for arm in plan.arms
        if (arm.environment, arm.name) in names | set(decided)
    ]
    full = replace(reported, arms=arms, cells={})
    full.add_cells((plan.configured | reported.configured).values())
    return full


def _check_effort(arm: Arm, factor: str, cells: set[str], distinct: dict[str, int]) -> None:
    """Raise `ConfigError` for an arm with more or fewer configurations to choose from than others."""
    most = distinct.setdefault(arm.environment, len(cells))
    if len(cells) != most:
        allowed = (
            f"tunes with unequal effort: its levels are {len(cells)} configurations of {arm.name} and "
            f"{most} of {BASELINE} in {arm.environment}; tune a factor that every arm reads"
        )
        raise ConfigError("study.tune.factor", factor, allowed)


def _allowed(study: Study, arm: Arm, level: str, resolve: Resolve) -> bool:
    try:
        _at(study, arm, level, resolve)
    except ConfigError:
        return False
    return True


def _levels(study: Study) -> Named:
    """Return the levels of the tuned factor, those beyond its edges that `widen` may add included."""
    tune = _tune(study)
    factor = study.factors[tune.factor]
    return (widened(factor, tune.widen) if tune.widen else None) or factor.overrides()


def _at(study: Study, arm: Arm, level: str, resolve: Resolve) -> tuple[dict[str, Any], Cell]:
    """Return an arm's overrides and cell at a level of the tuned factor."""
    overrides = arm.overrides | _levels(study)[level]
    return overrides, Cell(resolve(overrides))


def _tune(study: Study) -> Tune:
    assert study.tune is not None, "a study that tunes nothing has one stage"
    return study.tune
