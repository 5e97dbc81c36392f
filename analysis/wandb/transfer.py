"""Sync, report and pull with a progress bar, a closing count and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ablation.config.program import command
from ablation.tracking import mirrors
from ablation.tracking.mirrors import Busy, lock_upload
from analysis.wandb.sync import Unreachable, UploadResult, connect
from analysis.wandb.sync import sync as upload
from analysis.wandb.upload import everything_to_upload
from analysis.wandb.wanted import Target

DEFAULT_PROJECT = "replay-ablation"
MAX_NAMED = 10
"""Failures that are named one by one; others are counted."""


def sync(root: Path, project: str | None, entity: str | None, jobs: int) -> int:
    """Upload what W&B does not have yet of a results directory; return 0 if nothing failed."""
    try:
        lock = lock_upload(root, alone=True)
    except Busy as error:
        print(f"error: {error}. Nothing was sent; run this again when that has ended.", file=sys.stderr)
        return 1
    with lock:
        return _sync(root, project, entity, jobs)


def _sync(root: Path, project: str | None, entity: str | None, jobs: int) -> int:
    try:
        target = connected(root, project, entity)
    except Unreachable as error:
        return _refuse(f"W&B cannot be reached ({error}). Nothing was sent; the runs stay in {root}.")
    everything = everything_to_upload(root, target)
    with _progress() as bar:
        task = bar.add_task("sync", total=len(everything))
        result = upload(
            root, target, everything, jobs, lambda done: bar.update(task, completed=_done(done))
        )
    print(
        f"{target.name}: {len(result.sent)} sent, {len(result.skipped)} skipped (there already), "
        f"{len(result.failed)} failed."
    )
    _print_failed(result.failed)
    return 1 if result.failed else 0


def report(root: Path, study: str, project: str | None, entity: str | None, dry_run: bool) -> int:
    """Build or update a study's W&B report, or write it to a file; return 0 if that succeeded."""
    from analysis.wandb.report import publish, save_report

    if dry_run:
        print(f"W&B report (not sent): {save_report(root, study, _where(root, project, entity)[0])}")
        return 0
    try:
        print(f"W&B report: {publish(root, study, connected(root, project, entity))}")
    except Unreachable as error:
        return _refuse(f"W&B cannot be reached ({error}). `--dry-run` writes the report to a file.")
    return 0


def pull(address: str, root: Path) -> int:
    """Fetch a project into a store; return 0 if every ended run was stored."""
    from analysis.wandb.pull import ProjectUnreadable, fetch

    if address.count("/") != 1:
        return _refuse(f"{address}: write ENTITY/PROJECT")
    try:
        with _progress() as bar:
            task = bar.add_task("pull", total=None)
            pulled = fetch(
                address,
                root,
                lambda done, total: bar.update(task, completed=_done(done), total=total),
            )
    except ProjectUnreadable as error:
        return _refuse(str(error))
    print(
        f"{address}: {len(pulled.sent)} runs fetched, {len(pulled.skipped)} skipped (there already), "
        f"{len(pulled.failed)} failed."
    )
    for study in pulled.studies:
        print(f"Study {study}: `{command('report', study)}`")
    _print_failed(pulled.failed)
    return 1 if pulled.failed else 0


def connected(root: Path, project: str | None, entity: str | None) -> Target:
    """Return the project to upload to: the named one, else that of the latest sweep."""
    return connect(root, *_where(root, project, entity))


def _where(root: Path, project: str | None, entity: str | None) -> tuple[str, str | None]:
    """Return project and entity: the named ones, the latest sweep's, W&B's variables', the default."""
    asked = dict(zip(("project", "entity"), (project, entity), strict=True))
    latest = dict(zip(asked, mirrors.target(root), strict=True))
    for key, value in asked.items():
        told = os.environ.get(f"WANDB_{key.upper()}")
        asked[key] = value or latest[key] or told
        if told and told != asked[key]:
            print(f"WANDB_{key.upper()}={told} is not read: {key} {asked[key]} counts", file=sys.stderr)
    return asked["project"] or DEFAULT_PROJECT, asked["entity"]


def _done(result: UploadResult) -> int:
    return len(result.sent) + len(result.skipped) + len(result.failed)


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))


def _print_failed(failed: Mapping[str, str]) -> None:
    for id, reason in list(failed.items())[:MAX_NAMED]:
        # A server's words: nothing in them shall steer the terminal.
        line = f"failed {id}: {reason}"
        print("".join(c if c.isprintable() else "?" for c in line), file=sys.stderr)
    if len(failed) > MAX_NAMED:
        print(f"and {len(failed) - MAX_NAMED} more", file=sys.stderr)


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2
