"""Whether the runs of one table can be compared: environment versions, budgets, devices, commits.

Runs of another arithmetic than most are not: they were left out when the study was read, and named here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from ablation.results.arithmetic import OTHER_ARITHMETIC, arithmetic_of, other_arithmetic
from ablation.results.load import StudyRuns
from ablation.results.run import Run
from ablation.store.run_record import ENDED
from ablation.study.plan import Arm

ASPECTS = ("environment", "budget", "score", "device", "commit", "component")
Differences = dict[str, list[str]]
"""Aspect -> one line for each group of runs that differ in it."""


class NotComparable(Exception):
    """Runs of one table differ in an aspect that they should share and nobody allowed to differ."""


def find_differences(runs: StudyRuns) -> Differences:
    """Return the aspects in which runs of the same environment differ, with a line for each group."""
    differences: Differences = {}
    for environment in runs.environments:
        arms = runs.arms(environment)
        for aspect, describe in _DESCRIBE.items():
            groups = _groups(runs, arms, aspect, describe)
            if len(groups) > 1:
                lines = [f"{arms[0].env_id}: {text} ({who})" for text, who in groups.items()]
                differences.setdefault(aspect, []).extend(lines)
    return differences | _component_differences(runs)


def _component_differences(runs: StudyRuns) -> Differences:
    """Return the components that not all runs that use them have in the same version."""
    versions: dict[str, Counter[str]] = {}
    for run in runs.runs.values():
        for path, code in (run.record.component_fingerprints or {}).items():
            versions.setdefault(path, Counter())[code] += 1
    lines = [
        f"{path}: {', '.join(f'{code} ({count} runs)' for code, count in codes.items())}"
        for path, codes in versions.items()
        if len(codes) > 1
    ]
    return {"component": lines} if lines else {}


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


def left_out(runs: StudyRuns) -> list[str]:
    """Return a line for each group of runs that are left out because their arithmetic is another."""
    ended = {key: run for key, run in runs.runs.items() if run.status in (*ENDED, OTHER_ARITHMETIC)}
    arithmetic = {key: arithmetic_of(run.record) for key, run in ended.items()}
    described = {arithmetic[key]: _arithmetic(run) for key, run in reversed(ended.items())}
    env_ids = {arm.cell: arm.env_id for arm in runs.plan.arms}
    groups = Counter(
        (env_ids[key.cell], described[own], described[kept])
        for key, (own, kept) in other_arithmetic(runs.plan, arithmetic).items()
    )
    return [
        f"{env_id}: {count} run{'s' if count != 1 else ''} of other arithmetic left out ({own}); shown "
        f"are those of {kept}; a sweep with retry=arithmetic trains the others again"
        for (env_id, own, kept), count in groups.items()
    ]


def not_reproducible(runs: StudyRuns) -> list[str]:
    """Return a line for each environment whose runs would have other numbers if trained again."""
    reasons = Counter(
        (str(run.record.setting("env", "id")), run.record.not_reproducible)
        for run in runs.runs.values()
        if run.status in ENDED and run.record.not_reproducible
    )
    return [
        f"{env_id} is not reproducible ({reason}): its {count} run{'s' if count != 1 else ''} would "
        "have other numbers if trained again"
        for (env_id, reason), count in reasons.items()
    ]


def _arithmetic(run: Run) -> str:
    processor = run.record.processor.get("name", "unknown processor")
    return f"{run.record.arithmetic or 'unknown'}, {processor}"


OF_OUR_PROGRAM = ("device", "commit")
"""Aspects that runs from elsewhere need not share with ours."""


def _groups(
    runs: StudyRuns, arms: list[Arm], aspect: str, describe: Callable[[Run], str]
) -> dict[str, str]:
    """Return for each description of an aspect the number of runs that have it and their arms."""
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
    own = run.record.environment_fingerprint
    code = "" if own is None else f", {own}"
    return f"{run.record.setting('env', 'id') or 'unknown'}, gymnasium {library or 'unknown'}{code}"


def _budget(run: Run) -> str:
    steps = run.record.setting("train", "env_steps")
    updates = run.record.setting("train", "gradient_steps")
    # Arms of equal gradient steps may differ in environment steps: that is what their study is about.
    return f"{updates} gradient steps" if updates else f"{steps or 'unknown'} environment steps"


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
