"""The notes below an ablation table."""

from __future__ import annotations

from collections.abc import Sequence

from ablation.results.scores import SCORES
from analysis.effects.comparisons import Comparison
from analysis.effects.study_results import StudyResults
from analysis.effects.verdict_rule import verdict_notes
from analysis.tables.columns import provenance_line
from analysis.tables.coverage import undercoverage_notes
from analysis.tables.spread import modes_notes
from analysis.tables.wording import better_direction


def is_share(score: str) -> bool:
    """Return whether a score is 0 or 1 for each run, so that arms have shares."""
    return SCORES[score].unit == "share"


def ablation_notes(
    results: StudyResults, comparisons: Sequence[Comparison], with_iqm: bool
) -> list[str]:
    """Return the notes below an ablation table: methods, what is missing or mixed, and provenance."""
    score = results.score
    method = _method(
        score,
        all(row.paired for row in comparisons if not results.runs.beside_ours(row.arm)),
        with_iqm,
    )
    best = "largest" if better_direction(score) == "higher" else "smallest"
    notes = [f"{method}. Intervals are not corrected."]
    if results.runs.plan.looks is None and any(row.judged for row in comparisons):
        notes[0] += (
            " p corrected by Holm's method for the arms of an environment; *: significant (p at most "
            "0.05), all others with a p are inconclusive. Bold: the "
            f"{best} estimate and every one that is not significantly different from it."
        )
    notes += verdict_notes((row.difference for row in comparisons), results.runs.plan)
    if any(results.runs.beside_ours(row.arm) for row in comparisons):
        notes.append(_daggered(score))
    sizes = [row.mean.n for row in comparisons if row.mean.n > 1]
    if sizes and not is_share(score):
        shown = ("mean", "iqm", "difference") if with_iqm else ("mean", "difference")
        notes += undercoverage_notes(dict.fromkeys(shown, min(sizes)))
    notes += modes_notes(comparisons)
    if not results.effects:
        notes += results.pruned_levels
    notes += [f"Mixed {aspect}: {'; '.join(lines)}." for aspect, lines in results.mixed.items()]
    notes += [f"{line}." for line in (*results.left_out, *results.not_reproducible)]
    return [*notes, provenance_line(results.runs)]


def _method(score: str, paired: bool, with_iqm: bool) -> str:
    if is_share(score):
        test = "the permutation test" if paired else "Fisher's exact test"
        return f"Share of runs with Wilson's interval; difference with Newcombe's; p of {test}"
    difference = "paired by seed, Student's t" if paired else "unpaired, Welch's t"
    iqm = "IQM: interquartile mean with a bootstrap interval; " if with_iqm else ""
    return f"Mean with Student's t interval (n: runs); {iqm}difference of means {difference}"


def _daggered(score: str) -> str:
    test = "Newcombe's interval, Fisher's exact test" if is_share(score) else "Welch's t"
    return (
        f"†: trained elsewhere and imported; compared unpaired ({test}) unless their seeds were "
        "declared to be shared, p corrected among themselves, never among the best of the design."
    )
