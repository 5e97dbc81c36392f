"""The mean of each tuned arm if it were tuned again, on other tuning seeds, and then trained."""

from __future__ import annotations

from ablation.results.load import StudyRuns
from ablation.results.scores import SCORES
from ablation.results.tuning_choices import choice_shares
from ablation.study.plan import Choice
from analysis.statistics import Estimate, mean_over_choices

FEWEST_TUNING_SEEDS = 10
"""Below it, resamples say too little of the levels that other tuning seeds lead to."""


def means_if_tuned_again(runs: StudyRuns, score: str) -> dict[tuple[str, str], Estimate]:
    """Return the mean of a score over tuning and training as a whole, by environment and tuned arm.

    Missing for arms with too few tuning seeds, for shares, and where tuning runs are not stored. The
    level chosen here has the reported runs, the others those of the tuning stage.
    """
    choices = runs.plan.choices
    enough = [choice for choice in choices if min(choice.n.values()) >= FEWEST_TUNING_SEEDS]
    tuning = runs.tuning if enough and SCORES[score].unit != "share" else None
    means = {(choice.environment, choice.arm): Estimate.missing() for choice in choices}
    if tuning is not None:
        means |= {(x.environment, x.arm): _if_tuned_again(runs, tuning, x, score) for x in enough}
    return means


def _if_tuned_again(runs: StudyRuns, tuning: StudyRuns, choice: Choice, score: str) -> Estimate:
    candidates = {
        arm.levels[choice.factor]: arm
        for arm in tuning.arms(choice.environment)
        if arm.candidate_of == choice.arm
    }
    reported = [arm for arm in runs.arms(choice.environment) if arm.name == choice.arm]
    if not reported or not candidates.keys() >= choice.means.keys():
        return Estimate.missing()
    shares = choice_shares(
        [tuning.scores(candidates[level], choice.score) for level in choice.means],
        SCORES[choice.score].higher_is_better,
    )
    samples = [
        runs.scores(reported[0], score)
        if level == choice.level
        else tuning.scores(candidates[level], score)
        for level in choice.means
    ]
    return mean_over_choices(samples, shares)
