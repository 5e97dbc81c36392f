"""Claims on runs: each is trained by one process at a time, whoever started it and wherever.

    results/locks/<cell>.<seed>   who trains the run; touched every few seconds while it is trained

A claim is taken over when its owner is dead: on the same machine, when the process is gone; from
another, when the claim was not touched for `STALE_SECONDS` by the file system's own clock. The claim
of a worker lives as long as its supervisor does, which counts the attempt of a dead worker and then
releases the claim: else another worker could go on with the run before the attempt is counted.
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
from ablation.sweep.processes import machine_id, start_time

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0


@dataclass(frozen=True)
class ClaimOwner:
    """A process that trains runs, and the sweep that it belongs to."""

    sweep: str
    machine: str
    pid: int
    started: str
    supervisor: int | None = None
    supervisor_started: str = ""

    @classmethod
    def this_process(cls, sweep: str, supervisor: int | None = None) -> ClaimOwner:
        """Return this process as an owner, with the number of the process that supervises it, if any."""
        watched = "" if supervisor is None else start_time(supervisor) or ""
        pid = os.getpid()
        return cls(sweep, machine_id(), pid, start_time(pid) or "", supervisor, watched)

    @property
    def lives(self) -> bool:
        """Return whether an owner on this machine, or its supervisor, still runs."""
        supervised = self.supervisor is not None and self.supervisor_started != ""
        return start_time(self.pid) == self.started or (
            supervised and start_time(self.supervisor or 0) == self.supervisor_started
        )

    def __str__(self) -> str:
        return f"process {self.pid} on {self.machine.split()[0]}"


@dataclass(frozen=True)
class RunClaim:
    """Who has claimed a run, and whether that process still lives."""

    owner: ClaimOwner
    alive: bool


class RunClaims:
    """The claims below one results directory, made in the name of one owner."""

    def __init__(self, root: Path, owner: ClaimOwner) -> None:
        self.owner = owner
        self._directory = root / "locks"
        self._held: set[RunKey] = set()
        self._stop = threading.Event()

    def claim(self, keys: Iterable[RunKey]) -> bool:
        """Claim all of the runs, or none where a living owner has one; return whether it worked."""
        taken: list[RunKey] = []
        for key in sorted(keys, key=lambda key: (key.cell, key.seed)):
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

    def release(self, keys: Iterable[RunKey]) -> None:
        """Give up claims of this owner."""
        for key in list(keys):
            self._held.discard(key)
            claim = self._read(self._path(key))
            if claim is not None and claim.owner == self.owner:
                self._path(key).unlink(missing_ok=True)

    def release_all(self) -> None:
        """Give up every claim of this owner."""
        self.release(list(self._held))

    @contextmanager
    def heartbeats(self) -> Iterator[None]:
        """Keep the claims alive within the context, and give them up if it is left without an error.

        After one they wait for the supervisor, who counts the attempt.
        """
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
        mine = (self.owner.sweep, self.owner.machine, pid)
        left = [
            key
            for key, claim in self._read_all().items()
            if (claim.owner.sweep, claim.owner.machine, claim.owner.pid) == mine
        ]
        for key in left:
            # Its supervisor lives: nobody else takes it over meanwhile.
            self._written().replace(self._path(key))
            self._held.add(key)
        return sorted(left, key=lambda key: (key.cell, key.seed))

    def living(self) -> dict[RunKey, ClaimOwner]:
        """Return the runs that living owners have claimed."""
        return {key: claim.owner for key, claim in self._read_all().items() if claim.alive}

    def _read_all(self) -> dict[RunKey, RunClaim]:
        claims = {}
        for entry in os.scandir(self._directory) if self._directory.is_dir() else ():
            cell, _, seed = entry.name.rpartition(".")
            if cell and seed.isdigit() and not cell.startswith("."):
                claim = self._read(Path(entry.path))
                if claim is not None:
                    claims[RunKey(cell, int(seed))] = claim
        return claims

    def _claim(self, key: RunKey) -> bool:
        path = self._path(key)
        if self._link(path):
            return True
        if self._is_taken(path):
            return False
        # One process at a time, which looks again: else it would remove the claim of a quicker one.
        with FileLock(self._directory / ".takeover"):
            if self._is_taken(path):
                return False
            path.unlink(missing_ok=True)
            return self._link(path)

    def _is_taken(self, path: Path) -> bool:
        claim = self._read(path)
        return claim is not None and claim.alive

    def _link(self, path: Path) -> bool:
        """Create the claim's file with all of its content at once; return False if there is one."""
        tmp = self._written()
        try:
            os.link(tmp, path)
        except FileExistsError:
            return False
        finally:
            tmp.unlink(missing_ok=True)
        return True

    def _written(self) -> Path:
        """Return a new file with the content of this owner's claims."""
        self._directory.mkdir(parents=True, exist_ok=True)
        # Threads of a sweep may claim at the same time.
        tmp = self._directory / f".{self.owner.sweep}.{self.owner.pid}.{threading.get_ident()}"
        tmp.write_text(json.dumps(asdict(self.owner)), encoding="utf-8")
        return tmp

    def _read(self, path: Path) -> RunClaim | None:
        try:
            owner = ClaimOwner(**json.loads(path.read_text(encoding="utf-8")))
            touched = path.stat().st_mtime
        except (OSError, ValueError, TypeError):
            return None
        if owner.machine == machine_id():
            return RunClaim(owner, owner.lives)
        return RunClaim(owner, self._now() - touched < STALE_SECONDS)

    def _now(self) -> float:
        """Return the time by the file system's clock, in which claims are touched."""
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
