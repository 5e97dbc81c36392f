"""Normalized scores of every arm, aggregated over all environments of a study."""

from __future__ import annotations

from dataclasses import dataclass

from ablation.results.load import StudyRuns
from analysis import statistics
from analysis.effects.comparisons import present
from analysis.statistics import Estimate, Sample


@dataclass(frozen=True)
class ArmAggregates:
    """An arm's normalized scores over all environments, by aggregate, and P(arm > baseline)."""

    name: str
    aggregates: dict[str, Estimate]
    improvement: Estimate | None


def across_environments(runs: StudyRuns, score: str) -> list[ArmAggregates]:
    """Return the aggregates of every arm that has runs in each of the study's environments.

    Nothing for a score that is not a return, or an environment without reference returns.
    """
    if not runs.environments:
        return []
    first = runs.environments[0]
    strata = {arm.name: _strata(runs, arm.name, score) for arm in runs.arms(first)}
    baseline = runs.baseline(first).name
    rows = []
    for name, samples in strata.items():
        if not samples:
            continue
        aggregates = {label: statistics.aggregate(samples, label) for label in statistics.AGGREGATES}
        improvement = None
        if name != baseline and strata[baseline]:
            improvement = statistics.probability_of_improvement(samples, strata[baseline])
        rows.append(ArmAggregates(name, aggregates, improvement))
    return rows


def _strata(runs: StudyRuns, name: str, score: str) -> list[Sample]:
    """Return an arm's normalized scores, `K` samples `[R_k]`; none unless every environment has some."""
    arms = [arm for arm in runs.plan.arms if arm.name == name]
    samples = [present(runs.scores(arm, score, normalized=True)) for arm in arms]
    complete = len(samples) == len(runs.environments) and all(len(sample) for sample in samples)
    return samples if complete else []
