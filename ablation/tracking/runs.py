"""The names, columns and summary of a W&B run."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from ablation.config.identity import flatten
from ablation.store.run_record import ENDED, RunRecord
from ablation.store.runs import RunKey
from ablation.study.declaration import BASELINE
from ablation.study.designs import Factor
from ablation.study.plan import Plan
from ablation.tracking.rows import RowFeed, Tables

TRAIN, STUDY = "train", "study"
"""Job types: a run, and what a study shows of all its runs."""
NO_STUDY = "none"
MAX_TAG, MAX_GROUP = 64, 128


@dataclass(frozen=True)
class TrackedRun:
    """The id, name, group, tags, notes and configuration of a W&B run."""

    id: str
    name: str
    group: str
    tags: list[str]
    notes: str
    config: dict[str, Any]
    job_type: str = TRAIN


@dataclass(frozen=True)
class EndedRun:
    """A run as the store has it: its `run.json`, its rows by table, and its scores."""

    record: RunRecord
    tables: Tables
    scores: Mapping[str, float]

    @property
    def final(self) -> bool:
        """Return whether the run will not be trained again."""
        return self.record.status in ENDED

    def rows(self) -> list[dict[str, Any]]:
        """Return the lines of its W&B history."""
        return list(RowFeed().ended(self.tables, self.final))

    @property
    def exit_code(self) -> int:
        """Return what the run's process would have ended with."""
        return 1 if self.record.status == "failed" else 0

    def summary(self) -> dict[str, Any]:
        """Return what W&B shows of the run beside its curves."""
        record = self.record
        return {
            "status": record.status,
            "error": record.error.strip().splitlines()[-1] if record.error else None,
            "attempt": record.attempt,
            "started": record.started,
            "ended": record.ended,
            "steps": record.env_steps,
            "gradient_steps": record.gradient_steps,
            "steps_per_second": record.steps_per_second,
            "peak_memory_mb": round((record.peak_rss_bytes or 0) / 1e6, 1),
            "device": record.device,
        } | {f"score/{name}": value for name, value in self.scores.items()}


@dataclass(frozen=True)
class Filing:
    """Where a study has a run: its environment and arm there, and the values of the study's factors."""

    study: str
    question: str
    environment: str
    arm: str
    factors: Mapping[str, Any]


def filings(plans: Iterable[Plan], key: RunKey) -> Iterator[Filing]:
    """Yield where each of some studies has a run; nothing for those that do not ask for it."""
    for plan in plans:
        study = plan.study
        for arm in plan.arms:
            if arm.cell == key.cell and key.seed in arm.seeds:
                settings = flatten(plan.cells[arm.cell])
                factors = {
                    name: _level(factor, arm.levels.get(name), settings, study.baseline)
                    for name, factor in study.factors.items()
                }
                yield Filing(study.name, study.question, arm.environment, arm.name, factors)
                break


def arm_column(study: str) -> str:
    """Return the column that has the arm of a study: one run may be of several."""
    return f"arm/{study.replace('.', '_')}"


def tracked_run(key: RunKey, config: Mapping[str, Any], filed: Sequence[Filing]) -> TrackedRun:
    """Return what the W&B run of a stored run is called: its id from cell and seed alone.

    `config` is the canonical configuration; `filed` says which studies ask for the run, of which the
    first gives it its group and name.
    """
    env_id = str(config["env"]["id"])
    first = filed[0] if filed else Filing(NO_STUDY, "", env_id, key.cell, {})
    columns = {"study": first.study, "environment": first.environment, "arm": first.arm}
    columns |= {"cell": key.cell} | {arm_column(each.study): each.arm for each in filed}
    factors = {f"factor/{name}": value for each in filed[::-1] for name, value in each.factors.items()}
    settings = {name.replace(".", "/"): value for name, value in flatten(config).items()}
    tags = [each.study for each in filed] or [first.study]
    return TrackedRun(
        id=wandb_id(key),
        name=f"{first.arm} #{key.seed}",
        group=f"{first.study}/{first.environment}/{first.arm}"[:MAX_GROUP],
        tags=list(dict.fromkeys(tag[:MAX_TAG] for tag in (*tags, env_id))),
        notes=first.question,
        config=columns | {"seed": key.seed} | factors | settings,
    )


def wandb_id(key: RunKey) -> str:
    """Return the id of a run in W&B."""
    return f"{key.cell}-{key.seed:04d}"


def fingerprint(record: RunRecord, run: TrackedRun) -> str:
    """Return 16 hex digits of a `run.json` and of how W&B files it: another attempt has others."""
    shown = asdict(run) | {"id": None, "record": record.as_json()}
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]


def _level(
    factor: Factor, level: str | None, settings: Mapping[str, Any], baseline: Mapping[str, Any]
) -> Any:
    """Return an arm's level of a factor, a number where it is one; the baseline's where it has none."""
    if level is None:
        if factor.key is not None and factor.key in settings:
            return settings[factor.key]
        known, levels = {**settings, **baseline}, factor.overrides()
        fitting = [name for name, overrides in levels.items() if overrides.items() <= known.items()]
        level = max(fitting, key=lambda name: len(levels[name]), default=BASELINE)
    for number in (int, float):
        with suppress(ValueError):
            if math.isfinite(value := number(level)):
                return value
    return level
