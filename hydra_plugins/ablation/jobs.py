"""Splits the runs that are to do into jobs, and words each job for Hydra."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ablation.job import Job
from ablation.ledger import Ledger
from ablation.settings import Settings
from ablation.study import Arm, Plan
from hydra_plugins.ablation.compose import CommandLine, as_word


@dataclass(frozen=True)
class PlannedJob:
    """A job, and the overrides that make its cell."""

    job: Job
    overrides: Mapping[str, Any]
    env_steps: int

    def words(self, line: CommandLine) -> list[str]:
        """Return the job's command line: the sweep's own words, the cell's, the job's."""
        cell = [as_word(key, value) for key, value in self.overrides.items()]
        job = [as_word(f"job.{key}", value) for key, value in asdict(self.job).items()]
        return [*line.rest, *cell, *job]


def jobs_of(plan: Plan, ledger: Ledger, settings: Settings) -> list[PlannedJob]:
    """Return the jobs that train what is to do, the longest first: one cell, a block of seeds."""
    arms = {arm.cell: arm for arm in plan.arms}
    seeds: dict[str, list[int]] = {}
    for key in ledger.to_do:
        seeds.setdefault(key.cell, []).append(key.seed)
    size = settings.launch.lanes_per_job
    jobs = [
        _planned(plan, arms[cell], block[start : start + size], settings)
        for cell, block in seeds.items()
        for start in range(0, len(block), size)
    ]
    return sorted(jobs, key=lambda job: -_work(plan, job))


def _planned(plan: Plan, arm: Arm, seeds: list[int], settings: Settings) -> PlannedJob:
    job = Job(
        name=f"{arm.cell}-{seeds[0]:04d}-{seeds[-1]:04d}",
        cell=arm.cell,
        seeds=seeds,
        arm=arm.name,
        levels=arm.levels,
        study=plan.study.name,
        question=plan.study.question,
        device=settings.device,
        checkpoint_seconds=settings.launch.checkpoint_seconds,
    )
    return PlannedJob(job, arm.overrides, plan.cells[arm.cell]["train"]["env_steps"])


def _work(plan: Plan, planned: PlannedJob) -> int:
    batch_size: int = plan.cells[planned.job.cell]["agent"]["batch_size"]
    return planned.env_steps * len(planned.job.seeds) * batch_size
