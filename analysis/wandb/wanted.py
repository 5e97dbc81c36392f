"""What a W&B server should have: the target project, and each run with how to log it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablation.tracking import client
from ablation.tracking.mirrors import replacements
from ablation.tracking.runs import EndedRun, TrackedRun

OVER = ("finished", "failed", "crashed", "killed")


@dataclass(frozen=True)
class Target:
    """Where to: a project of an entity on a server."""

    api: Any
    entity: str
    project: str

    @property
    def path(self) -> str:
        """Return the project as the client names it."""
        return f"{self.entity}/{self.project}"

    @property
    def name(self) -> str:
        """Return the project's address."""
        return f"{self.api.settings['base_url']}/{self.path}"

    def has_artifact(self, name: str, fingerprint: str) -> bool:
        """Return whether the latest artifact of this name has a fingerprint."""
        try:
            metadata = client.artifact(self.api, self.path, name).metadata
            return bool(metadata.get(client.FINGERPRINT) == fingerprint)
        except Exception:
            return False


@dataclass(frozen=True)
class Wanted:
    """A run that the server should have: `lines` of history, or, where that is None, an artifact.

    `log` logs it to an open W&B run, from a line on, and returns its summary and exit code.
    """

    run: TrackedRun
    fingerprint: str
    lines: Callable[[], int] | None
    log: Callable[[Any, int], tuple[dict[str, Any], int]]

    def is_served(self, target: Target, run: Any) -> bool:
        """Return whether the server's run is all of it."""
        if run.summary_metrics.get(client.FINGERPRINT) != self.fingerprint or run.state not in OVER:
            return False
        if self.lines is None:
            return target.has_artifact(self.run.id, self.fingerprint)
        return bool(run.historyLineCount == self.lines())

    def build(self, root: Path, target: Target, runs: Sequence[Any]) -> Path:
        """Return a local W&B directory with what the server's runs, the latest last, do not have.

        One with more lines than are right, as two uploads at once make it, is sent again as a whole
        under another id; the server takes no line back.
        """
        id, line = client.next_line(runs, self.run.id)
        if self.lines is not None and line > self.lines():
            ids = replacements(self.run.id)
            if id == ids[-1]:
                raise ValueError(f"was doubled {len(ids)} times: is something else uploading it?")
            id, line = ids[ids.index(id) + 1], 0
        # An artifact goes to the project that it was logged for, whatever `wandb sync` is told.
        run = replace(self.run, id=id)
        opened = client.open_run(root, run, target.project, target.entity, "offline")
        client.close_run(opened, *self.log(opened, line), self.fingerprint)
        return Path(opened.settings.sync_dir)


def wanted_run(run: TrackedRun, fingerprint: str, load: Callable[[], EndedRun]) -> Wanted:
    """Return what the server should have of a stored run; `load` reads it from the store."""

    def log(opened: Any, line: int) -> tuple[dict[str, Any], int]:
        ended = load()
        client.log_rows(opened, ended.rows()[line:], line)
        return ended.summary(), ended.exit_code

    return Wanted(run, fingerprint, lambda: len(load().rows()), log)
