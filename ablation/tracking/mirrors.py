"""What `results/wandb/` remembers: local W&B directories, the latest target, what was sent, who uploads.

The client names its directories `offline-run-<time>-<id>` or `run-<time>-<id>`. They are for looking
at; what is uploaded later is made from the store.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ablation.store.files import read_json, write_json

TARGET, LOCK = "target.json", ".upload"
AGAIN = "~"
"""Between the id of a run and the number of its replacement; no name of a run or study has it."""


class Busy(Exception):
    """Another process uploads from the same results directory."""


def replacements(id: str) -> list[str]:
    """Return an id and those of the runs that replace it, one after the other, where lines are doubled.

    A server takes no line back, and gives the id of a run that was deleted to no other one.
    """
    return [id, *(f"{id}{AGAIN}{number}" for number in range(2, 10))]


def first_id(id: str) -> str:
    """Return the id of the run that one replaces, or its own."""
    return id.partition(AGAIN)[0]


def directories(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the local W&B directories, each after the id that its run had before any replacement."""
    for pattern in ("run", "offline-run"):
        for path in sorted((root / "wandb").glob(f"{pattern}-[0-9]*_[0-9]*-*")):
            yield first_id(path.name.removeprefix("offline-").split("-", 2)[2]), path


def remember_target(root: Path, project: str, entity: str | None) -> None:
    """Note which project the latest sweep of a results directory is tracked in."""
    write_json(root / "wandb" / TARGET, {"project": project, "entity": entity})


def target(root: Path) -> tuple[str | None, str | None]:
    """Return the project and entity of the latest sweep, both None before the first."""
    known = read_json(root / "wandb" / TARGET) or {}
    return known.get("project"), known.get("entity")


def lock_upload(root: Path, alone: bool) -> IO[bytes]:
    """Return an open file that holds the lock on uploads until it is closed; raises `Busy` at once.

    One `replay-ablation sync` holds it alone, jobs of online sweeps share it: claims keep two of them
    from one run. It is a lock of the system and ends with the process.
    """
    directory = root / "wandb"
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / LOCK).open("ab")
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Busy(f"another process uploads the runs of {root} now") from None
    return file
