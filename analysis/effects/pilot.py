"""What stored runs say in advance: the effects that a planned number of seeds can find, by contrast.

Pilot runs are those of the study itself, of its tuning stage, or of another size of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ablation.results.load import StudyNotFound, StudyRuns, load, read
from ablation.store.runs import Store
from ablation.study.plan import Arm, Plan
from analysis import statistics
from analysis.statistics import Sample


@dataclass(frozen=True)
class PlannedContrast:
    """An arm against its baseline, before its seeds are trained.

    `pairs` pilot runs of study `source` differ by the standard deviation `sd`. `detectable` is the
    smallest true difference that `seeds` find with the asked-for power after the correction for all
    comparisons of the environment; `needed` is how many seeds find `difference`, NaN if none is given.
    """

    arm: str
    environment: str
    source: str
    pairs: int
    sd: float
    seeds: int
    detectable: float
    difference: float
    needed: float


def planned_contrasts(
    plans: Sequence[Plan], store: Store, power: float, difference: float = np.nan
) -> list[PlannedContrast]:
    """Return every contrast of a study that has pilot runs; `plans` are its stages, the reported last.

    The source with the most pairs counts. Arms without two pairs of pilot runs are left out.
    """
    plan, sources = plans[-1], list(_sources(plans, store))
    found = []
    for arm in plan.arms:
        source, pairs = _pilot(plan, arm, sources)
        if arm.cell != _baseline(plan, arm).cell and pairs.size > 1:
            found.append(_planned(plan, arm, source, pairs, power, difference))
    return found


def _planned(
    plan: Plan, arm: Arm, source: str, pairs: Sample, power: float, difference: float
) -> PlannedContrast:
    cells = {other.cell for other in plan.arms if other.environment == arm.environment}
    tests, seeds = len(cells) - 1, len(arm.seeds)
    sd = statistics.standard_deviation(pairs).value
    detectable = statistics.detectable_effect(sd, seeds, tests, power)
    needed = statistics.runs_to_detect(difference, sd, tests, power)
    return PlannedContrast(
        arm.name, arm.env_id, source, len(pairs), sd, seeds, detectable, difference, needed
    )


def _baseline(plan: Plan, arm: Arm) -> Arm:
    return next(
        other for other in plan.arms if other.environment == arm.environment and other.role == "baseline"
    )


def _pilot(plan: Plan, arm: Arm, sources: Sequence[StudyRuns]) -> tuple[str, Sample]:
    """Return the name of the study with the most pairs of an arm and its baseline, and differences."""
    baseline = _baseline(plan, arm)
    best: tuple[str, Sample] = ("", np.empty(0))
    for runs in sources:
        score = plan.study.primary_score
        pair = [_scores(plan, runs, each, score) for each in (arm, baseline)]
        if pair[0].size != pair[1].size:
            continue
        differences = pair[0] - pair[1]
        differences = differences[~np.isnan(differences)]
        if len(differences) > len(best[1]):
            best = runs.plan.study.name, differences
    return best


def _scores(plan: Plan, runs: StudyRuns, arm: Arm, score: str) -> Sample:
    """Return the scores of an arm in other runs: under its name, or as the level that tuning chose."""
    own = [x for x in plan.choices if (x.environment, x.arm) == (arm.environment, arm.name)]
    levels = {choice.factor: choice.level for choice in own}
    for other in runs.arms(arm.environment):
        tuned = other.candidate_of == arm.name and levels.items() <= other.levels.items() and levels
        if tuned or (other.candidate_of is None and other.name == arm.name):
            return runs.scores(other, score)
    return np.empty(0)


def _sources(plans: Sequence[Plan], store: Store) -> Iterator[StudyRuns]:
    """Yield the runs of a study's stages, then those of its other sizes."""
    for plan in reversed(plans):
        yield read(plan, store)
    study = plans[-1].study
    family = study.name.removesuffix(f"-{study.size}")
    names = {plan.study.name for plan in plans}
    for path in sorted(store.root.glob(f"studies/{family}*/plan.json")):
        name = path.parent.name
        if name in names or not (name == family or name.startswith(f"{family}-")):
            continue
        try:
            yield load(name, store.root)
        except StudyNotFound:
            continue
