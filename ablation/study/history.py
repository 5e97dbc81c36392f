"""The stored plan of a study, `results/studies/<study>/plan.json`, and the history of its changes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from ablation.config.validation import ConfigError
from ablation.store.files import read_json, write_json
from ablation.store.keys import BadName, check_name
from ablation.store.runs import Store
from ablation.study.looks import Looks
from ablation.study.plan import Plan, plan_from_json


@dataclass(frozen=True)
class PlanDiff:
    """Cells and runs added and dropped since the stored plan with hash `since`.

    Runs that were dropped stay on disk. `changed_code` has, for each arm that trains the same
    configuration by other code than before, the components whose code changed.
    """

    since: str
    new_cells: list[str]
    dropped_cells: list[str]
    new_runs: int
    dropped_runs: int
    changed_code: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.new_runs or self.dropped_runs)


def plan_diff(store: Store, plan: Plan) -> PlanDiff | None:
    """Return how a plan differs from the stored one of its study; None where none can be read."""
    stored = _read(store, plan.study.name)
    earlier = None if stored is None else _plan(stored)
    if stored is None or earlier is None:
        return None
    asked, asked_before = set(plan.runs()), set(earlier.runs())
    return PlanDiff(
        str(stored["hash"]),
        [cell for cell in plan.cells if cell not in earlier.cells],
        [cell for cell in earlier.cells if cell not in plan.cells],
        len(asked - asked_before),
        len(asked_before - asked),
        _changed_code(earlier, plan),
    )


def _changed_code(earlier: Plan, plan: Plan) -> dict[str, list[str]]:
    """Return the components with other code than in an earlier plan, by the arm that has them."""
    before = {(arm.name, arm.environment): earlier.cells[arm.cell] for arm in earlier.arms}
    changed = {}
    for arm in plan.arms:
        old, new = before.get((arm.name, arm.environment)), plan.cells[arm.cell]
        if old is None or old == new or (old | {"components": None}) != (new | {"components": None}):
            continue
        hashes = old.get("components", {})
        paths = [path for path, code in new["components"].items() if hashes.get(path) != code]
        changed[f"{arm.name} ({arm.env_id})"] = paths
    return changed


def save_plan(store: Store, plan: Plan, command: str) -> None:
    """Write a study's plan; one that differs is kept under its hash, and the change is recorded."""
    directory = store.study_directory(plan.study.name)
    stored = _read(store, plan.study.name)
    earlier = (stored or {}).get("history")
    history: list[Any] = list(earlier) if isinstance(earlier, list) else []
    if stored is None or stored["hash"] != plan.hash:
        diff = plan_diff(store, plan)
        entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "hash": plan.hash}
        history.append(entry | {"command": command} | ({} if diff is None else asdict(diff)))
        if stored is not None:
            write_json(store.inside(directory / "plans" / f"{_name(stored)}.json"), stored)
    write_json(store.inside(directory / "plan.json"), plan.as_json(command) | {"history": history})


def stored_plan(store: Store, study: str) -> Plan | None:
    """Return a study's plan, None where none can be read."""
    stored = _read(store, study)
    return None if stored is None else _plan(stored)


def swept_meanwhile(store: Store, plan: Plan) -> str | None:
    """Return a sentence if another plan of the study's name was stored, without all runs of this one."""
    other = stored_plan(store, plan.study.name)
    if other is None or set(plan.runs()) <= set(other.runs()):
        return None
    return (
        f"Study {plan.study.name} was swept with another plan ({other.hash}) at the same time: the "
        f"report is of that one. The runs of this one ({plan.hash}) are stored; the same command again "
        "reports them, and study.name=NAME keeps both."
    )


def stored_looks(store: Store, plan: Plan) -> Looks | None:
    """Return the looks of a study's stored plan, None where it has none or other configurations."""
    earlier = stored_plan(store, plan.study.name)
    if earlier is None or set(earlier.cells) != set(plan.cells):
        return None
    return earlier.looks


def stored_command(store: Store, study: str) -> str | None:
    """Return the command that wrote a study's plan, None where there is none."""
    stored = _read(store, study)
    return None if stored is None else str(stored.get("command", ""))


def earlier_command(store: Store, study: str) -> str | None:
    """Return the sweep that wrote the plan before a study's present one; None if there is none."""
    stored = _read(store, study) or {}
    history = stored.get("history")
    commands = [entry.get("command") for entry in history or [] if isinstance(entry, dict)]
    swept = [str(each) for each in commands if "sweep" in str(each).split()[:2]]
    others = [each for each in swept if each != stored.get("command")]
    return others[-1] if others else None


def _read(store: Store, study: str) -> dict[str, Any] | None:
    values = read_json(store.study_directory(study) / "plan.json")
    return values if isinstance(values, dict) and "hash" in values else None


def _plan(stored: dict[str, Any]) -> Plan | None:
    try:
        return plan_from_json(stored)
    except ConfigError:
        return None


def _name(stored: dict[str, Any]) -> str:
    """Return what an earlier plan is kept under: its hash, unless that is no name."""
    try:
        return check_name("hash", stored["hash"])
    except BadName:
        return hashlib.sha256(json.dumps(stored).encode()).hexdigest()[:12]
