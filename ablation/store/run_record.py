"""What `run.json` says of a stored run: how it ended, what it trained, where its numbers come from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

SCHEMA = 2
"""Version of the files' layout, kept in every `run.json`."""

STORED_STATUSES = ("complete", "failed", "diverged")
ENDED = ("complete", "diverged")
"""Statuses of runs that are not trained again."""
FAILED = "failed"

MISSING, RUNNING, CORRUPT = "missing", "running", "corrupt"
"""Statuses of runs that no `run.json` has."""


UNREADABLE = "run.json is missing or cannot be read"


def has_attempts_left(attempt: int, same_failure: bool, allowed: int, max_attempts: int) -> bool:
    """Return whether a run that has not ended may be tried again.

    `allowed` are the attempts that it may reach, those included that `retry=failed` forgives, and
    `max_attempts` those without. A failure that repeated itself since then is final.
    """
    return attempt < allowed and not (same_failure and attempt > allowed - max_attempts)


_OF_TRAINED_RUNS = ("wandb_id", "steps_per_second", "peak_rss_bytes")
"""What only the job of a run can say; left out of a run whose worker died."""
_LEFT_OUT_WHERE_EMPTY = ("failed_diagnostics", "same_failure", "not_reproducible")


class Refused(ValueError):
    """A `run.json` that this version does not read; the message says why."""


@dataclass(frozen=True)
class RunRecord:
    """One run's `run.json`, in the order of its keys; what a file lacks has its default."""

    schema: int = SCHEMA
    cell: str = ""
    seed: int = 0
    status: str = ""
    error: str | None = None
    """The traceback of a failed run, or why it diverged."""
    same_failure: bool = False
    """Whether the attempt before failed at the same step in the same way; left out where not."""
    attempt: int = 1
    env_steps: int = 0
    gradient_steps: int = 0
    wandb_id: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    """The canonical configuration of the cell."""
    started: str = ""
    ended: str = ""
    steps_per_second: float | None = None
    """Environment steps of the run's whole job (all seeds), a second."""
    peak_rss_bytes: int | None = None
    failed_diagnostics: dict[str, str] = field(default_factory=dict)
    """The exception of each diagnostic whose column is missing; left out where there is none."""
    device: str = ""
    trained_by: str = ""
    """`compiled` or `torch`."""
    arithmetic: str | None = None
    """A hash of a fixed short computation through what trained the run; see `training.fingerprint`."""
    portable: bool | None = None
    """Whether any x86-64 processor with fused multiply-add gives the same numbers."""
    processor: dict[str, Any] = field(default_factory=dict)
    environment_fingerprint: str | None = None
    """A hash of the code of an environment that is neither Gymnasium's nor ours, and its version."""
    not_reproducible: str | None = None
    """Why the environment may give other numbers next time; left out where it does not."""
    component_fingerprints: dict[str, str] | None = None
    """`source <hash>` or `<package> <version>` of each component that is named by an import path."""
    versions: dict[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    git_dirty: bool | None = None
    checksums: dict[str, str] = field(default_factory=dict)
    """The SHA-256 and the bytes of each table's file, `<hex digits> <bytes>`, by the file's name."""

    @classmethod
    def from_json(cls, text: str | bytes) -> RunRecord:
        """Return the record that a `run.json` holds; raises `Refused` with what is wrong with it."""
        try:
            record = _STRICT.validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            reason = f"run.json: {key} = {first['input']!r:.40}: {first['msg'].lower()}"
            if not key:
                reason = UNREADABLE
            schema = _schema(text)
        else:
            schema, reason = record.schema, ""
        if schema != SCHEMA:
            advice = "train again or use the version that wrote it"
            raise Refused(f"run.json has schema {schema!r:.40}, this version reads {SCHEMA}: {advice}")
        if reason:
            raise Refused(reason)
        return record

    def as_json(self) -> dict[str, Any]:
        """Return the values of `run.json`, in its order."""
        return {
            name: value
            for name, value in vars(self).items()
            if value is not None or name not in _OF_TRAINED_RUNS
            if value or name not in _LEFT_OUT_WHERE_EMPTY
        }

    def setting(self, section: str, key: str) -> Any:
        """Return a value of the configuration; None where the record does not say."""
        values = self.config.get(section)
        return values.get(key) if isinstance(values, dict) else None


_STRICT = TypeAdapter(RunRecord)


def _schema(text: str | bytes) -> Any:
    try:
        return json.loads(text).get("schema", SCHEMA)
    except (ValueError, AttributeError, RecursionError):
        return SCHEMA
