"""What a launcher starts: keeps one worker process alive, and records what a dead one leaves."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ablation.config.identity import canonical
from ablation.config.schema import CellConfig
from ablation.store.files import read_json
from ablation.store.provenance import git_state, versions
from ablation.store.runs import ENDED, RunKey, Store
from ablation.sweep.claims import Locks, Owner
from ablation.sweep.interrupts import EXIT_STOPPED
from ablation.sweep.processes import exit_when_orphaned
from ablation.sweep.queue import read_job, read_queue, stop_path
from ablation.sweep.worker import (
    EXIT_DONE,
    EXIT_NO_ROOM,
    EXIT_NOT_SHARED,
    STACK_SIGNAL,
    state_path,
    trace_path,
)

POLL_SECONDS = 0.3
STOPPING_SECONDS = 3.0
"""How long a worker that was asked to end may take."""
MAX_IDLE_DEATHS = 3
"""Workers that die one after the other without having begun a job."""

Kind = Literal["done", "stopped", "not_shared", "no_room", "broken"]
_KINDS: dict[int, Kind] = {
    EXIT_DONE: "done",
    EXIT_STOPPED: "stopped",
    EXIT_NOT_SHARED: "not_shared",
    EXIT_NO_ROOM: "no_room",
}


@dataclass(frozen=True)
class Outcome:
    """How a worker's part of a sweep ended, on which host, and why if it broke off."""

    kind: Kind
    host: str
    reason: str = ""


def supervise(root: Path, sweep: str, name: str) -> Outcome:
    """Run workers, one after the other, until one has found nothing more to do."""
    if threading.current_thread() is threading.main_thread():
        # A terminal's Ctrl-C reaches every process of it; the worker is the one that knows what to do.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Launchers keep their processes for more work; none shall stay behind when the sweep is gone.
    exit_when_orphaned()
    return _Supervisor(Store(root), sweep, name).run()


class _Supervisor:
    def __init__(self, store: Store, sweep: str, name: str) -> None:
        self._store, self._sweep, self._name = store, sweep, name
        self._work = read_queue(store, sweep)

    def run(self) -> Outcome:
        host = platform.node()
        if self._work is None:
            return Outcome("not_shared", host)
        idle_deaths = 0
        while True:
            code, cause = self._run_worker()
            if code in _KINDS:
                return Outcome(_KINDS[code], host)
            idle_deaths = 0 if self._record_death(cause or _death(code)) else idle_deaths + 1
            if idle_deaths >= MAX_IDLE_DEATHS:
                reason = f"worker {self._name} {cause or _death(code)} before it began a job"
                return Outcome("broken", host, reason)

    def _run_worker(self) -> tuple[int, str | None]:
        """Run a worker to its end; return its exit status, and why it was ended if it was."""
        for path in (state_path(self._store, self._name), trace_path(self._store, self._name)):
            path.unlink(missing_ok=True)
        state_path(self._store, self._name).parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "ablation", "work", str(self._store.root)]
        # The worker ends by itself when this process, the other end of its input, is gone.
        with subprocess.Popen([*command, self._sweep, self._name], stdin=subprocess.PIPE) as worker:
            self._pid = worker.pid
            cause = self._watch(worker)
        return worker.returncode, cause

    def _watch(self, worker: subprocess.Popen[bytes]) -> str | None:
        turn, began = None, time.monotonic()
        limit = self._work.timeout_seconds if self._work else None
        stop = stop_path(self._store, self._sweep)
        while True:
            try:
                worker.wait(POLL_SECONDS)
                return None
            except subprocess.TimeoutExpired:
                pass
            if stop.exists():
                _end(worker, signal.SIGINT)
                return None
            if limit is not None:
                now = read_json(state_path(self._store, self._name))
                if now != turn:
                    turn, began = now, time.monotonic()
                elif turn is not None and time.monotonic() - began > limit:
                    _end(worker, STACK_SIGNAL)
                    return f"timed out after {limit:g} s"

    def _record_death(self, cause: str) -> bool:
        """Store what a dead worker was training as failed, once more; return whether there was any."""
        state = read_json(state_path(self._store, self._name))
        if state is None:
            return False
        job, config = read_job(self._store, state["job"])
        locks = Locks(self._store.root, Owner.this_process(self._sweep))
        keys = [RunKey(job.cell, seed) for seed in job.seeds]
        keys = [key for key in keys if locks.last_pid(key) == self._pid]
        error = f"{self._trace()}{cause}; its log is {self._store.job_directory(job.name) / 'job.log'}"
        for key in keys:
            with locks.claimed(key) as mine:
                if mine:
                    self._record_failed(key, config, job.device, error)
        return True

    def _record_failed(self, key: RunKey, config: CellConfig, device: str, error: str) -> None:
        record = self._store.read_record(key) or {}
        if record.get("status") not in ENDED:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            outcome = {
                "status": "failed",
                "error": error,
                "attempt": int(record.get("attempt", 0)) + 1,
                "env_steps": 0,
                "gradient_steps": 0,
                "config": canonical(config),
                "started": now,
                "ended": now,
                "device": device,
                "versions": versions(),
                **git_state(),
            }
            self._store.write_run(key, outcome, {})

    def _trace(self) -> str:
        try:
            text = trace_path(self._store, self._name).read_text()
        except OSError:
            return ""
        return f"{text.strip()}\n" if text.strip() else ""


def _end(worker: subprocess.Popen[bytes], how: signal.Signals) -> None:
    worker.send_signal(how)
    try:
        worker.wait(STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()


def _death(code: int) -> str:
    if code >= 0:
        return f"ended with exit status {code}"
    name = signal.Signals(-code).name
    hint = " (out of memory, or from outside)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
