"""The process that trains: takes one job of a sweep after the other until none is left.

Environments, networks and samplers of users run here: however they end this process, by an exception
of any kind or `os._exit`, it is an attempt of the run that was trained, and the sweep goes on.
"""

from __future__ import annotations

import faulthandler
import importlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from ablation.store.disk import is_disk_full
from ablation.store.files import write_json
from ablation.store.keys import check_name
from ablation.store.run_record import ENDED, RunRecord, has_attempts_left
from ablation.store.runs import RunKey, Store
from ablation.sweep.claims import ClaimLost, ClaimOwner, RunClaims
from ablation.sweep.code_version import CodeChanged
from ablation.sweep.failures import record_failed
from ablation.sweep.interrupts import EXIT_STOPPED, Stop, Stopped
from ablation.sweep.job import run_job
from ablation.sweep.processes import end_with_parent
from ablation.sweep.queue import JobQueue, JobSpec, queue_path, read_job, read_queue, stop_path
from ablation.sweep.worker_end import EndReporter

log = logging.getLogger(__name__)

EXIT_FAILED = 1
STACK_SIGNAL = signal.SIGABRT
"""Ends a worker with its Python stack in `trace_path`."""

_FORMAT = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


def state_path(store: Store, name: str) -> Path:
    """Return the file that names the job that a worker trains."""
    return store.job_directory("workers") / f"{check_name('worker', name)}.json"


def trace_path(store: Store, name: str) -> Path:
    """Return the file that takes a dying worker's Python stack."""
    return store.job_directory("workers") / f"{check_name('worker', name)}.trace"


def run_worker(
    store: Store, sweep: str, name: str, supervisor: int, stop: Stop, reporter: EndReporter
) -> None:
    """Train a sweep's jobs until none is left to take, or `stop` asks for the end, and report which."""
    end_with_parent(supervisor)
    # Imported now, so that no job is timed out by it.
    importlib.import_module("ablation.training.dqn")
    try:
        queue = read_queue(store, sweep)
        if queue is None:
            return reporter.report("not_shared")
        _log_warnings()
        claims = RunClaims(store.root, ClaimOwner.this_process(sweep, supervisor))
        # A process that dies in C code, or is told to by its supervisor, leaves its stack behind.
        with trace_path(store, name).open("w", encoding="utf-8") as trace, claims.heartbeats():
            faulthandler.enable(trace)
            Worker(store, queue, name, claims, stop).run()
    except Stopped:
        # Not through the handlers that modules register: they may wait for a network.
        reporter.report("stopped")
        os._exit(EXIT_STOPPED)
    except CodeChanged:
        reporter.report("code_changed")
        os._exit(EXIT_FAILED)
    except Exception as error:
        if not queue_path(store, sweep).exists():
            return reporter.report("not_shared")
        if not is_disk_full(error, store.root):
            raise
        reporter.report("disk_full")
        print(f"{name}: disk full: {store.root}: {error}", file=sys.stderr, flush=True)
        os._exit(EXIT_FAILED)
    finally:
        faulthandler.disable()
    return reporter.report("stopped" if stop.requested else "done")


class Worker:
    """Goes through the jobs of a queue, claims the runs that are due, and trains them."""

    def __init__(self, store: Store, queue: JobQueue, name: str, claims: RunClaims, stop: Stop) -> None:
        self._store, self._queue, self._name = store, queue, name
        self._claims, self._stop = claims, stop
        self._turns = 0

    def run(self) -> None:
        """Go through the jobs again and again, until there is none to train in a whole round."""
        jobs = dict.fromkeys(self._queue.jobs)
        stop_file = stop_path(self._store, self._queue.sweep)
        trained = True
        while trained:
            trained = False
            for name in list(jobs):
                if self._stop.requested or stop_file.exists():
                    raise Stopped
                job, _ = read_job(self._store, name)
                due = self._due(job)
                if not due:
                    del jobs[name]
                elif self._claims.claim(RunKey(job.cell, seed) for seed in due):
                    trained |= self._train(name)
                    self._claims.release_all()

    def _due(self, job: JobSpec) -> list[int]:
        """Return the seeds that have not ended and have attempts left."""
        due = []
        for seed in job.seeds:
            record = self._store.read_record(RunKey(job.cell, seed)) or RunRecord(attempt=0)
            allowed, limit = self._queue.allowed[job.name], self._queue.max_attempts
            left = has_attempts_left(record.attempt, record.same_failure, allowed, limit)
            if record.status not in ENDED and left:
                due.append(seed)
        return due

    def _train(self, name: str) -> bool:
        """Train what is due of a job whose runs are claimed; return whether anything was."""
        job, config = read_job(self._store, name)
        # Another owner may have ended some of them before they were claimed.
        job = replace(job, seeds=self._due(job))
        if not job.seeds:
            return False
        self._turns += 1
        state = {"job": name, "turn": self._turns}
        write_json(state_path(self._store, self._name), state, durable=False)
        with _logged_to(self._store.job_directory(name) / "job.log"):
            log.info("Process %d trains seeds %s.", os.getpid(), job.seeds)
            before = self._attempts(job)
            try:
                still_mine = partial(self._claims.require, before)
                run_job(config, job, self._queue.tracking, self._store, self._stop, still_mine)
            except (Stopped, CodeChanged):
                raise
            except ClaimLost as lost:
                log.warning("Job %s is left to another process: %s.", name, lost)
            except BaseException as error:
                if is_disk_full(error, self._store.root):
                    raise
                log.exception("Job %s failed.", name)
                # What failed before the job could store it counts as an attempt too.
                for key, attempt in self._attempts(job).items():
                    if attempt == before[key] and self._claims.holds(key):
                        record_failed(self._store, key, config, job.device, traceback.format_exc())
        return True

    def _attempts(self, job: JobSpec) -> dict[RunKey, int]:
        keys = [RunKey(job.cell, seed) for seed in job.seeds]
        return {key: record.attempt if (record := self._store.read_record(key)) else 0 for key in keys}


def _log_warnings() -> None:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_FORMAT)
    # What a job raises is in its log and its runs' records, and the sweep names it at its end.
    handler.addFilter(lambda record: record.exc_info is None)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Send what is logged to a job's own file as well."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_FORMAT)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
