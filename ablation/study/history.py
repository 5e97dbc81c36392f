"""The frozen plan of a study, `results/studies/<study>/plan.json`, and the history of its changes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ablation.config.validation import ConfigError
from ablation.store.files import read_json, write_json
from ablation.store.runs import Store
from ablation.study.plan import Plan, plan_from_json


@dataclass(frozen=True)
class PlanDiff:
    """What a plan asks for that the frozen one did not, and the other way round; `since` is its hash.

    Runs that are no longer asked for stay on disk.
    """

    since: str
    new_cells: list[str]
    dropped_cells: list[str]
    new_runs: int
    dropped_runs: int

    def __bool__(self) -> bool:
        return bool(self.new_runs or self.dropped_runs)


def plan_diff(store: Store, plan: Plan) -> PlanDiff | None:
    """Return how a plan differs from the frozen one of its study; None where none was frozen."""
    frozen = _read(store, plan.study.name)
    earlier = None if frozen is None else _plan(frozen)
    if frozen is None or earlier is None:
        return None
    asked, asked_before = set(plan.runs()), set(earlier.runs())
    return PlanDiff(
        str(frozen["hash"]),
        [cell for cell in plan.cells if cell not in earlier.cells],
        [cell for cell in earlier.cells if cell not in plan.cells],
        len(asked - asked_before),
        len(asked_before - asked),
    )


def save_plan(store: Store, plan: Plan, command: str) -> None:
    """Write a study's plan; one that differs is kept under its hash, and the change is recorded."""
    directory = store.study_directory(plan.study.name)
    frozen = _read(store, plan.study.name)
    history: list[Any] = list((frozen or {}).get("history", []))
    if frozen is None or frozen["hash"] != plan.hash:
        found = plan_diff(store, plan)
        entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "hash": plan.hash}
        history.append(entry | {"command": command} | ({} if found is None else asdict(found)))
        if frozen is not None:
            write_json(directory / "plans" / f"{frozen['hash']}.json", frozen)
    write_json(directory / "plan.json", plan.as_json(command) | {"history": history})


def _read(store: Store, study: str) -> dict[str, Any] | None:
    values = read_json(store.study_directory(study) / "plan.json")
    return values if isinstance(values, dict) and "hash" in values else None


def _plan(frozen: dict[str, Any]) -> Plan | None:
    try:
        return plan_from_json(frozen)
    except (ConfigError, KeyError, TypeError):
        return None
