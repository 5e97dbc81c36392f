"""The columns and the note on the mean of tuning and training as a whole."""

from __future__ import annotations

import math

from ablation.study.plan import Arm
from analysis.effects.study_results import StudyResults
from analysis.effects.tuned import FEWEST_TUNING_SEEDS
from analysis.statistics import Estimate
from analysis.tables.columns import interval_cell, interval_columns
from analysis.tables.notes import is_share
from analysis.tables.table import Cell
from analysis.tables.wording import interval_text

HEADING = "mean if tuned again"


def tuned_headings(results: StudyResults) -> list[str]:
    """Return the heading of the column; none where no arm has such a mean."""
    known = any(not math.isnan(mean.value) for mean in results.if_tuned_again.values())
    return [HEADING] if known else []


def tuned_cells(results: StudyResults, arm: Arm) -> list[Cell]:
    """Return an arm's cell below the heading, empty where the mean is missing."""
    return [interval_cell(_mean(results, arm), missing="") for _ in tuned_headings(results)]


def tuned_columns(results: StudyResults, arm: Arm) -> dict[str, float | None]:
    """Return the same by the names of the CSV's columns; none in a study that tunes nothing."""
    return interval_columns("tuned_again", _mean(results, arm)) if results.if_tuned_again else {}


def tuned_notes(results: StudyResults) -> list[str]:
    """Return what the mean is and the baseline's, or why there is none; empty without tuning."""
    if not results.if_tuned_again:
        return []
    if not tuned_headings(results):
        fewest = min(min(choice.n.values()) for choice in results.runs.plan.choices)
        if is_share(results.score):
            return [f"No {HEADING}: it is for means, not for shares."]
        if fewest < FEWEST_TUNING_SEEDS:
            return [f"No {HEADING}: it needs {FEWEST_TUNING_SEEDS} tuning seeds, here are {fewest}."]
        return [f"No {HEADING}: the runs of the tuning stage are not stored."]
    baselines = [results.runs.baseline(name) for name in results.runs.environments]
    own = ", ".join(
        f"{interval_text(_mean(results, arm), missing='missing')} in {arm.env_id}" for arm in baselines
    )
    return [
        f"{HEADING.capitalize()}: expected mean of an arm that chooses its level anew on other tuning "
        f"seeds and is then trained; the interval counts that the level may differ. Baseline: {own}. "
        f"Empty where the arm has fewer than {FEWEST_TUNING_SEEDS} tuning seeds."
    ]


def _mean(results: StudyResults, arm: Arm) -> Estimate:
    return results.if_tuned_again.get((arm.environment, arm.name), Estimate.missing())
