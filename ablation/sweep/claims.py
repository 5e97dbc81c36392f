"""Claims on runs: each is trained by one process at a time, whoever started it and wherever.

    results/locks/.<token>        who an owner is; touched every few seconds while it trains
    results/locks/<cell>.<seed>   a hard link to the file of the owner that has claimed the run

A claim is an owner's while it is the same file as the owner's: hosts, containers and process numbers may
be alike. It is taken over when its owner is dead: on the same machine, when the process is gone; from
another, when its file was not touched for `STALE_SECONDS` by the file system's own clock. A process that
was paused for longer has lost its claims, so it asks (`require`) before it writes. The claim of a worker
lives as long as its supervisor does, which counts the attempt of a dead worker and then releases the
claim: else another worker could go on with the run before the attempt is counted.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from filelock import FileLock
from pydantic import Field, TypeAdapter

from ablation.store.files import write_json
from ablation.store.keys import RunKey
from ablation.sweep.processes import Process

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0


class ClaimLost(Exception):
    """Another process has taken over a run, or the results directory is gone."""


@dataclass(frozen=True)
class ClaimOwner:
    """A process that trains runs, the sweep that it belongs to, and the process that supervises it."""

    sweep: str
    process: Process
    supervisor: Process | None = None
    token: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def this_process(cls, sweep: str, supervisor: int | None = None) -> ClaimOwner:
        """Return this process as an owner, with the number of the process that supervises it, if any."""
        watched = None if supervisor is None else Process.of(supervisor)
        return cls(sweep, Process.of(os.getpid()), watched)

    @property
    def lives(self) -> bool:
        """Return whether an owner on this machine, or its supervisor, still runs."""
        return self.process.runs or (self.supervisor is not None and self.supervisor.runs)


_OWNER = TypeAdapter(ClaimOwner)


class RunClaims:
    """The claims below one results directory, made in the name of one owner."""

    def __init__(self, root: Path, owner: ClaimOwner) -> None:
        self.owner = owner
        self._directory = root / "locks"
        self._mine = self._directory / f".{owner.token}"
        self._held: set[RunKey] = set()
        self._stop = threading.Event()

    def claim(self, keys: Iterable[RunKey]) -> bool:
        """Claim all of the runs, or none where a living owner has one; return whether it worked."""
        taken: list[RunKey] = []
        for key in sorted(keys):
            if not self._claim(key):
                self.release(taken)
                return False
            taken.append(key)
            self._held.add(key)
        return True

    @contextmanager
    def claimed(self, key: RunKey) -> Iterator[bool]:
        """Hold the claim on a run within the context if it is free; yield whether it is held.

        Whoever changes a stored run must hold its claim: another owner may be storing it.
        """
        is_mine = self.claim([key])
        try:
            yield is_mine
        finally:
            if is_mine:
                self.release([key])

    def require(self, keys: Iterable[RunKey]) -> None:
        """Raise `ClaimLost` unless all of the runs are still claimed by this owner."""
        for key in keys:
            if not self.holds(key):
                raise ClaimLost(f"{key.cell} seed {key.seed} is claimed by another process or by none")

    def release(self, keys: Iterable[RunKey]) -> None:
        """Give up claims of this owner."""
        for key in list(keys):
            self._held.discard(key)
            if self.holds(key):
                self._path(key).unlink(missing_ok=True)
        if not self._held:
            self._mine.unlink(missing_ok=True)

    def release_all(self) -> None:
        """Give up every claim of this owner."""
        self.release(list(self._held))

    @contextmanager
    def heartbeats(self) -> Iterator[None]:
        """Keep the claims alive within the context, and give them up if it is left without an error."""
        thread = threading.Thread(target=self._beat, daemon=True)
        thread.start()
        try:
            yield
            self.release_all()
        finally:
            self._stop.set()
            thread.join()

    def inherit(self, pid: int) -> list[RunKey]:
        """Take over the claims that a dead worker of this owner's sweep left here; return their runs."""
        mine = (self.owner.sweep, self.owner.process.machine, pid)
        left = {
            key: owner
            for key, owner in self._read_all().items()
            if (owner.sweep, owner.process.machine, owner.process.pid) == mine
        }
        # Its supervisor lives: nobody else takes them over meanwhile.
        for key, owner in left.items():
            self._take(key, owner)
        self._held.update(left)
        return sorted(left)

    def living(self, alive: bool = True) -> dict[RunKey, ClaimOwner]:
        """Return the runs that living owners have claimed, or dead ones."""
        return {k: owner for k, owner in self._read_all().items() if self._is_alive(owner) == alive}

    def _read_all(self) -> dict[RunKey, ClaimOwner]:
        owners = {}
        for name in os.listdir(self._directory) if self._directory.is_dir() else ():
            cell, _, seed = name.rpartition(".")
            key = RunKey.of_names(cell, seed)
            owner = self._read(key) if key else None
            if key and owner:
                owners[key] = owner
        return owners

    def _claim(self, key: RunKey) -> bool:
        if self._link(key):
            return True
        if self._is_taken(key):
            return False
        # One process at a time, which looks again: else it would remove the claim of a quicker one.
        with FileLock(self._directory / ".takeover"):
            return not self._is_taken(key) and self._take(key, self._read(key))

    def _is_taken(self, key: RunKey) -> bool:
        owner = self._read(key)
        return owner is not None and self._is_alive(owner)

    def _take(self, key: RunKey, former: ClaimOwner | None) -> bool:
        self._path(key).unlink(missing_ok=True)
        if former is not None:
            (self._directory / f".{former.token}").unlink(missing_ok=True)
        return self._link(key)

    def _link(self, key: RunKey) -> bool:
        """Create a claim with all of its content at once; return False if there is one."""
        if not self._mine.exists():
            write_json(self._mine, asdict(self.owner), durable=False)
        try:
            os.link(self._mine, self._path(key))
        except FileExistsError:
            return False
        return True

    def _read(self, key: RunKey) -> ClaimOwner | None:
        with suppress(OSError, ValueError):
            return _OWNER.validate_json(self._path(key).read_bytes())
        return None

    def holds(self, key: RunKey) -> bool:
        """Return whether a run is still claimed by this owner."""
        # Opened: what a directory lists may be old news on a shared file system.
        with suppress(OSError), self._path(key).open("rb") as file:
            return os.path.samestat(os.fstat(file.fileno()), self._mine.stat())
        return False

    def _is_alive(self, owner: ClaimOwner) -> bool:
        if owner.process.is_here:
            return owner.lives
        with suppress(OSError):
            # By the file system's clock, in which owners are touched.
            clock = self._directory / ".clock"
            clock.touch()
            touched = (self._directory / f".{owner.token}").stat().st_mtime
            return clock.stat().st_mtime - touched < STALE_SECONDS
        return False

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):
                os.utime(self._mine)

    def _path(self, key: RunKey) -> Path:
        return self._directory / f"{key.cell}.{key.seed_name}"
