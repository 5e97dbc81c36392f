"""Uploads what W&B does not have yet, and trusts only what the server then says it has.

The client marks a run as synced even when its upload broke off, so its mark counts for nothing here:
a run is sent once the server shows its fingerprint, its end and every line of its history.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablation.tracking import client
from ablation.tracking.mirrors import Directory, directories
from ablation.tracking.runs import FINGERPRINT, EndedRun, TrackedRun

BATCH = client.PAGE
"""Runs that are asked for, and uploaded by one process, at a time."""

ROUNDS = 3
LOOKS = (0, 1, 2, 4, 8, 15)
"""Seconds before each look for what was just sent: lines that the server has but does not
show yet would be doubled by sending them again."""

SECONDS_A_BATCH = 600
OVER = ("finished", "failed", "crashed", "killed")

_RETRIES = {
    "WANDB__FILE_STREAM_RETRY_MAX": "8",
    "WANDB__FILE_STREAM_RETRY_WAIT_MAX_SECONDS": "8",
    "WANDB__GRAPHQL_RETRY_MAX": "8",
    "WANDB__GRAPHQL_RETRY_WAIT_MAX_SECONDS": "8",
}
"""Give up on an absent server after about a minute; the next `make sync` goes on."""


class Unreachable(Exception):
    """The server does not answer, or refuses the key."""


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
    that holds the run from a line on: the client adds to the lines that a server has.
    """

    id: str
    fingerprint: str
    lines: Callable[[], int] | None
    build: Callable[[Target, int], Directory]

    def is_served(self, run: Any) -> bool:
        """Return whether the server's run is all of it."""
        if run.summary_metrics.get(FINGERPRINT) != self.fingerprint or run.state not in OVER:
            return False
        return self.lines is None or run.historyLineCount == self.lines()


@dataclass
class UploadResult:
    """The ids of what was sent, what was there already, and what failed with its reason."""

    sent: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def connect(root: Path, project: str, entity: str | None) -> Target:
    """Return the project as the server knows it, or raise `Unreachable` with the reason."""
    try:
        api = client.api(root, client.OPEN_SECONDS)
        return Target(api, entity or str(api.default_entity), project)
    except Exception as error:
        raise Unreachable(client.reason(error)) from None


def wanted_run(root: Path, run: TrackedRun, fingerprint: str, load: Callable[[], EndedRun]) -> Wanted:
    """Return what the server should have of a stored run; `load` reads it from the store."""
    return Wanted(
        run.id,
        fingerprint,
        lambda: len(load().rows()),
        lambda target, line: _build(root, run, load(), target, line),
    )


def place(root: Path, line: int) -> Path:
    """Return the directory for a run's offline W&B files: a temporary one when they start behind line 0.

    Files of whole runs are kept, those of parts only until they are sent.
    """
    return root / "wandb" / "internal" / "rest" if line else root


def sync(
    root: Path,
    target: Target,
    wanted: Sequence[Wanted],
    jobs: int,
    show: Callable[[UploadResult], None] = lambda _: None,
) -> UploadResult:
    """Upload what the server does not have, `jobs` runs at a time, and return the result of each.

    `show` is called whenever something is known of some more runs.
    """
    result = UploadResult()
    local = _by_id(root)
    left = []
    for item in wanted:
        directory = local.get(item.id)
        if directory and directory.holds == item.fingerprint and directory.sent == target.name:
            result.skipped.append(item.id)
        else:
            left.append(item)
    show(result)
    for start in range(0, len(left), BATCH):
        _batch(root, target, left[start : start + BATCH], jobs, result, show)
    return result


def _batch(
    root: Path,
    target: Target,
    items: list[Wanted],
    jobs: int,
    result: UploadResult,
    show: Callable[[UploadResult], None],
) -> None:
    items = _unconfirmed(root, target, items, result.skipped)
    for _ in range(ROUNDS):
        paths = _prepare(root, target, items, result.failed)
        items = [item for item in items if item.id not in result.failed]
        show(result)
        if paths:
            _upload(root, target, paths.values(), jobs)
        for seconds in LOOKS:
            if items:
                time.sleep(seconds)
                items = _unconfirmed(root, target, items, result.sent)
                show(result)
        shutil.rmtree(place(root, 1), ignore_errors=True)
    for item in items:
        result.failed[item.id] = f"the server does not have all of it (see {_log(root)})"
        for directory in directories(root, item.id):
            directory.forget_upload()
    show(result)


def _unconfirmed(root: Path, target: Target, items: list[Wanted], confirmed: list[str]) -> list[Wanted]:
    """Ask the server for runs, note those that it has in full, and return the others."""
    served = _served(target, items) or {}
    left = []
    for item in items:
        if item.id not in served or not item.is_served(served[item.id]):
            left.append(item)
            continue
        confirmed.append(item.id)
        for directory in directories(root, item.id):
            if directory.holds == item.fingerprint:
                directory.confirm(target.name)
    return left


def _prepare(
    root: Path, target: Target, items: Sequence[Wanted], failed: dict[str, str]
) -> dict[str, Path]:
    """Return a directory to upload for each run, with the lines that the server does not have.

    Empty as long as the server does not say what it has.
    """
    served, local = _served(target, items), _by_id(root)
    paths: dict[str, Path] = {}
    for item in items if served is not None else ():
        line = served[item.id].historyLineCount if served and item.id in served else 0
        directory = local.get(item.id)
        try:
            if item.lines is not None and line > item.lines():
                raise ValueError(
                    f"the server has {line} lines of it, {item.lines()} are right: delete it there"
                )
            if line or directory is None or directory.holds != item.fingerprint:
                directory = item.build(target, line)
            paths[item.id] = directory.path
        except Exception as error:
            failed[item.id] = client.reason(error)
    return paths


def _served(target: Target, items: Sequence[Wanted]) -> dict[str, Any] | None:
    """Return the server's runs by their ids, or None when it does not answer."""
    try:
        ids = [item.id for item in items]
        return client.served(target.api, target.entity, target.project, ids)
    except Exception:
        return None


def _upload(root: Path, target: Target, paths: Iterable[Path], jobs: int) -> None:
    """Run the client's own upload to its end; what it did is asked of the server, not of it."""
    command = [sys.executable, "-m", "wandb", "sync", "--include-online", "--include-synced"]
    command += ["-n", str(jobs), "--project", target.project, "--entity", target.entity]
    with _log(root).open("a") as log:
        try:
            subprocess.run(
                [*command, *map(str, paths)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | _RETRIES | {"WANDB_SILENT": "false", "WANDB_DIR": str(root.absolute())},
                timeout=SECONDS_A_BATCH,
                check=False,
            )
        except subprocess.TimeoutExpired:
            log.write(f"given up after {SECONDS_A_BATCH} s\n")


def _build(root: Path, run: TrackedRun, ended: EndedRun, target: Target, line: int) -> Directory:
    below = place(root, line)
    opened = client.open_run(below, run, target.project, target.entity, "offline")
    client.log_rows(opened, ended.rows()[line:], line)
    summary = ended.summary()
    client.close_run(opened, summary, ended.exit_code)
    directory = Directory(Path(opened.settings.sync_dir))
    directory.complete(summary[FINGERPRINT])
    return directory


def _by_id(root: Path) -> dict[str, Directory]:
    return {directory.id: directory for directory in directories(root)}


def _log(root: Path) -> Path:
    return root / "wandb" / "sync.log"
