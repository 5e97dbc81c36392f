"""The same plan on another number of seeds."""

from __future__ import annotations

from dataclasses import replace

from ablation.study.declaration import CONTROL_SEED_OFFSET, Study
from ablation.study.plan import Plan


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
    seeds = seeds_of(plan.study, count)
    control = [seed + CONTROL_SEED_OFFSET for seed in seeds]
    arms = [replace(arm, seeds=control if arm.role == "control" else seeds) for arm in plan.arms]
    changed = replace(plan, study=replace(plan.study, seeds=seeds), arms=arms, cells={})
    changed.add_cells(plan.configured.values())
    return changed
