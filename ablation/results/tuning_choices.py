"""The choice of a tuned factor's level for every arm, made from the stored runs of the tuning stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ablation.results.load import StudyRuns
from ablation.results.scores import SCORES
from ablation.study.plan import Arm, Choice

RESAMPLES = 10_000


def choices(runs: StudyRuns, factor: str) -> Iterator[Choice]:
    """Yield the choice of every arm whose tuning runs have all ended, from a tuning stage's runs.

    The rule: the best mean of the stage's score, the first level in the study's order among equals.
    """
    score = runs.plan.study.primary_score
    for environment in runs.environments:
        for name, candidates in _candidates(runs, environment, factor).items():
            if any(len(runs.of_arm(arm)) < len(arm.seeds) for arm in candidates.values()):
                continue
            samples = {level: runs.scores(arm, score) for level, arm in candidates.items()}
            present = {level: values[~np.isnan(values)] for level, values in samples.items()}
            means = {level: float(v.mean()) if len(v) else None for level, v in present.items()}
            level = best(means, SCORES[score].higher_is_better)
            if level is not None:
                n = {level: len(values) for level, values in present.items()}
                sure = certainty(list(samples.values()), list(samples).index(level), score)
                yield Choice(environment, name, factor, level, score, means, n, sure)


def certainty(samples: Sequence[NDArray[np.float64]], chosen: int, score: str) -> float | None:
    """Return in what share of resamples of the tuning seeds `chosen` has the best mean of a score.

    `samples` are scores `[seeds]` of each level. None for fewer than two seeds.
    """
    if len(samples[0]) < 2:
        return None
    return float(choice_shares(samples, SCORES[score].higher_is_better)[chosen])


def choice_shares(
    samples: Sequence[NDArray[np.float64]], higher_is_better: bool = True
) -> NDArray[np.float64]:
    """Return in what share of resamples of the tuning seeds each level has the best mean: `[levels]`.

    `samples` are scores `[seeds]` of each level on the same seeds, NaN where missing, which are drawn
    together with replacement, from a fixed seed. The first level counts among equals.
    """
    scores = np.array(samples) * (1 if higher_is_better else -1)
    seeds = scores.shape[1]
    drawn = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    resampled = scores[:, drawn]
    counts = (~np.isnan(resampled)).sum(axis=2)
    means = np.nansum(resampled, axis=2) / np.maximum(counts, 1)
    means[counts == 0] = -np.inf
    return np.bincount(means.argmax(axis=0), minlength=len(scores)) / RESAMPLES


def best(means: dict[str, float | None], higher_is_better: bool) -> str | None:
    """Return the level with the best mean, the first among equals; None where no level has one."""
    known = {level: mean for level, mean in means.items() if mean is not None}
    choose = max if higher_is_better else min
    return choose(known, key=known.__getitem__) if known else None


def _candidates(runs: StudyRuns, environment: str, factor: str) -> dict[str, dict[str, Arm]]:
    """Return the arms of the tuning stage by the reported arm and the level that they stand for."""
    order = list(runs.plan.study.factors[factor].overrides())
    candidates: dict[str, dict[str, Arm]] = {}
    for arm in runs.arms(environment):
        if arm.candidate_of is not None:
            candidates.setdefault(arm.candidate_of, {})[arm.levels[factor]] = arm
    return {name: {x: of[x] for x in order if x in of} for name, of in candidates.items()}
