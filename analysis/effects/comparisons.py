"""Every arm of a study against its baseline: estimates, differences, corrected p-values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ablation.results.load import StudyRuns
from ablation.results.scores import SCORES
from ablation.study.plan import Arm
from analysis import statistics
from analysis.effects.design_grid import design_grid
from analysis.statistics import LEVEL, Difference, Interval, Sample, holm

SIGNIFICANCE = round(1 - LEVEL, 12)


@dataclass(frozen=True)
class Comparison:
    """One arm's score and its difference from the baseline of the same environment.

    `difference` and what follows it are None or NaN for the baseline itself. `p_value` is corrected
    for the number of arms compared in the environment; `detectable` is the smallest true difference
    that so many runs would have told from zero with 80 % power. `among_best` says that the arm is
    the best one or not told apart from it. `censored` counts runs that stand for at least their number.
    """

    arm: Arm
    score: str
    mean: Interval
    interquartile_mean: Interval
    difference: Interval | None
    p_value: float | None
    statuses: dict[str, int]
    unpaired: Interval | None = None
    correlation: float = np.nan
    permutation: float = np.nan
    improvement: Interval | None = None
    detectable: float = np.nan
    among_best: bool = False
    censored: int = 0

    @property
    def resolved(self) -> bool:
        """Return whether the difference from the baseline is told apart from zero."""
        return self.p_value is not None and self.p_value <= SIGNIFICANCE


@dataclass(frozen=True)
class Against:
    """One sample against another: everything that is said of the pair."""

    paired: Difference
    unpaired: Difference
    permutation: float
    improvement: Interval


def against(arm: Sample, other: Sample, score: str) -> Against:
    """Return how two samples `[R]` of a score compare, in the same order of seeds, NaN if missing.

    Shares (samples of 0 and 1) get an interval from Wilson's of both, and the exact test of their
    signs, since Student's t cannot tell ten equal runs from certainty.
    """
    better = 1 if SCORES[score].higher_is_better else -1
    differences = arm - other
    paired = statistics.paired_difference(arm, other)
    permutation = statistics.sign_flip_p_value(_present(differences))
    if SCORES[score].unit == "share":
        both = ~np.isnan(differences)
        interval = statistics.share_difference(arm[both], other[both])
        paired = Difference(interval, permutation, paired.correlation)
    return Against(
        paired,
        statistics.unpaired_difference(arm, other),
        permutation,
        statistics.probability_of_improvement([better * _present(arm)], [better * _present(other)]),
    )


def compare(runs: StudyRuns, score: str) -> list[Comparison]:
    """Return the comparisons of a study's arms, in the plan's order."""
    return [row for environment in runs.environments for row in _compare(runs, score, environment)]


def _compare(runs: StudyRuns, score: str, environment: str) -> Iterator[Comparison]:
    arms = runs.arms(environment)
    samples = {arm.name: runs.scores(arm, score) for arm in arms}
    share = SCORES[score].unit == "share"
    baseline = runs.baseline(environment)
    others = [arm for arm in arms if arm.cell != baseline.cell]
    pairs = {arm.name: against(samples[arm.name], samples[baseline.name], score) for arm in others}
    p_values = _corrected(others, {name: pair.paired.p_value for name, pair in pairs.items()})
    best = _among_best(arms, samples, score)
    for arm in arms:
        present = _present(samples[arm.name])
        estimate = statistics.mean(present)
        if share:
            estimate = statistics.share(int(present.sum()), len(present))
        pair = pairs.get(arm.name)
        yield Comparison(
            arm,
            score,
            estimate,
            statistics.interquartile_mean(present),
            pair.paired.interval if pair else None,
            p_values[arm.name] if pair else None,
            runs.statuses(arm),
            pair.unpaired.interval if pair else None,
            pair.paired.correlation if pair else np.nan,
            pair.permutation if pair else np.nan,
            pair.improvement if pair else None,
            _detectable(samples[arm.name] - samples[baseline.name], len(others)) if pair else np.nan,
            arm.name in best,
            _censored(runs, arm, score),
        )


def _corrected(arms: Sequence[Arm], p_values: dict[str, float]) -> dict[str, float]:
    """Return Holm's p-values by arm; arms that share a cell are one test."""
    cells = {arm.cell: p_values[arm.name] for arm in arms}
    corrected = dict(zip(cells, holm(np.array(list(cells.values()))).tolist(), strict=True))
    return {arm.name: corrected[arm.cell] for arm in arms}


def _among_best(arms: Sequence[Arm], samples: dict[str, Sample], score: str) -> set[str]:
    """Return the best arm and all that are not told apart from it, corrected for their number."""
    means = {arm.name: float(_present(samples[arm.name]).mean()) for arm in arms if _runs(arm, samples)}
    if len(means) < 2:
        return set()
    choose = max if SCORES[score].higher_is_better else min
    best = choose(means, key=means.__getitem__)
    cell = next(arm.cell for arm in arms if arm.name == best)
    rivals = [arm for arm in arms if arm.name in means and arm.cell != cell]
    share = SCORES[score].unit == "share"
    p_values = {arm.name: _p_value(samples[arm.name], samples[best], share) for arm in rivals}
    corrected = _corrected(rivals, p_values)
    same = {arm.name for arm in arms if arm.cell == cell}
    # A NaN says that there is nothing to tell them apart by: not the same as being as good.
    return same | {name for name, p in corrected.items() if p > SIGNIFICANCE}


def _p_value(arm: Sample, other: Sample, share: bool = False) -> float:
    """Return the p-value of `against` alone."""
    if share:
        return statistics.sign_flip_p_value(_present(arm - other))
    return statistics.paired_difference(arm, other).p_value


def _runs(arm: Arm, samples: dict[str, Sample]) -> int:
    return len(_present(samples[arm.name]))


def _present(sample: Sample) -> Sample:
    return sample[~np.isnan(sample)]


def _detectable(differences: Sample, tests: int) -> float:
    present = _present(differences)
    if len(present) < 2:
        return np.nan
    return statistics.detectable_effect(float(present.std(ddof=1)), len(present), tests)


def _censored(runs: StudyRuns, arm: Arm, score: str) -> int:
    if SCORES[score].unit != "steps":
        return 0
    return sum(run.scores["reached_threshold"] == 0 for run in runs.of_arm(arm))


@dataclass(frozen=True)
class Effect:
    """A main effect of a level, or an interaction of two levels, against the baseline's levels."""

    environment: str
    levels: dict[str, str]
    difference: Interval
    p_value: float

    @property
    def resolved(self) -> bool:
        """Return whether the effect is told apart from zero, all effects of its design considered."""
        return self.p_value <= SIGNIFICANCE


def effects(runs: StudyRuns, score: str) -> list[Effect]:
    """Return main effects and two-way interactions wherever the arms cross factors completely."""
    return [effect for environment in runs.environments for effect in _effects(runs, score, environment)]


def _effects(runs: StudyRuns, score: str, environment: str) -> Iterator[Effect]:
    found = design_grid(runs, environment)
    crossed = [tuple(found.factors)] if found.complete else itertools.combinations(found.factors, 2)
    for names in crossed:
        grid = found.crossed(*names)
        if grid is None:
            continue
        cells = [np.mean([runs.scores(arm, score) for arm in arms], axis=0) for arms in grid.values()]
        shape = [len(found.factors[name]) for name in names]
        for contrast in statistics.contrasts(np.stack(cells, axis=1).reshape(-1, *shape)):
            pairs = zip(contrast.factors, contrast.levels, strict=True)
            levels = {names[f]: found.factors[names[f]][level] for f, level in pairs}
            yield Effect(environment, levels, contrast.difference.interval, contrast.corrected)


@dataclass(frozen=True)
class AcrossEnvironments:
    """An arm's normalised scores over all environments: `aggregates` by name."""

    name: str
    aggregates: dict[str, Interval]
    improvement: Interval | None


def across_environments(runs: StudyRuns, score: str) -> list[AcrossEnvironments]:
    """Return the aggregates of every arm that has runs in each of the study's environments.

    Nothing for a score that is no return or an environment without references.
    """
    environments = runs.environments
    names = (
        [arm.name for arm in runs.plan.arms if arm.environment == environments[0]]
        if environments
        else []
    )
    strata = {name: _strata(runs, name, score) for name in names}
    base = runs.baseline(environments[0]).name if environments else ""
    found = []
    for name, samples in strata.items():
        if not samples:
            continue
        aggregates = {
            label: statistics.aggregate(samples, what) for label, what in statistics.AGGREGATES.items()
        }
        improvement = None
        if name != base and strata[base]:
            improvement = statistics.probability_of_improvement(samples, strata[base])
        found.append(AcrossEnvironments(name, aggregates, improvement))
    return found


def _strata(runs: StudyRuns, name: str, score: str) -> list[Sample]:
    """Return an arm's normalised scores in each environment; none unless there are some in all."""
    arms = [arm for arm in runs.plan.arms if arm.name == name]
    samples = [_present(runs.scores(arm, score, normalised=True)) for arm in arms]
    complete = len(samples) == len(runs.environments) and all(len(sample) for sample in samples)
    return samples if complete else []
