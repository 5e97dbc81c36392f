"""The forecast of a sweep: its jobs, their memory and time, and the changes since the last one."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from ablation.config.training_path import is_portable, trained_by
from ablation.results.arithmetic import OTHER_ARITHMETIC, other_arithmetic
from ablation.store.run_record import ENDED, FAILED, MISSING
from ablation.store.runs import RunKey, Store
from ablation.study.history import PlanDiff, plan_diff
from ablation.study.plan import Arm, Plan
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.config import SweepConfig
from ablation.sweep.estimates.limits import machine_bytes, peak_bytes
from ablation.sweep.estimates.speed import Speed, calibrate, job_seconds, known_speeds, makespan
from ablation.sweep.inventory import RunInventory, read_inventory
from ablation.sweep.queue import resumable
from ablation.sweep.scheduling import (
    ScheduledJob,
    allowed_attempts,
    require_matching_arms,
    runs_of,
    schedule_jobs,
    workers_of,
)


@dataclass(frozen=True)
class Forecast:
    """A plan, the runs that the store has of it, and the jobs that a sweep would train."""

    plan: Plan
    settings: SweepConfig
    store: Store
    inventory: RunInventory
    jobs: list[ScheduledJob]
    changed: PlanDiff | None

    @property
    def workers(self) -> int:
        """Return the number of jobs that are trained at the same time."""
        return max(1, min(workers_of(self.settings), len(self.jobs)))

    @property
    def seconds(self) -> float | None:
        """Return the estimated time of the sweep, evaluations apart; None if nothing was measured."""
        speeds = known_speeds(self.store) | self._speeds_of_runs()
        seconds = [
            job_seconds(self.plan.configured, job.cell, len(job.spec.seeds), speeds) for job in self.jobs
        ]
        known = [value for value in seconds if value is not None]
        return makespan(known, self.workers) if len(known) == len(seconds) else None

    @cached_property
    def _due(self) -> set[RunKey]:
        return {key for job in self.jobs for key in job.keys}

    @property
    def failed_for_good(self) -> int:
        """Return the number of failed runs that a sweep would leave alone."""
        return sum(key not in self._due for key in self.inventory.with_status(FAILED))

    def counts(self, arm: Arm) -> Counter[str]:
        """Return the number of an arm's runs of each status; those of other arithmetic count apart."""
        return Counter(self._statuses[RunKey(arm.cell, seed)] for seed in arm.seeds)

    @cached_property
    def _statuses(self) -> dict[RunKey, str]:
        others = other_arithmetic(self.plan, self.inventory.arithmetic)
        return self.inventory.statuses | dict.fromkeys(others, OTHER_ARITHMETIC)

    def due(self, arm: Arm) -> tuple[int, int]:
        """Return the numbers of an arm's runs that would be trained for the first time, and again."""
        due = self._due & runs_of([arm])
        again = sum(key in self.inventory.attempts for key in due)
        return len(due) - again, again

    def size(self, arm: Arm) -> ScheduledJob:
        """Return the largest job of an arm's seeds, whether or not it is due."""
        runs = [RunKey(arm.cell, seed) for seed in arm.seeds]
        return max(
            schedule_jobs(self.plan, runs, self.settings, {}), key=lambda job: job.size.peak_bytes
        )

    def calibrate(self) -> None:
        """Measure the speed of the cells that are due, for a few seconds altogether."""
        jobs = {job.cell.name: job for job in self.jobs}
        cells = [(job.cell, len(job.spec.seeds)) for job in jobs.values()]
        calibrate(self.store, cells, self.settings.device)

    def as_json(self) -> dict[str, Any]:
        """Return the forecast as plain values."""
        return {
            "study": self.plan.study.name,
            "hash": self.plan.hash,
            "arms": [self._arm(arm) for arm in self.plan.arms],
            "merged": [asdict(merged) for merged in self.plan.merged],
            "pruned": [asdict(pruned) for pruned in self.plan.pruned],
            "changed": None if self.changed is None else asdict(self.changed),
            "runs": len(self.inventory.statuses),
            "statuses": dict(Counter(self._statuses.values())),
            "jobs": len(self.jobs),
            "workers": self.workers,
            "peak_bytes": self.peak_bytes,
            "machine_bytes": machine_bytes(),
            "estimated_seconds": self.seconds,
        }

    @property
    def peak_bytes(self) -> int:
        """Return the most memory that concurrent jobs take, in bytes."""
        return peak_bytes([job.size for job in self.jobs], self.workers)

    def _arm(self, arm: Arm) -> dict[str, Any]:
        new, again = self.due(arm)
        size = self.size(arm).size
        planned = self.plan.configured[arm.cell]
        config = planned.config
        return {
            "arm": arm.name,
            "role": arm.role,
            "levels": arm.levels,
            "environment": arm.env_id,
            "cell": arm.cell,
            "trained_by": trained_by(config.agent),
            "portable": is_portable(config),
            "learnable_share": planned.schedule.learnable_share(),
            "seeds": arm.seeds,
            "statuses": dict(self.counts(arm)),
            "to_do": new,
            "to_retry": again,
            "replay_bytes": size.replay_bytes,
            "peak_bytes": size.peak_bytes,
        }

    def _speeds_of_runs(self) -> dict[str, Speed]:
        """Return the speed of one stored run of each cell."""
        speeds = {}
        for key, status in self.inventory.statuses.items():
            if status in ENDED and key.cell not in speeds:
                record = self.store.read_record(key)
                if record and record.steps_per_second:
                    speeds[key.cell] = Speed(1 / record.steps_per_second, 1)
        return speeds


def forecast(
    plan: Plan, settings: SweepConfig, store: Store, undecided: Collection[Arm] = ()
) -> Forecast:
    """Return the forecast of a sweep over a plan; nothing is written.

    Runs of `undecided` arms, whose level tuning has not chosen yet, count as missing.
    """
    claimed = RunClaims(store.root, ClaimOwner.this_process("forecast")).living()
    waiting = {(arm.environment, arm.name) for arm in undecided}
    known = runs_of(arm for arm in plan.arms if (arm.environment, arm.name) not in waiting)
    inventory = read_inventory(store, [key for key in plan.runs() if key in known], claimed)
    statuses = {key: inventory.statuses.get(key, MISSING) for key in plan.runs()}
    inventory = replace(inventory, statuses=statuses)
    allowed = allowed_attempts(runs_of(require_matching_arms(plan, settings.only)), inventory, settings)
    due = inventory.due(lambda key: allowed.get(key, 0), settings.launch.max_attempts)
    jobs = schedule_jobs(plan, due, settings, resumable(store))
    return Forecast(plan, settings, store, inventory, jobs, plan_diff(store, plan))
