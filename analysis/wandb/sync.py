"""Uploads what W&B does not have yet, made from the store, and trusts only what the server says it has.

The client ends well even when its upload broke off, so that its word counts for nothing: a run is sent
once the server shows its fingerprint, its end and every line of its history; a study, once it has the
artifact of that fingerprint.
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

from ablation.store.files import read_json, write_json
from ablation.tracking import client
from analysis.wandb.wanted import Target, Wanted

BATCH = client.PAGE
"""Runs that are asked for, and uploaded by one process, at a time."""
ROUNDS = 3
LOOKS = (0, 1, 2, 4, 8, 15)
"""Seconds before each look for what was just sent: lines that the server has but does not
show yet would be doubled by sending them again."""
SECONDS_A_BATCH = 600
LOG, SENT = "sync.log", "sent.json"
_RETRIES = {
    "WANDB__FILE_STREAM_RETRY_MAX": "8",
    "WANDB__FILE_STREAM_RETRY_WAIT_MAX_SECONDS": "8",
    "WANDB__GRAPHQL_RETRY_MAX": "8",
    "WANDB__GRAPHQL_RETRY_WAIT_MAX_SECONDS": "8",
}
"""Give up on an absent server after about a minute; the next `replay-ablation sync` goes on."""


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
    known = read_json(root / "wandb" / SENT)
    known = known if isinstance(known, dict) else {}
    upload = _Upload(root, target, jobs, show, known.get(target.name, {}))
    left = [item for item in wanted if not upload.skips(item)]
    for start in range(0, len(left), BATCH):
        upload.send(left[start : start + BATCH])
        write_json(root / "wandb" / SENT, known | {target.name: upload.confirmed})
    return upload.result


@dataclass
class _Upload:
    root: Path
    target: Target
    jobs: int
    show: Callable[[UploadResult], None]
    confirmed: dict[str, str]
    """The fingerprint that the server was seen to have of a run, by the run's id."""
    result: UploadResult = field(default_factory=UploadResult)

    def skips(self, item: Wanted) -> bool:
        """Note a run that needs no question: the server was seen to have all of it."""
        if known := self.confirmed.get(item.run.id) == item.fingerprint:
            self.result.skipped.append(item.run.id)
        return known

    def send(self, items: list[Wanted]) -> None:
        """Upload some runs until the server confirms each, in a few rounds."""
        items, served = self._look(items, self.result.skipped)
        for _ in range(ROUNDS):
            if not items:
                break
            # Nothing is sent as long as the server does not say what it has.
            if served is not None:
                items = self._send_once(items, served)
            for seconds in LOOKS:
                time.sleep(seconds)
                items, served = self._look(items, self.result.sent)
                if not items:
                    break
        reason = f"the server does not have all of it (see {self.root / 'wandb' / LOG})"
        self.result.failed |= {item.run.id: reason for item in items}
        self.show(self.result)

    def _look(
        self, items: list[Wanted], into: list[str]
    ) -> tuple[list[Wanted], dict[str, list[Any]] | None]:
        """Return the runs that the server does not have in full, and what it has; None: no answer."""
        try:
            ids = [item.run.id for item in items]
            served = client.served(self.target.api, self.target.path, ids)
        except Exception:
            return items, None
        left = []
        for item in items:
            *doubled, latest = served.get(item.run.id, [None])
            try:
                there = latest is not None and item.is_served(self.target, latest) and _deleted(doubled)
            except OSError as error:
                self.result.failed[item.run.id] = f"cannot be read any more: {client.reason(error)}"
                continue
            if there:
                into.append(item.run.id)
                self.confirmed[item.run.id] = item.fingerprint
            else:
                left.append(item)
        self.show(self.result)
        return left, served

    def _send_once(self, items: Sequence[Wanted], served: dict[str, list[Any]]) -> list[Wanted]:
        """Upload runs, and return those of which there was something to upload."""
        staged = self.root / "wandb" / "internal" / "upload"
        paths, built = [], []
        for item in items:
            try:
                paths.append(item.build(staged, self.target, served.get(item.run.id, [])))
                built.append(item)
            except Exception as error:
                self.result.failed[item.run.id] = client.reason(error)
        if paths:
            self._run_client(paths)
        shutil.rmtree(staged, ignore_errors=True)
        return built

    def _run_client(self, paths: Sequence[Path]) -> None:
        """Run the client's own upload to its end; only the server is asked what it did."""
        command = [sys.executable, "-m", "wandb", "sync", "-n", str(self.jobs)]
        command += ["--project", self.target.project, "--entity", self.target.entity, *map(str, paths)]
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
