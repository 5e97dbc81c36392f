"""What a study's page lists of its plan and runs: changed settings, merged arms, statuses, errors."""

from __future__ import annotations

import json
from typing import Any

from ablation.config.identity import flatten
from ablation.results.load import StudyRuns
from ablation.study.plan import Merged


def changes(runs: StudyRuns) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Return each arm with the keys in which it differs from the baseline: key, before, after."""
    found = []
    for arm in runs.plan.arms:
        baseline = runs.baseline(arm.environment)
        own = flatten(runs.plan.cells.get(arm.cell, {}))
        base = flatten(runs.plan.cells.get(baseline.cell, {}))
        if runs.is_outside(arm):
            # Levels are all that is known of runs from elsewhere.
            own, base = (_levels(flat) for flat in (own, base))
        keys = [key for key in {**base, **own} if own.get(key) != base.get(key)]
        if arm.role != "baseline":
            found.append(
                (arm.name, arm.env_id, [(key, _value(base, key), _value(own, key)) for key in keys])
            )
    return found


def _levels(flat: dict[str, Any]) -> dict[str, Any]:
    """Return the levels of an arm from elsewhere by factor, nothing of one of ours."""
    prefix = "outside.levels."
    return {key.removeprefix(prefix): flat[key] for key in flat if key.startswith(prefix)}


def merged_text(entry: Merged) -> str:
    """Return why a combination was merged; a constraint's reason says more than the equality."""
    text = f"identical configuration (merged into {entry.into})"
    # The plan words the equality itself; its words are part of its hash and stay as they are.
    return text if entry.reason.startswith("trains exactly") else f"{text}: {entry.reason}"


def _value(flat: dict[str, Any], key: str) -> str:
    return json.dumps(flat[key]) if key in flat else "not used"


def completeness(runs: StudyRuns) -> list[tuple[str, str, str, dict[str, int]]]:
    """Return each arm's name, environment id, configuration and number of runs by status."""
    return [(arm.name, arm.env_id, arm.cell, runs.statuses(arm)) for arm in runs.plan.arms]


def errors(runs: StudyRuns) -> list[str]:
    """Return a line for each run whose record has an error."""
    messages = {key: (run.record.error or "").strip() for key, run in runs.runs.items()}
    return [
        f"{key.cell} seed {key.seed}, {runs.runs[key].status}: {error.splitlines()[-1]}"
        for key, error in messages.items()
        if error
    ]
