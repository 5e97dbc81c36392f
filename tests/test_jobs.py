"""Jobs cover what is due exactly once, in blocks that can go on from their checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ablation.config.validation import ConfigError
from ablation.store.runs import RunKey, Store
from ablation.study.expand import expand
from ablation.study.plan import Plan
from ablation.sweep.config import SweepConfig
from ablation.sweep.inventory import RunInventory
from ablation.sweep.queue import read_job, resumable, write_job
from ablation.sweep.scheduling import allowed_attempts, require_matching_arms, runs_of, schedule_jobs

from .analysis_helpers import resolve
from .studies import study, sweep_settings


@pytest.fixture
def settings() -> SweepConfig:
    return sweep_settings()


@pytest.fixture
def plan() -> Plan:
    return expand(study(seeds=10, control=True), resolve)


def test_jobs_cover_what_is_due_once_in_blocks(plan: Plan, settings: SweepConfig) -> None:
    due = [key for key in plan.runs() if key.seed != 3]
    jobs = schedule_jobs(plan, due, settings, {})
    covered = [key for job in jobs for key in job.keys]
    assert sorted(covered, key=str) == sorted(due, key=str)
    assert max(len(job.keys) for job in jobs) == 4
    assert len({job.spec.name for job in jobs}) == len(jobs)


def test_a_block_with_a_checkpoint_stays_together_whatever_else_is_asked_for(
    plan: Plan, settings: SweepConfig
) -> None:
    cell = plan.arms[1].cell
    due = [RunKey(cell, seed) for seed in range(10)]
    blocks = [[2, 3, 4, 5, 6, 7], [1, 20], [0]]
    found = sorted(job.spec.seeds for job in schedule_jobs(plan, due, settings, {cell: blocks}))
    # [1, 20] cannot go on: seed 20 is not due.
    assert found == [[0], [1, 8, 9], [2, 3, 4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("runs", "workers", "here", "threads"),
    [
        (2, 8, True, 8),
        (4, 8, True, 4),
        (6, 8, True, 2),
        (12, 8, True, 1),
        (20, 2, True, 1),
        (2, 8, False, 1),
    ],
)
def test_cores_without_a_job_of_their_own_share_the_seeds_of_another(
    runs: int, workers: int, here: bool, threads: int, plan: Plan, settings: SweepConfig
) -> None:
    configured = replace(settings, launch=replace(settings.launch, jobs=workers, lanes_per_job=2))
    if not here:
        configured = replace(configured, launch=replace(configured.launch, kind="slurm"))
    jobs = schedule_jobs(plan, [RunKey(plan.arms[0].cell, seed) for seed in range(runs)], configured, {})
    assert [job.spec.threads for job in jobs] == [threads] * len(jobs)


def test_a_job_is_read_as_it_was_written_and_found_by_its_checkpoint(
    plan: Plan, settings: SweepConfig, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    assert resumable(store) == {}
    (planned, *_) = schedule_jobs(plan, plan.runs(), settings, {})
    config = planned.cell.config
    write_job(store, planned.spec, config)
    assert read_job(store, planned.spec.name) == (planned.spec, config)
    assert resumable(store) == {}
    (store.job_directory(planned.spec.name) / "checkpoint.pt").touch()
    assert resumable(store) == {planned.spec.cell: [planned.spec.seeds]}


def test_a_pattern_chooses_arms_and_one_that_chooses_none_is_refused(plan: Plan) -> None:
    assert require_matching_arms(plan, None) == plan.arms
    assert [arm.name for arm in require_matching_arms(plan, "capacity=*")] == [
        "capacity=16",
        "capacity=500",
    ]
    assert [arm.name for arm in require_matching_arms(plan, "baseline")] == ["baseline"]
    assert {key.seed for key in runs_of(require_matching_arms(plan, "baseline again"))} == set(
        range(5000, 5010)
    )
    with pytest.raises(ConfigError, match=r"only = nothing: no such arm; there are: baseline; "):
        require_matching_arms(plan, "nothing")


def test_used_up_attempts_end_a_run_until_it_is_retried(settings: SweepConfig) -> None:
    keys = [RunKey("c", seed) for seed in range(4)]
    statuses = dict(zip(keys, ("complete", "failed", "failed", "missing"), strict=True))
    inventory = RunInventory(statuses, attempts={keys[0]: 1, keys[1]: 3, keys[2]: 2})
    allowed = allowed_attempts(keys, inventory, settings)
    assert inventory.due(allowed.__getitem__) == keys[2:]
    again = allowed_attempts(keys, inventory, replace(settings, retry="failed"))
    assert inventory.due(again.__getitem__) == keys[1:]
    assert again[keys[1]] == 6
