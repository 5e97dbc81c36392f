"""What a W&B server should have: the target project, and each run with how to build its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablation.tracking import client
from ablation.tracking.mirrors import Directory
from ablation.tracking.runs import FINGERPRINT, EndedRun, TrackedRun

OVER = ("finished", "failed", "crashed", "killed")


@dataclass(frozen=True)
class Target:
    """Where to: a project of an entity on a server."""

    api: Any
    entity: str
    project: str

    @property
    def name(self) -> str:
        """Return the project's address."""
        return f"{self.api.settings['base_url']}/{self.entity}/{self.project}"


@dataclass(frozen=True)
class Wanted:
    """A run that the server should have.

    `lines` is the length of its history, None where any will do. `build` makes a local W&B directory
    that holds the run, under an id, from a line on: the client adds to the lines that a server has.
    """

    id: str
    fingerprint: str
    lines: Callable[[], int] | None
    build: Callable[[Target, int, str], Directory]

    def is_served(self, run: Any) -> bool:
        """Return whether the server's run is all of it."""
        if run.summary_metrics.get(FINGERPRINT) != self.fingerprint or run.state not in OVER:
            return False
        return self.lines is None or run.historyLineCount == self.lines()


def wanted_run(root: Path, run: TrackedRun, fingerprint: str, load: Callable[[], EndedRun]) -> Wanted:
    """Return what the server should have of a stored run; `load` reads it from the store."""
    return Wanted(
        run.id,
        fingerprint,
        lambda: len(load().rows()),
        lambda target, line, id: _build(root, replace(run, id=id), load(), target, line),
    )


def place(root: Path, line: int) -> Path:
    """Return the directory for a run's offline W&B files: a temporary one when they start behind line 0.

    Files of whole runs are kept, those of parts only until they are sent.
    """
    return root / "wandb" / "internal" / "rest" if line else root


def _build(root: Path, run: TrackedRun, ended: EndedRun, target: Target, line: int) -> Directory:
    below = place(root, line)
    opened = client.open_run(below, run, target.project, target.entity, "offline")
    client.log_rows(opened, ended.rows()[line:], line)
    summary = ended.summary()
    client.close_run(opened, summary, ended.exit_code)
    directory = Directory(Path(opened.settings.sync_dir))
    directory.complete(summary[FINGERPRINT])
    return directory
