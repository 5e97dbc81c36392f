"""What a paper has to say of a study's runs, in LaTeX with numbers from the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from ablation.results.load import StudyRuns
from ablation.results.scores import SCORES
from ablation.store.run_record import ENDED, RunRecord
from ablation.store.runs import Store
from analysis.effects.study_results import StudyResults
from analysis.effects.verdict_rule import verdict_notes
from analysis.tables.markup import latex
from analysis.tables.wording import number, score_description

_VERSIONS = {
    "python": "Python",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "numba": "Numba",
    "gymnasium": "Gymnasium",
}
"""The versions that a paper names after the program's, by what records call them."""


def write_checklist(text: str, results: StudyResults, root: str) -> str:
    """Write a study's `paragraph` as `checklist.tex` into its directory; return its path."""
    store = Store(root)
    directory = store.inside(store.study_directory(results.runs.plan.study.name))
    path = directory / "checklist.tex"
    path.write_text(text, encoding="utf-8")
    return str(path)


def paragraph(results: StudyResults) -> str:
    """Return the reproducibility paragraph: runs, tuning, score, intervals, compute, versions."""
    runs = results.runs
    tuning = runs.tuning
    every = [*runs.runs.values(), *(tuning.runs.values() if tuning else ())]
    records = [run.record for run in every if run.status in ENDED]
    sentences = [*_seeds(runs), *_tuning(runs, tuning), *_score(results), *_compute(records)]
    sentences += _versions(records)
    return f"\\paragraph{{Reproducibility.}} {latex(' '.join(sentences))}\n"


def _seeds(runs: StudyRuns) -> Iterator[str]:
    study = runs.plan.study
    arms = dict.fromkeys(arm.name for arm in runs.plan.arms)
    environments = " and ".join(dict.fromkeys(arm.env_id for arm in runs.plan.arms))
    yield f"Study {study.name} compares {len(arms)} arms, the baseline included, in {environments}."
    statuses = Counter(run.status for run in runs.runs.values())
    lacking = ", ".join(f"{n} {status}" for status, n in statuses.items() if status != "complete")
    most = "" if runs.plan.looks is None else "at most "
    yield (
        f"Each was trained on {most}{len(study.seeds)} seeds ({ranges(study.seeds)}) in each "
        f"environment: {statuses['complete']} of {len(runs.runs)} runs are complete"
        + (f" ({lacking}; none is replaced)." if lacking else ".")
    )


def _tuning(runs: StudyRuns, tuning: StudyRuns | None) -> Iterator[str]:
    choices, tune = runs.plan.choices, runs.plan.study.tune
    if not choices or tune is None:
        yield "No hyperparameter was tuned for single arms on seeds of their own."
        return
    tried = [level for choice in choices for level in choice.means if level not in choice.widened]
    beyond = [level for choice in choices for level in choice.widened]
    levels = ", ".join(dict.fromkeys(tried))
    if beyond:
        levels += f" (where the best lay at the edge also {', '.join(dict.fromkeys(beyond))})"
    edges = sum(choice.at_the_edge for choice in choices)
    count = "" if tuning is None else f", {len(tuning.runs)} runs that are not reported"
    yield (
        f"The {tune.factor} of each arm was chosen in each environment from {levels} by the best mean "
        f"of {choices[0].score} over {len(tune.seeds)} tuning seeds ({ranges(tune.seeds)}{count}); "
        f"{edges} of {len(choices)} choices lie at the edge of the levels."
    )


def _score(results: StudyResults) -> Iterator[str]:
    score = SCORES[results.score]
    yield f"The score ({results.score}) is the {score_description(results.runs, results.score)}."
    rows = [row for row in results.comparisons if not results.runs.beside_ours(row.arm)]
    paired = all(row.paired for row in rows)
    if score.unit == "share":
        bars = "Wilson's for shares and Newcombe's for their differences"
        test = "of the permutation test" if paired else "of Fisher's exact test"
    else:
        other = " and, paired by seed, for" if paired else ", Welch's t for unpaired"
        bars = f"Student's t for means{other} differences of means"
        test = "of the paired t test" if paired else "of Welch's t test"
    looked = verdict_notes([], results.runs.plan)
    if looked:
        yield looked[0]
        return
    yield (
        "Brackets, bands and error bars are 95 % confidence intervals over runs, not standard "
        f"deviations: {bars}; bootstrap for interquartile means."
    )
    if any(row.judged for row in results.comparisons):
        yield (
            f"p-values are {test}, corrected by Holm's method over the arms of an environment; a "
            "difference counts as significant at 0.05."
        )


def _compute(records: Sequence[RunRecord]) -> Iterator[str]:
    if not records:
        return
    steps, updates = (sum(getattr(x, name) for x in records) for name in ("env_steps", "gradient_steps"))
    processors = Counter(str(record.processor.get("name") or record.device) for record in records)
    text = f"Training took {steps:,} environment steps and {updates:,} gradient steps"
    hours = job_hours(records)
    if hours:
        time = f"{number(hours)} hours" if hours >= 1 else f"{number(60 * hours)} minutes"
        text += f", {time} of jobs (the seeds of a job are trained in parallel by one worker)"
    yield f"{text}, on {', '.join(processors)} ({', '.join(Counter(x.device for x in records))})."


def job_hours(records: Iterable[RunRecord]) -> float:
    """Return the hours that the jobs of runs took, one after the other.

    Runs of one configuration that began at the same second were trained by one job.
    """
    jobs: dict[tuple[str, str], float] = {}
    for record in records:
        if record.started and record.ended:
            took = datetime.fromisoformat(record.ended) - datetime.fromisoformat(record.started)
            job = (record.cell, record.started)
            jobs[job] = max(jobs.get(job, 0.0), took.total_seconds())
    return sum(jobs.values()) / 3600


def _versions(records: Sequence[RunRecord]) -> Iterator[str]:
    texts = dict.fromkeys(_versions_text(record) for record in records if record.versions)
    commits = dict.fromkeys((record.git_commit or "unknown")[:10] for record in records)
    if texts:
        yield f"Software: {'; or '.join(texts)}; commit {', '.join(commits)}."
    if records and all(record.portable for record in records):
        yield "The same seeds give the same numbers on every x86-64 processor with fused multiply-add."


def _versions_text(record: RunRecord) -> str:
    core = record.config.get("core_version")
    program = f"replay-ablation {record.versions.get('replay-ablation', '')}".strip()
    known = record.versions
    listed = [f"{text} {known[name]}" for name, text in _VERSIONS.items() if name in known]
    return ", ".join([f"{program} (core version {core})" if core else program, *listed])


def ranges(seeds: Sequence[int]) -> str:
    """Return seeds as text, neighbors as a range: `0 to 4, 9`."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(f"{p[0]} to {p[-1]}" if len(p) > 2 else ", ".join(map(str, p)) for p in parts)
