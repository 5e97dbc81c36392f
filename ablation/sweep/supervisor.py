"""Keeps one worker process alive, and stores what a dead one was training as failed runs.

This is what a launcher starts, once for each worker.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ablation.store.files import read_json
from ablation.store.runs import Store
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.code_version import CodeChanged
from ablation.sweep.failures import record_failed
from ablation.sweep.interrupts import WARNING, EndRequests, requests_to_end, signals_held_back
from ablation.sweep.processes import end_group, exit_when_orphaned
from ablation.sweep.queue import JobQueue, queue_path, read_job, read_queue, stop_path
from ablation.sweep.worker import STACK_SIGNAL, state_path, trace_path
from ablation.sweep.worker_end import EndPipe, Reported

POLL_SECONDS = 0.3
STOPPING_SECONDS = 2.7
"""How long a worker that was asked to end may take."""
STOP_FILE_SECONDS = 1.5
"""How long after a worker that a Ctrl-C ended the sweep's stop file may appear, or a warning arrive."""
MAX_IDLE_DEATHS = 3
"""Workers that die one after the other without an attempt at a run to count."""


@dataclass(frozen=True)
class WorkerExit:
    """How a worker's part of a sweep ended, on which host, and why if it broke off.

    `warned`: its job's time was nearly over; `given_up`: launching again would not mend it.
    """

    kind: Reported | Literal["broken", "warned", "given_up"]
    host: str
    reason: str = ""


def supervise(root: Path, sweep: str, name: str, project: Path) -> WorkerExit:
    """Run workers until one has no job left to train; for a process that a launcher started for this.

    They work in the directory `project`, from which a user's components are imported.
    """
    # Launchers keep their processes for more work; none shall outlive the sweep.
    exit_when_orphaned()
    try:
        os.chdir(project)
    except OSError as error:
        return WorkerExit("broken", platform.node(), f"project {project}: {error.strerror}")
    with requests_to_end() as requests:
        return keep_working(root, sweep, name, requests)


def keep_working(root: Path, sweep: str, name: str, requests: EndRequests) -> WorkerExit:
    """Run workers, one after the other, until one has no job left to train or they are to end."""
    store = Store(root)
    try:
        queue = read_queue(store, sweep)
    except CodeChanged:
        return WorkerExit("code_changed", platform.node())
    if queue is None:
        return WorkerExit("not_shared", platform.node())
    return Supervisor(store, queue, name, requests).run()


class Supervisor:
    """Runs the workers of one name; counts their deaths as attempts of the runs that they trained."""

    def __init__(self, store: Store, queue: JobQueue, name: str, requests: EndRequests) -> None:
        self._store, self._queue, self._name, self._requests = store, queue, name, requests
        self._list = queue_path(store, queue.sweep)
        self._state, self._trace = state_path(store, name), trace_path(store, name)
        self._claims = RunClaims(store.root, ClaimOwner.this_process(queue.sweep))

    def run(self) -> WorkerExit:
        """Run workers until one reports an end that another one would not mend."""
        host = platform.node()
        idle_deaths = 0
        while not (self._stopping() or self._requests.warned.is_set()):
            reported, cause = self._run_worker()
            if not self._list.exists():
                return WorkerExit("not_shared", host)
            if reported in ("done", "not_shared", "disk_full", "code_changed"):
                self._settle(None)
                return WorkerExit(reported, host)
            if self._stopping() or (reported == "stopped" and self._is_told_to_end()):
                self._settle(None)
                break
            idle_deaths = 0 if self._settle(cause) else idle_deaths + 1
            if idle_deaths >= MAX_IDLE_DEATHS:
                reason = f"worker {self._name} {cause} before it began a job"
                return WorkerExit("broken", host, reason)
        return WorkerExit("stopped" if self._stopping() else "warned", host)

    def _stopping(self) -> bool:
        """Return whether the sweep shall end."""
        stop = stop_path(self._store, self._queue.sweep)
        return self._requests.asked.is_set() or stop.exists()

    def _is_told_to_end(self) -> bool:
        """Return whether the Ctrl-C or warning that ended a worker arrives here too, within seconds."""
        # Either may reach the worker first.
        deadline = time.monotonic() + STOP_FILE_SECONDS
        while not (self._stopping() or self._requests.warned.is_set()):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        return True

    def _run_worker(self) -> tuple[Reported | None, str]:
        """Run a worker to its end; return what it reported, and how it ended otherwise."""
        self._state.parent.mkdir(parents=True, exist_ok=True)
        for path in (self._state, self._trace):
            path.unlink(missing_ok=True)
        with EndPipe() as pipe:
            words = ["work", str(self._store.root), self._queue.sweep, self._name]
            with signals_held_back():
                # The worker ends by itself when this process, the other end of its input, is gone.
                # -P: a project's own ablation.py is not us.
                command = [sys.executable, "-P", "-m", "ablation", *words]
                worker = subprocess.Popen(
                    [*command, str(os.getpid()), str(pipe.descriptor)],
                    stdin=subprocess.PIPE,
                    pass_fds=(pipe.descriptor,),
                    # What an environment starts ends with the worker.
                    process_group=0,
                )
            with worker:
                self._pid = worker.pid
                cause = self._watch(worker)
                end_group(worker.pid)
            reported = pipe.read()
        return reported, cause or _describe_end(worker.returncode, reported)

    def _watch(self, worker: subprocess.Popen[bytes]) -> str | None:
        """Wait for a worker's end; return why it was ended if this process did it."""
        state, began = None, time.monotonic()
        limit = self._queue.timeout_seconds
        warned = False
        while True:
            try:
                worker.wait(POLL_SECONDS)
                return None
            except subprocess.TimeoutExpired:
                pass
            if not self._list.exists():
                _end(worker, signal.SIGKILL)
                return "saw the results directory no more"
            if self._stopping():
                _end(worker, signal.SIGINT)
                return "was asked to end"
            if self._requests.warned.is_set() and not warned:
                # Slurm told the worker itself; other clusters tell only this process.
                worker.send_signal(WARNING)
                warned = True
            if limit is not None:
                now = read_json(self._state)
                if now != state:
                    state, began = now, time.monotonic()
                elif state is not None and time.monotonic() - began > limit:
                    _end(worker, STACK_SIGNAL)
                    return f"timed out after {limit:g} s"

    def _settle(self, cause: str | None) -> int:
        """Release what a worker that ended had claimed; return how many attempts `cause` cost."""
        left = self._claims.inherit(self._pid)
        try:
            state = read_json(self._state)
            if cause is None or state is None or not left:
                return 0
            job, config = read_job(self._store, state["job"])
            log = self._store.job_directory(job.name) / "job.log"
            error = f"{self._stack()}{cause}; its log is {log}"
            return sum(record_failed(self._store, key, config, job.device, error) for key in left)
        finally:
            self._claims.release_all()

    def _stack(self) -> str:
        try:
            text = self._trace.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""
        return f"{text}\n" if text else ""


def _end(worker: subprocess.Popen[bytes], how: signal.Signals) -> None:
    worker.send_signal(how)
    try:
        worker.wait(STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()


def _describe_end(code: int, reported: Reported | None) -> str:
    if reported == "stopped":
        return "was ended by SIGINT or SIGTERM from outside the sweep"
    if code >= 0:
        return f"ended with exit status {code} in the middle of its work"
    name = signal.Signals(-code).name
    hint = " (out of memory, or from outside)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
