"""Every arm of a study against its baseline: estimates, differences, corrected p-values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ablation.results.load import StudyRuns
from ablation.results.scores import SCORES
from ablation.study.plan import Arm, Plan
from analysis import statistics
from analysis.effects.sequential import at_looks, decided
from analysis.effects.spread import Spread, spread
from analysis.effects.verdict_rule import enough_seeds, tested
from analysis.statistics import LEVEL, Difference, Estimate, Sample, holm

SIGNIFICANCE = round(1 - LEVEL, 12)


@dataclass(frozen=True)
class Comparison:
    """One arm's score and its difference from the baseline of the same environment.

    `difference` and what follows it are None or NaN for the baseline itself. `p_value` is corrected
    for the number of arms compared in the environment, and NaN where there are too few runs for a
    verdict; `detectable` is the minimum detectable effect:
    the smallest true difference that so many runs find with 80 % power. `among_best` says that the arm
    is the best one or not significantly different from it. `censored` counts runs that never reached
    the threshold. `seeds_to_find` is how many seeds find a difference of the estimate's size with 80 %
    power. Where equal seeds are no pairs (not `paired`), `difference` is the unpaired one.
    `decided` is what the looks of a study that stops arms early found: different, or not by the last.
    """

    arm: Arm
    score: str
    mean: Estimate
    interquartile_mean: Estimate
    difference: Estimate | None
    p_value: float | None
    statuses: dict[str, int]
    spread: Spread
    unpaired: Estimate | None = None
    correlation: float = np.nan
    permutation: float = np.nan
    improvement: Estimate | None = None
    detectable: float = np.nan
    seeds_to_find: float = np.nan
    among_best: bool = False
    censored: int = 0
    paired: bool = True
    decided: bool | None = None

    @property
    def judged(self) -> bool:
        """Return whether there is a verdict on the difference: significant or inconclusive."""
        tested = self.p_value is not None and not math.isnan(self.p_value)
        return tested or self.decided is not None

    @property
    def significant(self) -> bool:
        """Return whether the arm differs significantly from the baseline, after correction."""
        if self.decided is not None:
            return self.decided
        return self.p_value is not None and self.p_value <= SIGNIFICANCE


@dataclass(frozen=True)
class PairwiseComparison:
    """One sample against another: differences, p-values and the probability of improvement.

    `paired` is None where equal seeds are no pairs.
    """

    paired: Difference | None
    unpaired: Difference
    permutation: float
    improvement: Estimate

    @property
    def difference(self) -> Difference:
        """Return the paired difference where there is one, else the unpaired one."""
        return self.unpaired if self.paired is None else self.paired


def compare_pair(
    arm: Sample, other: Sample, score: str, plan: Plan, paired: bool = True
) -> PairwiseComparison:
    """Return how two samples `[R]` of a score compare, in the same order of seeds, NaN if missing.

    Not `paired`: independent samples `[R]` and `[R']`. p-values are NaN for too few seeds of the plan.
    """
    better = 1 if SCORES[score].higher_is_better else -1
    pairs = _difference(arm, other, score, plan) if paired else None
    flipped = pairs is not None and enough_seeds(pairs.n, plan)
    return PairwiseComparison(
        pairs,
        _difference(arm, other, score, plan, paired=False),
        statistics.sign_flip_p_value(arm - other) if flipped else np.nan,
        statistics.probability_of_improvement(better * arm, better * other),
    )


def _difference(arm: Sample, other: Sample, score: str, plan: Plan, paired: bool = True) -> Difference:
    """Return the difference of two samples of a score; of shares as such."""
    share = SCORES[score].unit == "share"
    difference = statistics.share_difference if share else statistics.difference
    return tested(difference(arm, other, paired=paired), plan)


def compare(runs: StudyRuns, score: str, baseline: str | None = None) -> list[Comparison]:
    """Return the comparison of every arm with its baseline, in the plan's order.

    `baseline` is the name of an arm that takes the baseline's place, in environments that have it.
    """
    rows: list[Comparison] = []
    for environment in runs.environments:
        named = [arm for arm in runs.arms(environment) if arm.name == baseline]
        if baseline is None:
            named = [runs.baseline(environment)]
        for arm in named:
            rows += _compare(runs, score, environment, arm)
    return rows


def _compare(runs: StudyRuns, score: str, environment: str, baseline: Arm) -> Iterator[Comparison]:
    arms = runs.arms(environment)
    samples = {arm.name: runs.scores(arm, score) for arm in arms}
    others = [arm for arm in arms if arm.cell != baseline.cell]
    paired = {arm.name: runs.paired(arm, baseline) for arm in arms}
    pairs = {
        arm.name: compare_pair(
            samples[arm.name], samples[baseline.name], score, runs.plan, paired[arm.name]
        )
        for arm in others
    }
    p_values: dict[str, float] = {}
    for family in _families(runs, others):
        p_values |= _corrected(family, {arm.name: pairs[arm.name].difference.p_value for arm in family})
    best = _among_best(runs, [arm for arm in arms if not runs.beside_ours(arm)], samples, score)
    for arm in arms:
        sample = samples[arm.name]
        pair = pairs.get(arm.name)
        yield Comparison(
            arm,
            score,
            _estimate(sample, score),
            statistics.iqm(sample),
            at_looks(runs, arm, baseline, score) or pair.difference if pair else None,
            p_values[arm.name] if pair else None,
            runs.statuses(arm),
            spread(runs, arm, score),
            pair.unpaired if pair else None,
            pair.difference.correlation if pair else np.nan,
            pair.permutation if pair else np.nan,
            pair.improvement if pair else None,
            *(_planned(sample, samples[baseline.name], pair, len(others)) if pair else UNPLANNED),
            arm.name in best,
            _censored(runs, arm, score),
            paired[arm.name],
            decided(runs, arm, baseline, score) if pair else None,
        )


def _families(runs: StudyRuns, arms: Sequence[Arm]) -> list[list[Arm]]:
    """Return the families of tests: arms of the design, and those from elsewhere beside them."""
    beside = [arm for arm in arms if runs.beside_ours(arm)]
    return [[arm for arm in arms if arm not in beside], beside]


def present(sample: Sample) -> Sample:
    """Return the values of `[R]` that are not missing."""
    return sample[~np.isnan(sample)]


def _estimate(sample: Sample, score: str) -> Estimate:
    if SCORES[score].unit == "share":
        return statistics.share(sample)
    return statistics.mean(sample)


def _corrected(arms: Sequence[Arm], p_values: dict[str, float]) -> dict[str, float]:
    """Return Holm's p-values by arm; arms that share a configuration are one test."""
    cells = {arm.cell: p_values[arm.name] for arm in arms}
    corrected = dict(zip(cells, holm(np.array(list(cells.values()))).tolist(), strict=True))
    return {arm.name: corrected[arm.cell] for arm in arms}


def _among_best(
    runs: StudyRuns, arms: Sequence[Arm], samples: dict[str, Sample], score: str
) -> set[str]:
    """Return the best arm and all that do not differ significantly from it, after correction.

    None where an arm has too few runs for a verdict.
    """
    values = {arm.name: present(samples[arm.name]) for arm in arms}
    means = {name: float(sample.mean()) for name, sample in values.items() if len(sample)}
    if len(means) < 2 or not all(enough_seeds(len(values[name]), runs.plan) for name in means):
        return set()
    choose = max if SCORES[score].higher_is_better else min
    best = choose(means, key=means.__getitem__)
    first = next(arm for arm in arms if arm.name == best)
    rivals = [arm for arm in arms if arm.name in means and arm.cell != first.cell]
    p_values = {
        arm.name: _difference(
            samples[arm.name], samples[best], score, runs.plan, runs.paired(arm, first)
        ).p_value
        for arm in rivals
    }
    same_cell = {arm.name for arm in arms if arm.cell == first.cell}
    # A NaN means that the two could not be compared, which is not the same as being as good.
    return same_cell | {name for name, p in _corrected(rivals, p_values).items() if p > SIGNIFICANCE}


UNPLANNED = (np.nan, np.nan)


def _planned(arm: Sample, other: Sample, pair: PairwiseComparison, tests: int) -> tuple[float, float]:
    """Return the minimum detectable effect, and the seeds that find an effect as large as the estimate.

    Of independent samples with the smaller one's degrees of freedom.
    """
    if pair.paired is not None:
        within = statistics.standard_deviation(arm - other)
        n, sd = within.n, within.value
    else:
        both = [present(arm), present(other)]
        n = min(map(len, both))
        errors = [sample.var(ddof=1) / len(sample) for sample in both if len(sample) > 1]
        sd = float(np.sqrt(sum(errors) * n)) if n > 1 else np.nan
    effect = pair.difference.value
    return statistics.detectable_effect(sd, n, tests), statistics.runs_to_detect(effect, sd, tests)


def _censored(runs: StudyRuns, arm: Arm, score: str) -> int:
    if SCORES[score].unit != "steps":
        return 0
    return sum(run.scores["reached_threshold"] == 0 for run in runs.of_arm(arm))
