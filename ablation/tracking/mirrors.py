"""The local W&B directories below a results directory, and what each holds.

The client names them `offline-run-<time>-<id>` or `run-<time>-<id>`. Our own `mirror.json` in each says
which state of the run it holds completely, and whether the server has it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ablation.store.files import read_json, write_json

MIRROR = "mirror.json"
TARGET = "target.json"
AGAIN = "~"
"""Between the id of a run and the number of its replacement; no name of a run or study has it."""


@dataclass(frozen=True)
class Directory:
    """One local W&B directory."""

    path: Path

    @property
    def own_id(self) -> str:
        """Return the id of the W&B run that the directory is of."""
        return self.path.name.removeprefix("offline-").split("-", 2)[2]

    @property
    def id(self) -> str:
        """Return the id that the run had at first, before it had to be replaced."""
        return first_id(self.own_id)

    @property
    def holds(self) -> str | None:
        """Return the fingerprint of the run that the directory holds in full; None if in part."""
        return (read_json(self.path / MIRROR) or {}).get("holds")

    @property
    def sent(self) -> str | None:
        """Return the `entity/project` on which the server was seen to have all of it."""
        return (read_json(self.path / MIRROR) or {}).get("sent")

    def complete(self, fingerprint: str) -> None:
        """Note that the directory holds the whole of a run."""
        write_json(self.path / MIRROR, {"holds": fingerprint})

    def confirm(self, project: str) -> None:
        """Note that the server has all of it."""
        write_json(self.path / MIRROR, {"holds": self.holds, "sent": project})
        self._synced.touch()

    def forget_upload(self) -> None:
        """Take the client's own mark of an upload away: it sets it after a failed one too."""
        self._synced.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the directory."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def _synced(self) -> Path:
        return self.path / f"run-{self.own_id}.wandb.synced"


def replacements(id: str) -> list[str]:
    """Return an id and those of the runs that replace it, one after the other, where lines are doubled.

    A server takes no line back, and gives the id of a run that was deleted to no other one.
    """
    return [id, *(f"{id}{AGAIN}{number}" for number in range(2, 10))]


def first_id(id: str) -> str:
    """Return the id of the run that one replaces, or its own."""
    return id.partition(AGAIN)[0]


def directories(root: Path, id: str | None = None) -> Iterator[Directory]:
    """Yield the local W&B directories of one run, or of all."""
    for pattern in ("run", "offline-run"):
        for path in sorted((root / "wandb").glob(f"{pattern}-[0-9]*_[0-9]*-*")):
            directory = Directory(path)
            if id in (None, directory.id):
                yield directory


def remember_target(root: Path, project: str, entity: str | None) -> None:
    """Note which project the latest sweep of a results directory is tracked in."""
    write_json(root / "wandb" / TARGET, {"project": project, "entity": entity})


def target(root: Path) -> tuple[str | None, str | None]:
    """Return the project and entity of the latest sweep, both None before the first."""
    known = read_json(root / "wandb" / TARGET) or {}
    return known.get("project"), known.get("entity")
