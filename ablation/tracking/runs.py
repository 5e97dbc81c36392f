"""The names, columns and summary of a W&B run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.config.identity import flatten
from ablation.store.records import Row
from ablation.store.run_record import ENDED, RunRecord
from ablation.store.runs import RunKey
from ablation.tracking.rows import all_rows, leftover, tables_of

TRAIN, STUDY = "train", "study"
"""Job types: a run, and what a study shows of all its runs."""

MAX_TAG = 64
PLAN_OF_STUDY = "plan"
"""Key of a study's W&B run that holds its plan, as text."""
RECORD = "run_json"
FINGERPRINT, DIGEST, LEFT = "fingerprint", "rows_sha256", "rows_left"
OFF_FACTOR = "baseline"
"""Level of the factors that an arm leaves at the baseline."""

Tables = Mapping[str, Sequence[Row]]


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
        """Return the rows of its W&B history."""
        return all_rows(self.tables, self.final)

    @property
    def exit_code(self) -> int:
        """Return what the run's process would have ended with."""
        return 1 if self.record.status == "failed" else 0

    def summary(self) -> dict[str, Any]:
        """Return what W&B shows of the run beside its curves; `run_json` carries the whole record."""
        record = self.record
        return {
            "status": record.status,
            "error": _last_line(record.error),
            "attempt": record.attempt,
            "started": record.started,
            "ended": record.ended,
            "steps": record.env_steps,
            "gradient_steps": record.gradient_steps,
            "steps_per_second": record.steps_per_second,
            "peak_memory_mb": round((record.peak_rss_bytes or 0) / 1e6, 1),
            "device": record.device,
            **{f"score/{name}": value for name, value in self.scores.items()},
            LEFT: json.dumps({} if self.final else leftover(self.tables)),
            DIGEST: digest(self.tables),
            RECORD: json.dumps(record.as_json()),
            FINGERPRINT: fingerprint(record),
        }


def tracked_run(
    key: RunKey,
    config: Mapping[str, Any],
    arm: str,
    levels: Mapping[str, str],
    factors: Iterable[str],
    study: str,
    question: str,
) -> TrackedRun:
    """Return what the W&B run of a stored run is called: its id from cell and seed alone.

    `config` is the canonical configuration, `levels` the arm's off the baseline, `factors` all of
    the study's; every one of them becomes a column to group by.
    """
    named = {
        f"factor/{name}": levels.get(name, OFF_FACTOR) for name in {**dict.fromkeys(factors), **levels}
    }
    columns = {"arm": arm, "study": study, "cell": key.cell, "seed": key.seed}
    return TrackedRun(
        id=wandb_id(key),
        name=f"{arm} #{key.seed}",
        group=arm[:128],
        tags=[study[:MAX_TAG], str(config["env"]["id"])[:MAX_TAG]],
        notes=question,
        config=columns
        | named
        | {name.replace(".", "/"): value for name, value in flatten(config).items()},
    )


def wandb_id(key: RunKey) -> str:
    """Return the id of a run in W&B."""
    return f"{key.cell}-{key.seed:04d}"


def fingerprint(record: RunRecord) -> str:
    """Return 16 hex digits of a `run.json`: another attempt at the same run has others."""
    text = json.dumps(record.as_json(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def tables_from(
    history: Iterable[Mapping[str, Any]], summary: Mapping[str, Any]
) -> dict[str, list[Row]]:
    """Return a run's tables from what W&B has of it."""
    return tables_of([*history, json.loads(summary[LEFT])])


def digest(tables: Tables) -> str:
    """Return the SHA-256 of a run's rows: equal exactly when every bit of them is."""
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def _last_line(error: str | None) -> str | None:
    return error.strip().splitlines()[-1] if error else None
