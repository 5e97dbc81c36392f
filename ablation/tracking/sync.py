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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablation.tracking import client
from ablation.tracking.mirrors import Directory, directories, replacements
from ablation.tracking.wanted import Target, Wanted, place

BATCH = client.PAGE
"""Runs that are asked for, and uploaded by one process, at a time."""

ROUNDS = 3
LOOKS = (0, 1, 2, 4, 8, 15)
"""Seconds before each look for what was just sent: lines that the server has but does not
show yet would be doubled by sending them again."""

SECONDS_A_BATCH = 600
LOG = "sync.log"
_RETRIES = {
    "WANDB__FILE_STREAM_RETRY_MAX": "8",
    "WANDB__FILE_STREAM_RETRY_WAIT_MAX_SECONDS": "8",
    "WANDB__GRAPHQL_RETRY_MAX": "8",
    "WANDB__GRAPHQL_RETRY_WAIT_MAX_SECONDS": "8",
}
"""Give up on an absent server after about a minute; the next `make sync` goes on."""


class Unreachable(Exception):
    """The server does not answer, or refuses the key."""


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
    local = _by_id(root)
    skipped, left = [], []
    for item in wanted:
        directory = local.get(item.id)
        if directory and directory.holds == item.fingerprint and directory.sent == target.name:
            skipped.append(item.id)
        else:
            left.append(item)
    upload = _Upload(root, target, jobs, show, UploadResult(skipped=skipped))
    show(upload.result)
    for start in range(0, len(left), BATCH):
        upload.send(left[start : start + BATCH])
    return upload.result


@dataclass(frozen=True)
class _Upload:
    root: Path
    target: Target
    jobs: int
    show: Callable[[UploadResult], None]
    result: UploadResult

    def send(self, items: list[Wanted]) -> None:
        """Upload some runs until the server confirms each, in a few rounds."""
        items = self._unconfirmed(items, self.result.skipped)
        for _ in range(ROUNDS):
            if items:
                items = self._send_once(items)
        for item in items:
            log = self.root / "wandb" / LOG
            self.result.failed[item.id] = f"the server does not have all of it (see {log})"
            for directory in directories(self.root, item.id):
                directory.forget_upload()
        self.show(self.result)

    def _send_once(self, items: list[Wanted]) -> list[Wanted]:
        """Upload runs, look for them on the server, and return those that it does not confirm."""
        paths = self._prepare(items)
        items = [item for item in items if item.id not in self.result.failed]
        self.show(self.result)
        if paths:
            self._run_client(paths)
        for seconds in LOOKS:
            if items:
                time.sleep(seconds)
                items = self._unconfirmed(items, self.result.sent)
                self.show(self.result)
        shutil.rmtree(place(self.root, 1), ignore_errors=True)
        return items

    def _unconfirmed(self, items: list[Wanted], confirmed: list[str]) -> list[Wanted]:
        """Ask the server for runs, note those that it has in full, and return the others."""
        served = self._served(items) or {}
        left = []
        for item in items:
            *doubled, latest = served.get(item.id, [None])
            try:
                if latest is None or not item.is_served(latest) or not _deleted(doubled):
                    left.append(item)
                    continue
            except OSError as error:
                self.result.failed[item.id] = f"cannot be read any more: {client.reason(error)}"
                continue
            confirmed.append(item.id)
            for directory in directories(self.root, item.id):
                if directory.holds == item.fingerprint:
                    directory.confirm(self.target.name)
        return left

    def _prepare(self, items: Sequence[Wanted]) -> list[Path]:
        """Return a directory to upload for each run, with the lines that the server does not have.

        Empty as long as the server does not say what it has.
        """
        served, local = self._served(items), _by_id(self.root)
        paths = []
        for item in items if served is not None else ():
            runs = (served or {}).get(item.id, [])
            try:
                paths.append(self._directory(item, runs, local.get(item.id)).path)
            except Exception as error:
                self.result.failed[item.id] = client.reason(error)
        return paths

    def _directory(self, item: Wanted, runs: Sequence[Any], local: Directory | None) -> Directory:
        """Return a directory that holds a run from a line on: the local one where it fits.

        `runs` are the server's, the latest last. One with more lines than are right, as two uploads at
        once make it, is sent again as a whole under another id; the server takes no line back.
        """
        id, line = (runs[-1].id, runs[-1].historyLineCount) if runs else (item.id, 0)
        if item.lines is not None and line > item.lines():
            ids = replacements(item.id)
            if id == ids[-1]:
                raise ValueError(f"was doubled {len(ids)} times: is something else uploading it?")
            id, line = ids[ids.index(id) + 1], 0
        fits = local is not None and (local.holds, local.own_id) == (item.fingerprint, id)
        return local if local is not None and fits and not line else item.build(self.target, line, id)

    def _served(self, items: Sequence[Wanted]) -> dict[str, list[Any]] | None:
        """Return the server's runs by their ids, or None when it does not answer."""
        try:
            ids = [item.id for item in items]
            return client.served(self.target.api, self.target.entity, self.target.project, ids)
        except Exception:
            return None

    def _run_client(self, paths: Sequence[Path]) -> None:
        """Run the client's own upload to its end; only the server is asked what it did."""
        command = [sys.executable, "-m", "wandb", "sync", "--include-online", "--include-synced"]
        command += ["-n", str(self.jobs), "--project", self.target.project]
        command += ["--entity", self.target.entity, *map(str, paths)]
        settings = {"WANDB_SILENT": "false", "WANDB_DIR": str(self.root.absolute())}
        with (self.root / "wandb" / LOG).open("a", encoding="utf-8") as log:
            try:
                subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=os.environ | _RETRIES | settings,
                    timeout=SECONDS_A_BATCH,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                log.write(f"given up after {SECONDS_A_BATCH} s\n")


def _deleted(doubled: Sequence[Any]) -> bool:
    """Delete runs on the server that a later one has replaced; return whether that worked."""
    try:
        for run in doubled:
            run.delete()
    except Exception:
        return False
    return True


def _by_id(root: Path) -> dict[str, Directory]:
    return {directory.id: directory for directory in directories(root)}
