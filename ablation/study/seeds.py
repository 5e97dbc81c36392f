"""The same plan on other numbers of seeds: for an estimate, or at a look of a study that stops early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ablation.study.declaration import CONTROL_SEED_OFFSET, Study
from ablation.study.looks import Looks
from ablation.study.plan import Arm, Plan


def seeds_of(study: Study, count: int) -> list[int]:
    """Return the first `count` seeds of a study; beyond its own, those after the largest one.

    Seeds of the tuning stage are never among them.
    """
    taken = set(study.tune.seeds) if study.tune else set()
    seeds, following = list(study.seeds), max(study.seeds) + 1
    while len(seeds) < count:
        if following not in taken:
            seeds.append(following)
        following += 1
    return seeds[:count]


def with_seeds(plan: Plan, count: int) -> Plan:
    """Return a plan in which each arm is trained on `count` seeds."""
    return _with_counts(plan, lambda _: count)


def at_look(plan: Plan, looks: Looks, following: bool) -> Plan:
    """Return a plan with the seeds that the looks ask for: of the last one, or of the one that follows.

    Decided arms keep the seeds of their decision, and a baseline has as many as its arms need.
    """
    following = following and not looks.finished
    seeds = looks.declared[looks.taken] if following else looks.seeds

    def own(arm: Arm) -> int:
        decision = looks.decision(arm.environment, arm.name)
        return seeds if decision is None else decision.seeds

    def count(arm: Arm) -> int:
        if arm.role == "arm":
            return own(arm)
        arms = (x for x in plan.arms if x.role == "arm" and x.environment == arm.environment)
        return max(map(own, arms), default=seeds)

    return _with_counts(plan, count, looks=looks)


def _with_counts(plan: Plan, count: Callable[[Arm], int], **changes: Any) -> Plan:
    arms = []
    for arm in plan.arms:
        seeds = seeds_of(plan.study, count(arm))
        control = [seed + CONTROL_SEED_OFFSET for seed in seeds]
        arms.append(replace(arm, seeds=control if arm.role == "control" else seeds))
    seeds = seeds_of(plan.study, max(len(arm.seeds) for arm in arms))
    changed = replace(plan, study=replace(plan.study, seeds=seeds), arms=arms, cells={}, **changes)
    changed.add_cells(plan.configured.values())
    return changed
