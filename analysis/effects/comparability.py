"""Whether the runs of one table can be compared: environment versions, budgets, devices, commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from ablation.results.load import Run, StudyRuns
from ablation.study.plan import Arm

ASPECTS = ("environment", "budget", "score", "device", "commit")
Differences = dict[str, list[str]]
"""Aspect -> one line for each group of runs that differ in it."""


class NotComparable(Exception):
    """Runs of one table differ in an aspect that they should share and nobody allowed to differ."""


def find_differences(runs: StudyRuns) -> Differences:
    """Return the aspects in which runs of the same environment differ, with a line for each group."""
    differences: Differences = {}
    for environment in runs.environments:
        arms = runs.arms(environment)
        for aspect in ASPECTS:
            groups = _groups(runs, arms, aspect)
            if len(groups) > 1:
                lines = [f"{arms[0].env_id}: {text} ({who})" for text, who in groups.items()]
                differences.setdefault(aspect, []).extend(lines)
    return differences


def require_comparable(runs: StudyRuns, allowed: Collection[str] = ()) -> Differences:
    """Return the differences that are allowed; raises `NotComparable` if there are others."""
    differences = find_differences(runs)
    refused = {aspect: lines for aspect, lines in differences.items() if aspect not in allowed}
    if refused:
        listed = "".join(f"\n  {aspect}: " + "; ".join(lines) for aspect, lines in refused.items())
        raise NotComparable(
            f"the runs of study '{runs.plan.study.name}' differ in {', '.join(refused)}:{listed}\n"
            f"  to show them in one table all the same, add --allow {' '.join(refused)}"
        )
    return differences


OF_OUR_PROGRAM = ("device", "commit")
"""Aspects that runs from elsewhere need not share with ours."""


def _groups(runs: StudyRuns, arms: list[Arm], aspect: str) -> dict[str, str]:
    """Return for each description of an aspect the number of runs that have it and their arms."""
    describe = _DESCRIBE[aspect]
    counts: dict[str, Counter[str]] = {}
    for arm in arms:
        if aspect in OF_OUR_PROGRAM and runs.is_outside(arm):
            continue
        for run in runs.of_arm(arm):
            counts.setdefault(describe(run), Counter())[arm.name] += 1
    return {text: _runs_of_arms(names) for text, names in counts.items()}


def _runs_of_arms(names: Counter[str]) -> str:
    shown = ", ".join(list(names)[:3]) + (f" and {len(names) - 3} more arms" if len(names) > 3 else "")
    return f"{names.total()} run{'s' if names.total() != 1 else ''} of {shown}"


def _environment(run: Run) -> str:
    library = run.record.versions.get("gymnasium")
    return f"{run.record.setting('env', 'id') or 'unknown'}, gymnasium {library or 'unknown'}"


def _budget(run: Run) -> str:
    steps = run.record.setting("train", "env_steps")
    updates = run.record.setting("train", "gradient_steps")
    # Arms of equal gradient steps may differ in environment steps: that is what their study is about.
    return f"{updates} gradient steps" if updates else f"{steps} environment steps"


def _score(run: Run) -> str:
    given = ", ".join(run.given_scores)
    return f"scores {given} as a file gave them" if given else "scores computed from the rows"


def _device(run: Run) -> str:
    return (run.record.device or "unknown").split(":")[0]


def _commit(run: Run) -> str:
    changed = " with changes" if run.record.git_dirty else ""
    return (run.record.git_commit or "unknown")[:10] + changed


_DESCRIBE: dict[str, Callable[[Run], str]] = {
    "environment": _environment,
    "budget": _budget,
    "score": _score,
    "device": _device,
    "commit": _commit,
}
