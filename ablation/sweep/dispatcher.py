"""Trains what is due of a plan: gives jobs to workers, and launches again when workers broke off."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from threading import Event
from uuid import uuid4

from ablation.config.validation import ConfigError
from ablation.results.arithmetic import other_arithmetic
from ablation.store.disk import DiskFull, ResultsRemoved, write_error
from ablation.store.runs import RunKey, Store
from ablation.study.plan import Plan
from ablation.sweep.arithmetic import check_arithmetic
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.code_version import CodeChanged, code_version
from ablation.sweep.config import SweepConfig
from ablation.sweep.interrupts import stoppable
from ablation.sweep.inventory import RunInventory, read_inventory
from ablation.sweep.launch import Launch, WorkerLauncher
from ablation.sweep.observer import SweepObserver
from ablation.sweep.prefixes import remove_used
from ablation.sweep.queue import JobQueue, queue_path, resumable, stop_path, write_job, write_queue
from ablation.sweep.repair import (
    damage_at_a_glance,
    remove_claims_of_the_dead,
    set_aside_damaged,
    set_aside_half_written,
)
from ablation.sweep.result import SweepResult
from ablation.sweep.scheduling import (
    ScheduledJob,
    allowed_attempts,
    check_fit,
    require_matching_arms,
    runs_of,
    schedule_jobs,
    startable,
    worker_bytes,
    workers_of,
)
from ablation.sweep.supervisor import WorkerExit

log = logging.getLogger(__name__)

MAX_FRUITLESS_LAUNCHES = 3
"""Launches in a row that may end without any progress."""
WAIT_SECONDS = 2.0


class SweepDispatcher:
    """One sweep over a plan."""

    def __init__(
        self,
        plan: Plan,
        config: SweepConfig,
        store: Store,
        launcher: WorkerLauncher,
        observer: SweepObserver,
    ) -> None:
        """Take a plan, and what starts workers.

        Raises `ConfigError` if `only` names no arm.
        """
        self._plan, self._config, self._store = plan, config, store
        self._launcher, self._observer = launcher, observer
        self._code = code_version()
        self._sweep = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"
        self._claims = RunClaims(store.root, ClaimOwner.this_process(self._sweep))
        requested = runs_of(require_matching_arms(plan, config.only))
        self._requested = [key for key in plan.runs() if key in requested]
        self._allowed: Mapping[RunKey, int] = {}
        self._launches = 0
        self._waiting_for: list[str] = []

    def prepare(self) -> RunInventory:
        """Quarantine damaged runs, check that the rest fits this machine, and return the inventory."""
        damaged = self._read_inventory().damage
        look = partial(damage_at_a_glance, self._store)
        for line in set_aside_damaged(self._store, self._claims, damaged, look):
            log.warning("%s", line)
        for line in set_aside_half_written(self._store, self._claims):
            log.warning("%s", line)
        if self._config.retry == "arithmetic":
            self._set_other_arithmetic_aside()
        inventory = self._read_inventory()
        self._allowed = allowed_attempts(self._requested, inventory, self._config)
        check_fit(self.jobs(inventory), len(inventory.to_do), self._config)
        return inventory

    def _set_other_arithmetic_aside(self) -> None:
        """Quarantine the requested runs that are not compared with the rest, to train them again."""
        stored = read_inventory(self._store, self._plan.runs()).arithmetic
        others = other_arithmetic(self._plan, stored)
        asked = {key: others[key][1] for key in self._requested if key in others}
        if self._config.launch.here:
            check_arithmetic(self._plan, asked, self._config.device)
        for key in asked:
            with self._claims.claimed(key) as is_mine:
                if is_mine:
                    moved = self._store.quarantine(key)
                    log.warning("%s seed %d: other arithmetic; moved to %s", key.cell, key.seed, moved)

    def jobs(self, inventory: RunInventory) -> list[ScheduledJob]:
        """Return the jobs that train what is due."""
        limit = self._config.launch.max_attempts
        due = inventory.due(lambda key: self._allowed.get(key, 0), limit)
        return schedule_jobs(self._plan, due, self._config, resumable(self._store))

    def run(self) -> SweepResult:
        """Launch workers until every run has ended or used up its attempts.

        Raises `CodeChanged`, `DiskFull` and `ConfigError` for what another launch would not mend.
        """
        inventory = self._read_inventory()
        asked = stoppable(self._ask_workers_to_end, self._observer.ended_at_once)
        with asked as stopping, self._shown(self.jobs(inventory)):
            return self._run(inventory, stopping)

    def _run(self, inventory: RunInventory, stopping: Event) -> SweepResult:
        fruitless = 0
        while True:
            jobs = startable(self.jobs(inventory))
            if stopping.is_set() or not jobs:
                remove_claims_of_the_dead(self._claims)
                remove_used(self._store, self._plan)
                return SweepResult(inventory, stopped=stopping.is_set())
            free = self._free_jobs(jobs)
            if not free:
                stopping.wait(WAIT_SECONDS)
                inventory = self._read_inventory()
                continue
            before = self._training_state(inventory)
            exits, broken = self._launch(jobs, min(workers_of(self._config), free))
            inventory = self._read_inventory()
            if stopping.is_set():
                return SweepResult(inventory, stopped=True)
            if self._config.launch.detach:
                return SweepResult(inventory, detached=self._launcher.state())
            left = bool(self.jobs(inventory))
            self._raise_what_launching_does_not_mend(exits, left)
            given_up = next((end.reason for end in exits if end.kind == "given_up"), None)
            if given_up and left:
                return SweepResult(inventory, given_up=given_up)
            # Whatever workers say of their end: launches without progress are counted.
            fruitless = fruitless + 1 if self._training_state(inventory) == before else 0
            if broken:
                log.warning("%s", broken)
            if fruitless >= MAX_FRUITLESS_LAUNCHES:
                return SweepResult(inventory, broken=broken or "workers ended without having trained")

    def _shown(self, jobs: Sequence[ScheduledJob]) -> AbstractContextManager[object]:
        """Return a context that shows the progress of all jobs, of forks that wait for parents too."""
        if not jobs or self._config.launch.detach:
            return nullcontext()
        return self._observer.training(jobs, self._store, self._launcher.state)

    def _read_inventory(self) -> RunInventory:
        return read_inventory(self._store, self._requested, self._claims.living())

    def _free_jobs(self, jobs: Sequence[ScheduledJob]) -> int:
        """Return how many jobs no other sweep trains; without any, tell the observer whose they are."""
        living = self._claims.living()
        free = sum(not any(key in living for key in job.keys) for job in jobs)
        owners = sorted({str(living[key].process) for job in jobs for key in job.keys if key in living})
        if not free and owners != self._waiting_for:
            self._observer.waiting_for(owners)
            self._waiting_for = owners
        return free

    def _launch(
        self, jobs: Sequence[ScheduledJob], workers: int
    ) -> tuple[Sequence[WorkerExit], str | None]:
        """Run workers to their end; return how they ended, and why they broke off, if they did."""
        self._launches += 1
        for job in jobs:
            write_job(self._store, job.spec, job.cell.config)
        write_queue(self._store, self._queue(jobs))
        names = [f"{self._sweep}-{self._launches}-{number}" for number in range(workers)]
        memory = worker_bytes(jobs, self._config)
        launch = Launch(self._store.root, self._sweep, names, memory)
        try:
            exits = self._launcher.run(launch)
        except ConfigError:
            raise
        except Exception as error:
            return [], f"The launcher broke off: {error}"
        return exits, next((worker.reason for worker in exits if worker.kind == "broken"), None)

    def _queue(self, jobs: Sequence[ScheduledJob]) -> JobQueue:
        minutes = self._config.launch.timeout_minutes
        return JobQueue(
            self._sweep,
            [job.spec.name for job in jobs],
            self._config.tracking,
            None if minutes is None else minutes * 60,
            {job.spec.name: max(self._allowed[key] for key in job.keys) for job in jobs},
            self._code,
            self._config.launch.max_attempts,
        )

    def _raise_what_launching_does_not_mend(self, exits: Sequence[WorkerExit], unfinished: bool) -> None:
        root = self._store.root
        for worker in exits:
            if worker.kind == "not_shared" and not queue_path(self._store, self._sweep).exists():
                raise ResultsRemoved(root)
            if worker.kind == "not_shared":
                allowed = f"host {worker.host} does not see it; all hosts must share it"
                raise ConfigError("results_dir", root, allowed)
            if worker.kind == "disk_full":
                raise DiskFull(f"{root} on host {worker.host}: disk full ({write_error(root)})")
            if worker.kind == "code_changed" and unfinished:
                raise CodeChanged

    def _training_state(self, inventory: RunInventory) -> tuple[int, int, list[int]]:
        """Return what changes whenever something was trained, stored or counted as an attempt."""
        checkpoints = self._store.root.glob("jobs/**/checkpoint.pt")
        times = sorted(path.stat().st_mtime_ns for path in checkpoints)
        return len(inventory.to_do), sum(inventory.attempts.values()), times

    def _ask_workers_to_end(self) -> None:
        with suppress(OSError):
            stop_path(self._store, self._sweep).touch()
        self._observer.stopping(self._launcher.stop())
