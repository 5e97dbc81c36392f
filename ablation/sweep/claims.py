"""Claims on runs: each is trained by one process at a time, whoever started it and wherever.

    results/locks/<cell>.<seed>   who trains the run; touched every few seconds while it is trained

A claim is taken over when its owner is dead: on the same machine, when the process is gone; from
another, when the claim was not touched for `STALE_SECONDS` by the file system's own clock.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from ablation.store.runs import RunKey
from ablation.sweep.processes import machine, started

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0


@dataclass(frozen=True)
class Owner:
    """A process that trains runs, and the sweep that it belongs to."""

    sweep: str
    machine: str
    pid: int
    started: str

    @classmethod
    def this_process(cls, sweep: str) -> Owner:
        """Return the owner that this process is."""
        return cls(sweep, machine(), os.getpid(), started(os.getpid()) or "")

    def __str__(self) -> str:
        return f"process {self.pid} on {self.machine.split()[0]}"


@dataclass(frozen=True)
class Claim:
    """Who has claimed a run, and whether they are still there."""

    owner: Owner
    alive: bool


class Locks:
    """The claims below one results directory, made in the name of one owner."""

    def __init__(self, root: Path, owner: Owner) -> None:
        self.owner = owner
        self._directory = root / "locks"
        self._held: set[RunKey] = set()
        self._stop = threading.Event()

    def claim(self, keys: Iterable[RunKey]) -> bool:
        """Claim all of the runs, or none where a living owner has one; return whether it worked."""
        claimed: list[RunKey] = []
        for key in sorted(keys, key=lambda key: (key.cell, key.seed)):
            if not self._claim(key):
                self.release(claimed)
                return False
            claimed.append(key)
            self._held.add(key)
        return True

    @contextmanager
    def claimed(self, key: RunKey) -> Iterator[bool]:
        """Hold the claim on a run within the context, if it can be had; yield whether it is held.

        Whoever changes what is stored of a run must hold it: else another owner may be storing it.
        """
        mine = self.claim([key])
        try:
            yield mine
        finally:
            if mine:
                self.release([key])

    def release(self, keys: Iterable[RunKey]) -> None:
        """Give up claims of this owner."""
        for key in list(keys):
            self._held.discard(key)
            found = self._read(self._path(key))
            if found is not None and found.owner == self.owner:
                self._path(key).unlink(missing_ok=True)

    def release_all(self) -> None:
        """Give up every claim of this owner."""
        self.release(list(self._held))

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Keep the claims alive within the context, and give them up at its end."""
        thread = threading.Thread(target=self._beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self.release_all()

    def last_pid(self, key: RunKey) -> int | None:
        """Return the process that claimed a run last, dead or alive; None if it gave the run up."""
        found = self._read(self._path(key))
        return None if found is None else found.owner.pid

    def living(self) -> dict[RunKey, Owner]:
        """Return the runs that living owners have claimed."""
        if not self._directory.is_dir():
            return {}
        claims = {}
        for entry in os.scandir(self._directory):
            cell, _, seed = entry.name.rpartition(".")
            if cell and seed.isdigit() and not cell.startswith("."):
                found = self._read(Path(entry.path))
                if found is not None and found.alive:
                    claims[RunKey(cell, int(seed))] = found.owner
        return claims

    def _claim(self, key: RunKey) -> bool:
        path = self._path(key)
        if self._link(path):
            return True
        if self._taken(path):
            return False
        # One at a time, and looking again: else the claim of whoever was quicker would be removed.
        with FileLock(self._directory / ".takeover"):
            if self._taken(path):
                return False
            path.unlink(missing_ok=True)
            return self._link(path)

    def _taken(self, path: Path) -> bool:
        found = self._read(path)
        return found is not None and found.alive

    def _link(self, path: Path) -> bool:
        """Make the claim's file appear with all of its content, unless there is one; return if so."""
        self._directory.mkdir(parents=True, exist_ok=True)
        beside = self._directory / f".{self.owner.sweep}.{self.owner.pid}"
        beside.write_text(json.dumps(asdict(self.owner)))
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
        finally:
            beside.unlink(missing_ok=True)
        return True

    def _read(self, path: Path) -> Claim | None:
        try:
            owner = Owner(**json.loads(path.read_text()))
            touched = path.stat().st_mtime
        except (OSError, ValueError, TypeError):
            return None
        if owner.machine == machine():
            return Claim(owner, started(owner.pid) == owner.started)
        return Claim(owner, self._now() - touched < STALE_SECONDS)

    def _now(self) -> float:
        """Return the file system's time, which is the one that claims are touched in."""
        clock = self._directory / ".clock"
        clock.touch()
        return clock.stat().st_mtime

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            for key in list(self._held):
                try:
                    os.utime(self._path(key))
                except OSError:
                    continue

    def _path(self, key: RunKey) -> Path:
        return self._directory / f"{key.cell}.{key.seed:04d}"
