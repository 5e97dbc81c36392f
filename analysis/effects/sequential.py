"""Studies that stop arms once they are decided: what a look decides, and what is reported of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ablation.results.load import StudyRuns
from ablation.study.looks import Decision, Looks
from ablation.study.plan import Arm
from analysis import statistics
from analysis.statistics import Estimate, Sample


def take_look(runs: StudyRuns, looks: Looks) -> Looks:
    """Return the looks after the following one, by a study's runs and its primary score."""
    contrasts = {
        environment: {
            arm.name: differences(runs, arm) for arm in runs.arms(environment) if arm.role == "arm"
        }
        for environment in runs.environments
    }
    return decide(looks, contrasts)


def decide(looks: Looks, contrasts: Mapping[str, Mapping[str, Sample]]) -> Looks:
    """Return the looks after the following one, by differences `[R]` by environment and arm.

    Each environment is a family of tests. After the last look no arm is left undecided.
    """
    planned, taken = len(looks.declared), looks.taken + 1
    seeds, decisions = looks.declared[looks.taken], list(looks.decisions)
    for environment, family in contrasts.items():
        left = {x: d[:seeds] for x, d in family.items() if looks.decision(environment, x) is None}
        different = statistics.found_different(left, looks.declared[:taken], planned)
        decisions += [Decision(environment, name, seeds, True) for name in different]
        if taken == planned:
            rest = [name for name in left if name not in different]
            decisions += [Decision(environment, name, seeds, False) for name in rest]
    return replace(looks, taken=taken, decisions=decisions)


def differences(runs: StudyRuns, arm: Arm) -> Sample:
    """Return an arm's primary score less its baseline's `[R]`, in the order of seeds, NaN if missing."""
    score = runs.plan.study.primary_score
    return runs.scores(arm, score) - runs.scores(runs.baseline(arm.environment), score)


def at_looks(runs: StudyRuns, arm: Arm, baseline: Arm, score: str) -> Estimate | None:
    """Return an arm's difference with the interval of the sequential test, None for other studies."""
    looks = _looks_at(runs, baseline, score)
    if looks is None:
        return None
    taken = looks.until(arm.environment, arm.name)
    return statistics.sequential_difference(differences(runs, arm), taken, len(looks.declared))


def decided(runs: StudyRuns, arm: Arm, baseline: Arm, score: str) -> bool | None:
    """Return whether the looks found an arm different; None where they have not decided."""
    looks = _looks_at(runs, baseline, score)
    decision = None if looks is None else looks.decision(arm.environment, arm.name)
    return None if decision is None else decision.different


def _looks_at(runs: StudyRuns, baseline: Arm, score: str) -> Looks | None:
    """Return the looks that decide on comparisons with a baseline in a score, None where none do."""
    primary = score == runs.plan.study.primary_score
    return runs.plan.looks if primary and baseline.role == "baseline" else None
