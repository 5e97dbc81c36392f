"""Keeps one worker process alive, and stores what a dead one was training as failed runs.

This is what a launcher starts, once for each worker.
"""

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
from ablation.config.training_path import trained_by
from ablation.store.files import read_json
from ablation.store.provenance import git_state, processor, versions
from ablation.store.run_record import ENDED, FAILED, RunRecord
from ablation.store.runs import RunKey, Store
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.interrupts import EXIT_STOPPED
from ablation.sweep.processes import exit_when_orphaned
from ablation.sweep.queue import JobQueue, read_job, read_queue, stop_path
from ablation.sweep.worker import (
    EXIT_DISK_FULL,
    EXIT_DONE,
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

Kind = Literal["done", "stopped", "not_shared", "disk_full", "broken"]
_KINDS: dict[int, Kind] = {
    EXIT_DONE: "done",
    EXIT_STOPPED: "stopped",
    EXIT_NOT_SHARED: "not_shared",
    EXIT_DISK_FULL: "disk_full",
}


@dataclass(frozen=True)
class WorkerExit:
    """How a worker's part of a sweep ended, on which host, and why if it broke off."""

    kind: Kind
    host: str
    reason: str = ""


def supervise(root: Path, sweep: str, name: str) -> WorkerExit:
    """Run workers, one after the other, until one finds no job left to train."""
    if threading.current_thread() is threading.main_thread():
        # A terminal's Ctrl-C reaches all of its processes; the worker is the one that handles it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Launchers keep their processes for more work; none shall outlive the sweep.
    exit_when_orphaned()
    store = Store(root)
    queue = read_queue(store, sweep)
    if queue is None:
        return WorkerExit("not_shared", platform.node())
    return _Supervisor(store, queue, name).run()


class _Supervisor:
    def __init__(self, store: Store, queue: JobQueue, name: str) -> None:
        self._store, self._queue, self._name = store, queue, name
        self._state, self._trace = state_path(store, name), trace_path(store, name)

    def run(self) -> WorkerExit:
        host = platform.node()
        idle_deaths = 0
        while True:
            code, cause = self._run_worker()
            if code in _KINDS:
                return WorkerExit(_KINDS[code], host)
            cause = cause or _describe_death(code)
            idle_deaths = 0 if self._record_death(cause) else idle_deaths + 1
            if idle_deaths >= MAX_IDLE_DEATHS:
                return WorkerExit("broken", host, f"worker {self._name} {cause} before it began a job")

    def _run_worker(self) -> tuple[int, str | None]:
        """Run a worker to its end; return its exit status, and why it was ended if it was."""
        self._state.parent.mkdir(parents=True, exist_ok=True)
        for path in (self._state, self._trace):
            path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "ablation", "work", str(self._store.root)]
        # The worker ends by itself when this process, the other end of its input, is gone.
        with subprocess.Popen(
            [*command, self._queue.sweep, self._name], stdin=subprocess.PIPE
        ) as worker:
            self._pid = worker.pid
            cause = self._watch(worker)
        return worker.returncode, cause

    def _watch(self, worker: subprocess.Popen[bytes]) -> str | None:
        state, began = None, time.monotonic()
        limit = self._queue.timeout_seconds
        stop = stop_path(self._store, self._queue.sweep)
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
                now = read_json(self._state)
                if now != state:
                    state, began = now, time.monotonic()
                elif state is not None and time.monotonic() - began > limit:
                    _end(worker, STACK_SIGNAL)
                    return f"timed out after {limit:g} s"

    def _record_death(self, cause: str) -> bool:
        """Store the runs that a dead worker was training as failed; return whether it trained any."""
        state = read_json(self._state)
        if state is None:
            return False
        job, config = read_job(self._store, state["job"])
        claims = RunClaims(self._store.root, ClaimOwner.this_process(self._queue.sweep))
        error = f"{self._stack()}{cause}; its log is {self._store.job_directory(job.name) / 'job.log'}"
        for key in [RunKey(job.cell, seed) for seed in job.seeds]:
            if claims.last_pid(key) == self._pid:
                with claims.claimed(key) as is_mine:
                    if is_mine:
                        self._record_failed(key, config, job.device, error)
        return True

    def _record_failed(self, key: RunKey, config: CellConfig, device: str, error: str) -> None:
        earlier = self._store.read_record(key)
        if earlier is not None and earlier.status in ENDED:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = RunRecord(
            cell=key.cell,
            seed=key.seed,
            status=FAILED,
            error=error,
            attempt=1 + (earlier.attempt if earlier else 0),
            config=canonical(config),
            started=now,
            ended=now,
            device=device,
            trained_by=trained_by(config.agent, device),
            processor=processor(),
            versions=versions(),
            **git_state(),
        )
        self._store.write_run(record, {})

    def _stack(self) -> str:
        try:
            text = self._trace.read_text().strip()
        except OSError:
            return ""
        return f"{text}\n" if text else ""


def _end(worker: subprocess.Popen[bytes], how: signal.Signals) -> None:
    worker.send_signal(how)
    try:
        worker.wait(STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()


def _describe_death(code: int) -> str:
    if code >= 0:
        return f"ended with exit status {code}"
    name = signal.Signals(-code).name
    hint = " (out of memory, or from outside)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
