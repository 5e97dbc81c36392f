"""Workers as jobs of a Slurm cluster, submitted by submitit as one array."""

from __future__ import annotations

import contextlib
import math
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ablation.config.validation import ConfigError
from ablation.store.runs import Store
from ablation.sweep.config import LaunchConfig, SlurmOptions
from ablation.sweep.interrupts import WARNING, signals_held_back
from ablation.sweep.launch import Launch
from ablation.sweep.slurm_queue import (
    ClusterJob,
    SlurmSilent,
    as_line,
    cancel_command,
    job_name,
    mark_path,
    read_jobs,
    slurm_line,
)
from ablation.sweep.supervisor import WorkerExit, supervise

POLL_SECONDS = 5.0
CANCELLING_SECONDS = 3.0
"""How long after a Ctrl-C jobs are watched to their end: less than a sweep waits for its workers."""
RESULT_SECONDS = 5.0
"""How long the file of a job's result may take to appear on a shared file system."""
MAX_TIME_LIMITS = 20
"""How many times a job that reached its time limit is queued again by itself."""


class SupervisedWorker:
    """What a Slurm job runs."""

    def __call__(self, *launched: Any) -> WorkerExit:
        """Keep a worker alive; queue this job again if its time is over before its work is."""
        end = supervise(*launched)
        if end.kind == "warned":
            # The worker has saved its checkpoint. submitit's handler calls `checkpoint`, then leaves.
            signal.raise_signal(WARNING)
        return end

    def checkpoint(self, *launched: Any) -> Any:
        """Return what this job does once it is queued again; submitit calls it."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *launched)


class SlurmLauncher:
    """Jobs of a Slurm cluster, each with one supervisor and its worker."""

    def __init__(self, config: LaunchConfig) -> None:
        """Check the options; raises `ConfigError` where submitit, Slurm or an option is missing."""
        _check_installed(config.slurm)
        self._detach = config.detach
        self._executor, self._options = config.slurm.executor, _options(config.slurm)
        self._stopping = threading.Event()
        self._jobs: list[Any] = []
        self._name = self._state = ""
        self._released = False

    def run(self, launch: Launch) -> list[WorkerExit]:
        """Submit a job for each name and wait for them; return at once if they are to go on alone."""
        self._name, self._released = job_name(launch.sweep), False
        mark = mark_path(Store(launch.root), launch.sweep)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        try:
            self._jobs = self._submit(launch)
        except ConfigError:
            mark.unlink(missing_ok=True)
            raise
        if self._detach:
            self._state = as_line([ClusterJob(job.job_id, "SUBMITTED") for job in self._jobs])
            return []
        if self._stopping.is_set():
            # What a Ctrl-C cancelled may not have been queued yet.
            self._cancel()
        last = self._wait()
        if all(job.has_ended for job in last.values()):
            mark.unlink(missing_ok=True)
        return [self._end_of(job, last.get(job.job_id)) for job in self._jobs]

    def stop(self) -> str:
        """Cancel the jobs; those that run get a SIGTERM, which lets them save a checkpoint."""
        self._stopping.set()
        if not self._name:
            return ""
        self._cancel()
        if self._executor == "local":
            return ""
        command = shlex.join(cancel_command([self._name]))
        return f"Slurm jobs of this sweep are being cancelled, as `{command}` does."

    def state(self) -> str:
        """Return id, state and reason of the jobs."""
        return f"Slurm: {self._state}" if self._state else ""

    def _submit(self, launch: Launch) -> list[Any]:
        """Submit one array; raises `ConfigError` with Slurm's own line if it is refused."""
        import submitit
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        executor = submitit.AutoExecutor(
            launch.root / "jobs" / "slurm", cluster=self._executor, slurm_max_num_timeout=MAX_TIME_LIMITS
        )
        # In whole MiB, as submitit asks for fractions.
        gib = math.ceil(launch.worker_bytes / 2**20) / 2**10
        executor.update_parameters(name=self._name, mem_gb=gib, **self._options)
        arguments = [(launch.root, launch.sweep, name, Path.cwd()) for name in launch.names]
        try:
            # A Ctrl-C in a terminal reaches sbatch as well, and would leave its job without an id.
            with signals_held_back():
                return list(executor.map_array(SupervisedWorker(), *zip(*arguments, strict=True)))
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            raise ConfigError("launch", "slurm", slurm_line(str(error))) from None

    def _wait(self) -> dict[str, ClusterJob]:
        """Watch the jobs until all have ended; return each as it was seen last."""
        last = {job.job_id: ClusterJob(job.job_id, "SUBMITTED") for job in self._jobs}
        deadline = math.inf
        while True:
            try:
                known = {job.id: job for job in self._read()}
                # Slurm forgets jobs minutes after their end.
                last = {id_: known.get(id_, ClusterJob(id_, "COMPLETED")) for id_ in last}
                self._state = as_line([job for job in last.values() if not job.has_ended])
            except SlurmSilent as error:
                self._state = f"no answer ({error})"
            if all(job.has_ended for job in last.values()) or time.monotonic() > deadline:
                return last
            self._release_waiting(last)
            if self._stopping.wait(POLL_SECONDS if deadline == math.inf else 0):
                deadline = min(deadline, time.monotonic() + CANCELLING_SECONDS)
                time.sleep(0.3)

    def _read(self) -> list[ClusterJob]:
        if self._executor == "local":
            states = {"RUNNING": "RUNNING"}
            return [ClusterJob(job.job_id, states.get(job.state, "COMPLETED")) for job in self._jobs]
        return read_jobs([self._name])

    def _release_waiting(self, last: Mapping[str, ClusterJob]) -> None:
        """Cancel jobs that still wait although a worker has found nothing left to take."""
        waiting = any(job.state == "PENDING" for job in last.values())
        if waiting and not self._released and any(self._reported_done(job) for job in self._jobs):
            self._released = True
            self._cancel("--state=PENDING")

    def _reported_done(self, job: Any) -> bool:
        end = _result(job)
        return isinstance(end, WorkerExit) and end.kind == "done"

    def _cancel(self, *words: str) -> None:
        if self._executor == "local":
            for job in self._jobs:
                job.cancel()
            return
        # In a session of its own: a second Ctrl-C does not end it, nor does the end of this process.
        with contextlib.suppress(OSError):
            subprocess.Popen(
                [*cancel_command([self._name]), *words],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _end_of(self, job: Any, last: ClusterJob | None) -> WorkerExit:
        """Return how a job ended: as its supervisor said, or as Slurm did."""
        state = last.state if last else "COMPLETED"
        logs = f"its log is {job.paths.stderr}"
        if state == "CANCELLED" and not (self._stopping.is_set() or self._released):
            return WorkerExit("given_up", "", f"Slurm job {job.job_id} was cancelled; {logs}")
        deadline = time.monotonic() + (RESULT_SECONDS if state == "COMPLETED" else 0)
        while (end := _result(job)) is None and time.monotonic() < deadline:
            time.sleep(0.5)
        if isinstance(end, WorkerExit):
            return end
        if self._stopping.is_set() or self._released:
            return WorkerExit("stopped", "")
        return WorkerExit("broken", "", f"Slurm job {job.job_id}: {end or state}; {logs}")


def _result(job: Any) -> WorkerExit | str | None:
    """Return what a job's supervisor returned or the last line of what it raised, None before that."""
    from submitit.core.utils import pickle_load

    try:
        outcome, value = pickle_load(job.paths.result_pickle)
    except (OSError, EOFError):
        return None
    return value if outcome == "success" else str(value).strip().splitlines()[-1]


def _check_installed(options: SlurmOptions) -> None:
    """Raise `ConfigError` where submitit or Slurm is missing."""
    if find_spec("submitit") is None:
        hint = "needs a package that is not installed; pip install -e '.[slurm]' installs it"
        raise ConfigError("launch", "slurm", hint)
    missing = [name for name in ("sbatch", "srun", "squeue", "scancel") if shutil.which(name) is None]
    if missing and options.executor == "slurm":
        hint = f"Slurm's commands are not on this machine: {', '.join(missing)}"
        raise ConfigError("launch", "slurm", hint)


def _options(options: SlurmOptions) -> dict[str, Any]:
    """Return the options that are given, as submitit calls them."""
    given = {key: value for key, value in asdict(options).items() if value not in (None, {})}
    del given["executor"]
    common = ("timeout_min", "cpus_per_task", "gpus_per_node")
    return {key if key in common else f"slurm_{key}": value for key, value in given.items()}
