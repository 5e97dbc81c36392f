"""How numbers, intervals and results are worded, the same in tables, figures, page and terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ablation.results.load import StudyRuns
from ablation.results.outside.study import DAGGER
from ablation.results.scores import SCORES
from ablation.study.plan import Arm
from analysis.effects.comparisons import Comparison
from analysis.statistics import Estimate, TwoModes

NO_INTERVAL = "n/a"
MOST_SHOWN = 1_000
"""Larger numbers of seeds are not worth their digits."""
MANY = 10_000
"""Numbers from here on have commas at the thousands."""
MOST_DECIMALS = 6
"""Narrower intervals are of no spread but rounding, or of numbers that are tiny themselves."""
MOST_NAMED = 4
"""Arms that a verdict names as worse, and as better."""
AXIS_LABELS = {
    "final": "mean return, last 10 % of evaluations",
    "area_under_curve": "mean return, all evaluations",
    "area_per_gradient_step": "mean return, all evaluations by gradient step",
    "best": "mean return, best evaluation",
    "last_training_episodes": "mean return, last 100 training episodes",
    "online_return": "mean training return by environment step",
    "steps_to_threshold": "environment steps to the solved threshold",
    "reached_threshold": "fraction of runs that reached the solved threshold",
    "kept_threshold": "fraction of runs that kept the solved threshold",
}
"""Of scores, in words; a user's own has its name."""


def number(value: float) -> str:
    """Return a number with about three significant digits, large ones to the tenth or whole."""
    if math.isnan(value):
        return NO_INTERVAL
    if abs(value) >= MANY:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def interval_text(interval: Estimate, signed: bool = False, missing: str = "missing") -> str:
    """Return `estimate [low, high]`; `missing` without runs, `[n/a]` where there is no interval.

    All three have as many decimals as show the interval's width with two significant digits.
    """
    if interval.n == 0 or math.isnan(interval.value):
        return missing
    sign = "+" if signed and interval.value > 0 else ""
    value, low, high = _texts(interval)
    ends = NO_INTERVAL if math.isnan(interval.low) else f"{low}, {high}"
    return f"{sign}{value} [{ends}]"


def estimate_text(interval: Estimate) -> str:
    """Return an estimate with the decimals that it has beside its interval."""
    return _texts(interval)[0]


def _texts(interval: Estimate) -> tuple[str, str, str]:
    """Return an estimate and the ends of its interval."""
    ends = (interval.value, interval.low, interval.high)
    decimals, comma = _decimals(interval.high - interval.low), "," if max(map(abs, ends)) >= MANY else ""
    value, low, high = (number(x) if decimals is None else f"{x:z{comma}.{decimals}f}" for x in ends)
    return value, low, high


def _decimals(width: float) -> int | None:
    """Return the decimals that two significant digits of a width take; None if that shows nothing."""
    if not 0 < width < math.inf:
        return None
    decimals = max(0, 1 - math.floor(math.log10(width)))
    return decimals if decimals <= MOST_DECIMALS else None


def p_value_text(p_value: float | None) -> str:
    """Return a p-value with three decimals; nothing where there is none."""
    if p_value is None:
        return ""
    if math.isnan(p_value):
        return NO_INTERVAL
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def seeds_text(seeds: float) -> str:
    """Return a number of seeds that an effect takes; nothing where it is not known."""
    if math.isnan(seeds):
        return ""
    return f"{seeds:,.0f}" if seeds <= MOST_SHOWN else f"over {MOST_SHOWN:,}"


def axis_label(score: str) -> str:
    """Return a score's name as the label of an axis."""
    return AXIS_LABELS.get(score, score.replace("_", " "))


def score_description(runs: StudyRuns, score: str) -> str:
    """Return what a score of a study is; how runs from elsewhere were evaluated is not known."""
    text = SCORES[score].description
    if any(map(runs.is_outside, runs.plan.arms)):
        return text.replace("a greedy", "an").replace("greedy ", "")
    return text


def better_direction(score: str) -> str:
    """Return which direction of a score is better: `higher` or `lower`."""
    return "higher" if SCORES[score].higher_is_better else "lower"


def missing_text(statuses: Mapping[str, int]) -> str:
    """Return the text of a cell without any score: the status of its runs if they share one."""
    lacking = [status for status in statuses if status != "complete"]
    return lacking[0] if len(statuses) == 1 and lacking else "no data"


def elsewhere_title(runs: StudyRuns, arm: Arm) -> str:
    """Return what an arm with a dagger is, and how it is compared with the baseline of ours."""
    paired = runs.paired(arm, runs.baseline(arm.environment))
    return f"{DAGGER} trained elsewhere, compared {'within seeds' if paired else 'unpaired'}"


def summary(rows: list[Comparison]) -> str:
    """Return a few sentences: which arms are worse or better, how many are inconclusive or unjudged."""
    compared = [row for row in rows if row.difference is not None and row.difference.n > 0]
    if not compared:
        return "There is nothing to compare with the baseline yet."
    judged = [row for row in compared if row.judged]
    unjudged, why = len(compared) - len(judged), "too few seeds, or no spread to judge by"
    if not judged:
        return f"No verdicts: {why}."
    without = f" No verdict on {unjudged} of {len(compared)} arms: {why}." if unjudged else ""
    return _verdicts(judged) + without


def _verdicts(compared: list[Comparison]) -> str:
    """Return which arms are worse and better, the largest difference first, and how many are neither."""
    significant = [row for row in compared if row.significant]
    inconclusive = len(compared) - len(significant)
    verb = "is" if inconclusive == 1 else "are"
    counted = f"{inconclusive} of {len(compared)} arms {verb} inconclusive."
    if not significant:
        return f"No arm differs significantly from the baseline: {counted}"
    worse = _named([row for row in significant if _gain(row) < 0])
    better = _named([row for row in significant if _gain(row) > 0])
    sentences = [f"Significantly worse than the baseline: {worse}."] if worse else []
    if better:
        sentences.append(f"{'Better' if worse else 'Significantly better than the baseline'}: {better}.")
    return " ".join([*sentences, *([counted] if inconclusive else [])])


def _gain(row: Comparison) -> float:
    """Return the difference from the baseline, positive where the arm is better."""
    difference = math.nan if row.difference is None else row.difference.value
    return difference if SCORES[row.score].higher_is_better else -difference


def _named(rows: list[Comparison]) -> str:
    """Return the names of arms, the one furthest from the baseline first; many are counted."""
    names = [row.arm.name for row in sorted(rows, key=lambda row: -abs(_gain(row)))]
    more = f"; and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return "; ".join(names[:MOST_NAMED]) + more


def modes_text(name: str, score: str, modes: TwoModes) -> str:
    """Return a clause about an arm whose runs fall into two groups."""
    share, upper, lower = modes.upper_share, number(modes.upper.value), number(modes.lower.value)
    if SCORES[score].unit == "return":
        low, high = 100 * share.low, 100 * share.high
        return (
            f"{name} learns in {100 * share.value:.0f} % of seeds [{low:.0f}, {high:.0f}]; "
            f"{upper} when it does, {lower} when not"
        )
    return f"{name} has {modes.lower.n} runs near {lower} and {modes.upper.n} near {upper}"
