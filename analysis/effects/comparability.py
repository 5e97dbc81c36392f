"""What the runs of a table must share: environment versions, budgets, devices, commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from ablation.results.load import Run, StudyRuns
from ablation.study.plan import Arm

ASPECTS = ("environment", "budget", "device", "commit")
Mixed = dict[str, list[str]]
"""Aspect -> one line for each group of runs that differ in it."""


class NotComparable(Exception):
    """Runs of one table differ in what they should share, and nobody allowed it."""


def mixed(runs: StudyRuns) -> Mixed:
    """Return the aspects in which runs of the same environment differ, with what each group has."""
    found: Mixed = {}
    for environment in runs.environments:
        arms = runs.arms(environment)
        for aspect, describe in _DESCRIBE.items():
            groups = _groups(runs, arms, describe)
            if len(groups) > 1:
                lines = [f"{arms[0].env_id}: {text} ({who})" for text, who in groups.items()]
                found.setdefault(aspect, []).extend(lines)
    return found


def demand_comparable(runs: StudyRuns, allowed: Collection[str] = ()) -> Mixed:
    """Return what differs and is allowed to; raises `NotComparable` for what is not."""
    found = mixed(runs)
    refused = {aspect: lines for aspect, lines in found.items() if aspect not in allowed}
    if refused:
        listed = "".join(f"\n  {aspect}: " + "; ".join(lines) for aspect, lines in refused.items())
        raise NotComparable(
            f"the runs of study '{runs.plan.study.name}' differ in {', '.join(refused)}:{listed}\n"
            f"  --allow {' '.join(refused)} puts them into one table all the same"
        )
    return found


def _groups(runs: StudyRuns, arms: list[Arm], describe: Callable[[Run], str]) -> dict[str, str]:
    """Return who has each description: the arms if they differ, else numbers of runs."""
    counts: dict[str, Counter[str]] = {}
    for arm in arms:
        for run in runs.of_arm(arm):
            counts.setdefault(describe(run), Counter())[arm.name] += 1
    return {text: _who(names) for text, names in counts.items()}


def _who(names: Counter[str]) -> str:
    shown = ", ".join(list(names)[:3]) + (f" and {len(names) - 3} more arms" if len(names) > 3 else "")
    return f"{names.total()} runs of {shown}"


def _environment(run: Run) -> str:
    library = run.record.versions.get("gymnasium")
    return f"{run.record.setting('env', 'id') or 'unknown'}, gymnasium {library or 'unknown'}"


def _budget(run: Run) -> str:
    steps, updates = (
        run.record.setting("train", "env_steps"),
        run.record.setting("train", "gradient_steps"),
    )
    # Runs that are held to their gradient steps may differ in environment steps: that is their design.
    return f"{updates} gradient steps" if updates else f"{steps} environment steps"


def _device(run: Run) -> str:
    return _device_kind(run.record.device)


def _device_kind(device: Any) -> str:
    return str(device or "unknown").split(":")[0]


def _commit(run: Run) -> str:
    changed = " with changes" if run.record.git_dirty else ""
    return (run.record.git_commit or "unknown")[:10] + changed


_DESCRIBE: dict[str, Callable[[Run], str]] = {
    "environment": _environment,
    "budget": _budget,
    "device": _device,
    "commit": _commit,
}
