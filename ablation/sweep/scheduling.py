"""Splits the runs that are due into jobs: one cell, a block of seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from hashlib import sha256
from itertools import pairwise

from ablation.config.cell import Cell
from ablation.config.fork import parent_of
from ablation.config.near import arms_like
from ablation.config.tasks import options_of, settings_of
from ablation.config.validation import ConfigError
from ablation.store.runs import RunKey
from ablation.study.plan import Arm, Plan
from ablation.sweep.config import SweepConfig
from ablation.sweep.estimates.limits import (
    SUPERVISOR_BYTES,
    JobSize,
    check_disk,
    check_memory,
    machine_bytes,
)
from ablation.sweep.estimates.memory import agent_bytes, diagnostics_bytes, replay_bytes
from ablation.sweep.inventory import RunInventory
from ablation.sweep.prefixes import fork_steps
from ablation.sweep.processes import usable_cores
from ablation.sweep.queue import JobSpec


@dataclass(frozen=True)
class ScheduledJob:
    """A job, its cell, and its size."""

    spec: JobSpec
    cell: Cell
    size: JobSize

    @property
    def own_steps(self) -> int:
        """Return the environment steps of each of its runs, of a fork those from its fork on."""
        return self.cell.schedule.env_steps - self.cell.shared_steps

    @property
    def transitions(self) -> int:
        """Return the transitions that its runs learn from, if they learn at each step."""
        return self.own_steps * len(self.spec.seeds) * self.cell.schedule.batch_size

    @property
    def keys(self) -> list[RunKey]:
        """Return the runs of the job."""
        return [RunKey(self.spec.cell, seed) for seed in self.spec.seeds]

    @property
    def parent_keys(self) -> list[RunKey]:
        """Return the runs that its runs fork from, if they do."""
        fork = self.cell.canonical.get("fork", {})
        return [RunKey(fork["parent"], seed) for seed in self.spec.seeds] if fork else []


def require_matching_arms(plan: Plan, only: str | None) -> list[Arm]:
    """Return the arms that a pattern names, all without one; raises `ConfigError` if there is none."""
    arms = matching_arms(plan, only)
    if not arms:
        names = arms_like(only, (arm.name for arm in plan.arms))
        raise ConfigError("only", only, f"no such arm; {names}")
    return arms


def matching_arms(plan: Plan, only: str | None) -> list[Arm]:
    """Return the arms that a pattern names; candidates of a tuning stage also go by their arm's name."""
    if only is None:
        return plan.arms
    return [
        arm
        for arm in plan.arms
        if any(only == name or fnmatchcase(name, only) for name in (arm.name, arm.candidate_of) if name)
    ]


def runs_of(arms: Iterable[Arm]) -> set[RunKey]:
    """Return the runs of some arms."""
    return {RunKey(arm.cell, seed) for arm in arms for seed in arm.seeds}


def allowed_attempts(
    requested: Iterable[RunKey], inventory: RunInventory, config: SweepConfig
) -> dict[RunKey, int]:
    """Return the attempts that each run may reach; one that is absent is not to be trained."""
    limit, retry = config.launch.max_attempts, config.retry == "failed"
    return {key: limit + (inventory.attempts.get(key, 0) if retry else 0) for key in requested}


def workers_of(config: SweepConfig) -> int:
    """Return how many workers a launch may have at the same time."""
    return usable_cores() if config.launch.jobs == -1 else config.launch.jobs


def worker_bytes(jobs: Sequence[ScheduledJob], config: SweepConfig) -> int:
    """Return the memory that a cluster is asked for, for each worker and its supervisor."""
    if config.launch.memory_gb is not None:
        return round(config.launch.memory_gb * 1e9)
    return max(job.size.peak_bytes for job in jobs) + SUPERVISOR_BYTES


def check_fit(jobs: Sequence[ScheduledJob], runs: int, config: SweepConfig) -> None:
    """Raise `ConfigError`, with what would fit, for jobs that memory or disk cannot hold."""
    sizes, workers = [job.size for job in jobs], workers_of(config)
    memory_gb = config.launch.memory_gb
    if memory_gb is not None or config.launch.here:
        available = machine_bytes() if memory_gb is None else round(memory_gb * 1e9)
        check_memory(sizes, workers if config.launch.here else 1, available)
    if config.results_dir.is_dir():
        check_disk(config.results_dir, runs, sizes, workers)


def schedule_jobs(
    plan: Plan,
    due: Iterable[RunKey],
    config: SweepConfig,
    resumable: Mapping[str, Sequence[Sequence[int]]],
) -> list[ScheduledJob]:
    """Return the jobs that train the runs that are due, the longest first.

    Blocks of seeds that have a checkpoint, `resumable` by cell, stay as they are.
    """
    arms = {arm.cell: arm for arm in reversed(plan.arms)}
    due = list(due)
    forks = fork_steps(plan, [key.cell for key in due])
    seeds: dict[str, list[int]] = {}
    for key in due:
        seeds.setdefault(key.cell, []).append(key.seed)
    size = config.launch.lanes_per_job
    jobs = [
        _schedule(plan, arms[cell], block, config, forks.get(cell, []))
        for cell, left in seeds.items()
        for block in _blocks(left, size, resumable.get(cell, ()))
    ]
    # Cores that no job of their own would use help with the seeds of others.
    threads = max(1, workers_of(config) // max(1, len(jobs))) if config.launch.here else 1
    jobs = [replace(job, spec=replace(job.spec, threads=threads)) for job in jobs]
    return sorted(jobs, key=lambda job: -job.transitions)


def startable(jobs: Sequence[ScheduledJob]) -> list[ScheduledJob]:
    """Return the jobs that need not wait for another one: that of the runs that theirs fork from."""
    due = {key for job in jobs for key in job.keys}
    return [job for job in jobs if due.isdisjoint(job.parent_keys)]


def _blocks(seeds: Sequence[int], size: int, resumable: Sequence[Sequence[int]]) -> Iterable[list[int]]:
    left = list(seeds)
    for block in resumable:
        if set(block) <= set(left):
            yield list(block)
            left = [seed for seed in left if seed not in block]
    for start in range(0, len(left), size):
        yield left[start : start + size]


def _schedule(
    plan: Plan, arm: Arm, seeds: list[int], config: SweepConfig, fork_steps: list[int]
) -> ScheduledJob:
    from ablation.envs.spec import env_spec
    from ablation.replay.frame_format import frame_format

    cell = plan.configured[arm.cell]
    env_config, agent = cell.config.env, cell.config.agent
    env = env_spec(env_config.id, options_of(env_config))
    spec = JobSpec(
        name=_name(arm.cell, seeds),
        cell=arm.cell,
        seeds=seeds,
        arm=arm.name,
        levels=arm.levels,
        study=plan.study.name,
        question=plan.study.question,
        device=config.device,
        checkpoint_seconds=config.launch.checkpoint_seconds,
        environment=env.fingerprint,
        not_reproducible=env.not_reproducible,
        references=plan.references.get(arm.environment),
        fork_steps=fork_steps,
    )
    form = frame_format(env, settings_of(env_config).get("time_limit"))
    batch, lanes = cell.schedule.batch_size, len(seeds)
    # The job of a fork may have to train the runs that it leaves.
    parents = [Cell(parent_of(cell.config))] if cell.shared_steps else []
    size = JobSize(
        len(seeds),
        max(replay_bytes(one, env.observation_size, lanes, form) for one in [cell, *parents]),
        diagnostics_bytes(env.observation_size, len(seeds)),
        agent_bytes(agent, env.observation_shape, env.actions, batch, lanes),
    )
    return ScheduledJob(spec, cell, size)


def _name(cell: str, seeds: Sequence[int]) -> str:
    """Return a name that no other block of seeds has."""
    name = f"{cell}-{seeds[0]:04d}-{seeds[-1]:04d}"
    if all(later - seed == 1 for seed, later in pairwise(seeds)):
        return name
    return f"{name}-{sha256(repr(list(seeds)).encode()).hexdigest()[:4]}"
