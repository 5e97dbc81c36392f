"""What `run.json` says of a stored run: how it ended, what it trained, where its numbers come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 2
"""Version of the files' layout, kept in every `run.json`."""

STORED_STATUSES = ("complete", "failed", "diverged")
ENDED = ("complete", "diverged")
"""Statuses of runs that are not trained again."""
FAILED = "failed"

MISSING, RUNNING, CORRUPT = "missing", "running", "corrupt"
"""Statuses of runs that no `run.json` has."""


def has_attempts_left(attempt: int, same_failure: bool, allowed: int, max_attempts: int) -> bool:
    """Return whether a run that has not ended may be tried again.

    `allowed` are the attempts that it may reach, those included that `retry=failed` forgives, and
    `max_attempts` those without. A failure that repeated itself since then is final.
    """
    return attempt < allowed and not (same_failure and attempt > allowed - max_attempts)


_OF_TRAINED_RUNS = ("wandb_id", "steps_per_second", "peak_rss_bytes")
"""What only the job of a run can say; left out of a run whose worker died."""
_LEFT_OUT_WHERE_EMPTY = ("failed_diagnostics", "same_failure", "not_reproducible")


def wrong_schema(values: Mapping[str, Any]) -> str | None:
    """Return why this version does not read a `run.json`, None where it does."""
    schema = values.get("schema")
    if schema == SCHEMA or not isinstance(schema, int):
        return None
    advice = "train again or use the version that wrote it"
    return f"run.json has schema {schema}, this version reads {SCHEMA}: {advice}"


@dataclass(frozen=True)
class RunRecord:
    """One run's `run.json`, in the order of its keys. What a damaged file lacks has its default."""

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
    """The SHA-256 of each table's file, by the file's name."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunRecord:
        """Return the record that a file holds; a value of a type that is not ours counts as absent."""
        known = {
            name: values[name] for name, kind in _TYPES.items() if isinstance(values.get(name), kind)
        }
        return cls(**known)

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


_TYPES: dict[str, Any] = {
    "schema": int,
    "cell": str,
    "seed": int,
    "status": str,
    "error": str,
    "same_failure": bool,
    "attempt": int,
    "env_steps": int,
    "gradient_steps": int,
    "wandb_id": str,
    "config": dict,
    "started": str,
    "ended": str,
    "steps_per_second": (int, float),
    "peak_rss_bytes": int,
    "failed_diagnostics": dict,
    "device": str,
    "trained_by": str,
    "arithmetic": str,
    "portable": bool,
    "processor": dict,
    "environment_fingerprint": str,
    "not_reproducible": str,
    "component_fingerprints": dict,
    "versions": dict,
    "git_commit": str,
    "git_dirty": bool,
    "checksums": dict,
}
