"""Trains what is due of a plan: gives it to workers, and launches again what broke off."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hydra.plugins.launcher import Launcher

from ablation.cli.compose import Composer
from ablation.cli.console import console
from ablation.cli.progress import Progress
from ablation.config.validation import ConfigError
from ablation.store.disk import DiskFull, check_writable
from ablation.store.runs import RunKey, Store
from ablation.study.plan import Plan
from ablation.sweep.claims import Locks, Owner
from ablation.sweep.config import SweepConfig
from ablation.sweep.hydra_words import as_word
from ablation.sweep.interrupts import EXIT_STOPPED
from ablation.sweep.inventory import RunInventory, read_inventory
from ablation.sweep.queue import JobQueue, resumable, stop_path, write_job, write_queue
from ablation.sweep.ray_cluster import connect
from ablation.sweep.scheduling import (
    ScheduledJob,
    allowed_attempts,
    check_fit,
    require_matching_arms,
    runs_of,
    schedule_jobs,
    workers_of,
)
from ablation.sweep.supervisor import Outcome

log = logging.getLogger(__name__)

MAX_VAIN_LAUNCHES = 3
"""Launches in a row that may break off without anything having been trained."""
WAIT_SECONDS = 2.0
STOPPING_SECONDS = 3.5
"""After a Ctrl-C, how long the workers may take."""


class SweepDispatcher:
    """One sweep over a plan."""

    def __init__(
        self, plan: Plan, settings: SweepConfig, store: Store, composer: Composer, words: Sequence[str]
    ) -> None:
        self._plan, self._settings, self._store = plan, settings, store
        self._composer, self._words = composer, words
        self._sweep = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
        self._locks = Locks(store.root, Owner.this_process(self._sweep))
        asked = runs_of(require_matching_arms(plan, settings.only))
        self._asked = [key for key in plan.runs() if key in asked]
        self._allowed: Mapping[RunKey, int] = {}
        self._launches = 0

    def prepare(self) -> RunInventory:
        """Quarantine what is damaged, check that the rest fits this machine; return the ledger."""
        inventory = self._stock()
        for key in inventory.damage:
            with self._locks.claimed(key) as mine:
                _, damage = self._store.inspect(key)
                if mine and damage:
                    place = self._store.quarantine(key)
                    log.warning("%s seed %d: %s; moved to %s", key.cell, key.seed, damage, place)
        for key, directory in self._store.half_written():
            with self._locks.claimed(key) as mine:
                if mine and directory.exists():
                    place = self._store.quarantine(key, directory)
                    log.warning("%s seed %d: half written; moved to %s", key.cell, key.seed, place)
        inventory = self._stock()
        self._allowed = allowed_attempts(self._asked, inventory, self._settings)
        check_fit(self.jobs(inventory), len(inventory.to_do), self._settings)
        return inventory

    def jobs(self, inventory: RunInventory) -> list[ScheduledJob]:
        """Return the jobs that train what is due."""
        due = inventory.due(lambda key: self._allowed.get(key, 0))
        return schedule_jobs(self._plan, due, self._settings, resumable(self._store))

    def run(self, launcher: Launcher) -> Swept:
        """Launch workers until every run has ended, failed for good, or is trained by nobody."""
        connect(launcher)
        vain, waiting = 0, False
        with self._interruptible() as stopping:
            while True:
                inventory = self._stock()
                jobs = self.jobs(inventory)
                if stopping.is_set() or not jobs:
                    return Swept(inventory, stopping.is_set())
                living = self._locks.living()
                free = [job for job in jobs if not any(key in living for key in job.keys)]
                if not free:
                    if not waiting:
                        owners = {str(living[key]) for job in jobs for key in job.keys if key in living}
                        console.print(f"Waiting for what {', '.join(sorted(owners))} trains.")
                    waiting = True
                    stopping.wait(WAIT_SECONDS)
                    continue
                before = self._signs_of_life(inventory)
                broken = self._launch(launcher, jobs, min(workers_of(self._settings), len(free)))
                after = self._stock()
                vain = vain + 1 if broken and self._signs_of_life(after) == before else 0
                if broken and not stopping.is_set():
                    log.warning("%s", broken)
                if vain >= MAX_VAIN_LAUNCHES:
                    return Swept(after, broken=broken)

    def _stock(self) -> RunInventory:
        return read_inventory(self._store, self._asked, self._locks.living())

    def _launch(self, launcher: Launcher, jobs: Sequence[ScheduledJob], workers: int) -> str | None:
        """Run workers to their end; return why they broke off, if they did."""
        self._launches += 1
        for planned in jobs:
            write_job(self._store, planned.job, self._composer.resolve(planned.overrides))
        timeout = self._settings.launch.timeout_minutes
        run_worker = JobQueue(
            self._sweep,
            [planned.job.name for planned in jobs],
            self._settings.tracking,
            None if timeout is None else timeout * 60,
            {planned.job.name: max(self._allowed[key] for key in planned.keys) for planned in jobs},
        )
        write_queue(self._store, run_worker)
        with Progress(jobs, self._store):
            try:
                returned = launcher.launch([self._worded(n) for n in range(workers)], 0)
                outcomes = [job.return_value for job in returned]
            except Exception as error:
                return f"The launcher broke off: {error}"
        return self._explain(outcomes)

    def _worded(self, number: int) -> list[str]:
        name = f"{self._sweep}-{self._launches}-{number}"
        own = {"results_dir": str(self._store.root), "worker.name": name, "worker.sweep": self._sweep}
        return [*self._words, *(as_word(key, value) for key, value in own.items())]

    def _explain(self, outcomes: Sequence[Outcome]) -> str | None:
        """Return why workers broke off; raises what no other launch could mend."""
        root = self._store.root
        for outcome in outcomes:
            if outcome.kind == "not_shared":
                allowed = f"host {outcome.host} does not see it; all hosts must share it"
                raise ConfigError("results_dir", root, allowed)
            if outcome.kind == "no_room":
                raise DiskFull(f"{root} on host {outcome.host} takes no more ({self._reason()})")
        return next((outcome.reason for outcome in outcomes if outcome.kind == "broken"), None)

    def _reason(self) -> str:
        try:
            check_writable(self._store.root)
        except OSError as error:
            return error.strerror or str(error)
        return "a write failed"

    def _signs_of_life(self, inventory: RunInventory) -> Any:
        """Return what changes whenever something was trained, stored or counted as an attempt."""
        checkpoints = self._store.root.glob("jobs/*/checkpoint.pt")
        times = sorted(path.stat().st_mtime_ns for path in checkpoints)
        return len(inventory.to_do), sum(inventory.attempts.values()), times

    @contextmanager
    def _interruptible(self) -> Iterator[threading.Event]:
        """Let the first Ctrl-C ask the workers to end, and see that they do."""
        asked = threading.Event()

        def stop(*_: object) -> None:
            if asked.is_set():
                os._exit(EXIT_STOPPED)
            asked.set()
            threading.Thread(target=_exit_late, daemon=True).start()
            with suppress(OSError):
                stop_path(self._store, self._sweep).touch()
            console.print("\nStopping: what is being written is finished first.")

        earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield asked
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)


def _exit_late() -> None:
    time.sleep(STOPPING_SECONDS)
    os._exit(EXIT_STOPPED)


@dataclass(frozen=True)
class Swept:
    """What a sweep came to; `stopped` by Ctrl-C, `broken` says why nothing could be trained."""

    inventory: RunInventory
    stopped: bool = False
    broken: str | None = None
