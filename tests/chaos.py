"""What is done to sweeps in `test_chaos.py`: kills, pauses, clock jumps, a full disk, foreign files."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import tracked

ROOT = Path(__file__).parent.parent
STALE_SECONDS = 4.0
WORKERS_SECONDS = 20.0
"""How long a strike at a worker waits for one: a sweep that starts imports for seconds."""
LIBRARIES = Path("/usr/lib")
CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
SOON = f"""
import ablation.sweep.claims as claims
claims.STALE_SECONDS, claims.HEARTBEAT_SECONDS = {STALE_SECONDS}, 0.5
"""
"""Imported by every process of a sweep: claims die soon, so that a pause can outlast them."""


def containers() -> bool:
    """Return whether this machine allows new spaces of process numbers."""
    return subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode == 0


def clock_library() -> Path | None:
    """Return libfaketime, if it is here and processes can sleep with it: some versions break that."""
    library = next(LIBRARIES.glob("*/faketime/libfaketime.so.1"), None)
    words = [sys.executable, "-c", "import time; time.sleep(0.01)"]
    clock = {"LD_PRELOAD": str(library), "DONT_FAKE_MONOTONIC": "1", "FAKETIME": "+1d"}
    try:
        done = subprocess.run(
            words, env=os.environ | clock, capture_output=True, check=False, timeout=20
        )
    except subprocess.TimeoutExpired:
        return None
    return library if done.returncode == 0 else None


@contextmanager
def small_disk(place: Path) -> Iterator[bool]:
    """Mount a small disk if this machine allows it; yield whether it did."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(place)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


class Victims:
    """Two sweeps over one results directory, restarted whenever they were killed."""

    def __init__(self, words: list[str], results: Path, tools: Path, disk: bool) -> None:
        self.results, self._tools, self._disk = results, tools, disk
        self._container = CONTAINER if containers() else []
        self._clock = clock_library()
        tools.mkdir(exist_ok=True)
        (tools / "sitecustomize.py").write_text(SOON)
        (tools / "clock").write_text("+0\n")
        self._command = [*self._container, sys.executable, "-m", "ablation", "sweep", *words]
        self._command.append(f"results_dir={results}")
        self._sessions: set[int] = set()
        self.processes = [self._start(), self._start()]
        self._syncs: list[subprocess.Popen[bytes]] = []

    @property
    def lacks(self) -> list[str]:
        """Return what this machine does not allow."""
        allowed = {"containers": self._container, "clock jumps": self._clock, "full disk": self._disk}
        return [name for name, value in allowed.items() if not value]

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": f"{self._tools}:{ROOT}"}
        if self._clock is not None:
            environment |= {"LD_PRELOAD": str(self._clock), "FAKETIME_NO_CACHE": "1"}
            environment |= {"DONT_FAKE_MONOTONIC": "1"}
            environment["FAKETIME_TIMESTAMP_FILE"] = str(self._tools / "clock")
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            self._command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
        )
        self._sessions.add(process.pid)
        return process

    def restart(self, again: bool) -> bool:
        """Start sweeps that did not end well again if `again`; return whether all have ended well."""
        for place, process in enumerate(self.processes):
            if process.poll() not in (None, 0) and again:
                self.processes[place] = self._start()
        return all(process.poll() == 0 for process in self.processes)

    def alive(self, words: bytes = b"ablation") -> dict[int, int]:
        """Return the processes of the sweeps with a word in their command, and their parents."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                said = (path / "cmdline").read_bytes().split(b"\0")
                if int(fields[3]) in self._sessions and fields[0] != "Z" and words in said:
                    found[int(path.name)] = int(fields[1])
        return found

    def strike(self, kind: str, moments: random.Random, environment: dict[str, str]) -> str:
        """Do one thing to the sweeps; return what was done."""
        kind = self._allowed(kind)
        workers = self._workers() if kind in ("worker", "supervisor", "pause") else {}
        if kind in ("worker", "supervisor", "pause") and not workers:
            kind = "start"
        if kind in ("worker", "supervisor"):
            victim = moments.choice(sorted(workers))
            _signal(victim if kind == "worker" else workers[victim], signal.SIGKILL)
        elif kind in ("sweep", "start"):
            process = moments.choice(self.processes)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        elif kind == "pause":
            self._pause(moments)
        elif kind == "clock":
            (self._tools / "clock").write_text(moments.choice(["+1d\n", "-1d\n", "+90\n", "+0\n"]))
        elif kind == "disk":
            self._fill(moments.uniform(0.2, 2))
        elif kind == "foreign":
            self._add_foreign(moments.randrange(10**6))
        elif kind == "syncs":
            self._sync(environment)
        return kind

    def _workers(self) -> dict[int, int]:
        """Return the workers, once there are any, with their supervisors; none if none comes."""
        deadline = time.monotonic() + WORKERS_SECONDS
        while not (workers := self.alive(b"work")) and time.monotonic() < deadline:
            time.sleep(0.1)
        return workers

    def _allowed(self, kind: str) -> str:
        lacking = {"clock": self._clock is None, "disk": not self._disk}
        return "pause" if lacking.get(kind) else kind

    def _pause(self, moments: random.Random) -> None:
        """Stop all processes of one sweep for less or for longer than claims live."""
        session = moments.choice(self.processes).pid
        stopped = [pid for pid in self.alive() if _session(pid) == session]
        for pid in stopped:
            _signal(pid, signal.SIGSTOP)
        time.sleep(moments.choice([0.5, STALE_SECONDS + 2]))
        for pid in stopped:
            _signal(pid, signal.SIGCONT)

    def _fill(self, seconds: float) -> None:
        filler = self.results.parent / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(1 << 16)):
                pass
        time.sleep(seconds)
        filler.unlink()

    def _add_foreign(self, number: int) -> None:
        for name in (f"notes/{number:04d}", f"notes/.{number:04d}.old", f".{number:04d}"):
            directory = self.results / "runs" / name
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "mine.txt").write_text(str(number))

    def _sync(self, environment: dict[str, str]) -> None:
        """Begin two syncs at once, and end one of earlier ones."""
        for process in self._syncs[-1:]:
            process.kill()
        self._syncs += [tracked.begun_sync(self.results, environment) for _ in range(2)]

    def finish_syncs(self) -> None:
        """Wait for the syncs."""
        for process in self._syncs:
            process.wait(600)

    def left_behind(self) -> list[str]:
        """Return what should not be there after the end: processes, claims, half-written files."""
        deadline = time.monotonic() + 30
        while (left := self.alive()) and time.monotonic() < deadline:
            time.sleep(0.2)
        found = [f"process {pid}" for pid in left]
        claims = {path.name for path in (self.results / "locks").iterdir()}
        found += claims - {".clock", ".takeover"}
        runs = self.results / "runs"
        found += [str(path) for path in runs.glob("*/.*") if path.parent.name != "notes"]
        foreign = Counter(path.read_text() for path in runs.rglob("mine.txt"))
        found += [f"foreign {number} was touched" for number, count in foreign.items() if count != 3]
        found += [str(path) for path in self.results.glob("jobs/*/*checkpoint.pt*")]
        return found


def _session(pid: int) -> int:
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return 0


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def remove_foreign(results: Path) -> None:
    """Remove what `Victims` put beside the runs."""
    shutil.rmtree(results / "runs" / "notes", ignore_errors=True)
    for path in (results / "runs").glob(".*"):
        shutil.rmtree(path)
