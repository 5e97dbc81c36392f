"""What would not fit is refused with what would; estimates add up."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablation.config.cell import Cell
from ablation.config.parse import parse
from ablation.config.validation import ConfigError
from ablation.sweep.estimates.limits import (
    JOB_BYTES,
    JobSize,
    check_disk,
    check_memory,
    machine_bytes,
    peak_bytes,
)
from ablation.sweep.estimates.speed import Speed, job_seconds, makespan

from .conftest import values

SMALL, LARGE = JobSize(2, 100), JobSize(10, 1_000_000_000)


def test_memory_counts_the_largest_jobs_that_run_at_the_same_time() -> None:
    assert peak_bytes([SMALL, LARGE, SMALL], 2) == 2 * JOB_BYTES + 1_000_000_100
    assert peak_bytes([SMALL], 8) == JOB_BYTES + 100
    assert peak_bytes([JobSize(2, 100, 30)], 8) == JOB_BYTES + 130
    assert peak_bytes([], 2) == 0


def test_jobs_that_fit_one_by_one_are_refused_together_with_how_many_fit() -> None:
    check_memory([LARGE] * 3, 2, 2 * LARGE.peak_bytes)
    with pytest.raises(ConfigError, match=r"launch\.jobs = 3: .*at most 2 fit"):
        check_memory([LARGE] * 3, 3, 3 * LARGE.peak_bytes - 1)


def test_a_job_that_does_not_fit_alone_is_refused_with_the_lanes_that_would() -> None:
    room = JOB_BYTES + 450_000_000
    with pytest.raises(ConfigError, match=r"launch\.lanes_per_job = 10: .*at most 4 fit"):
        check_memory([LARGE], 1, room)
    check_memory([JobSize(4, 400_000_000)], 1, room)
    with pytest.raises(ConfigError, match="at most 4 fit"):
        check_memory([JobSize(10, 600_000_000, 400_000_000)], 1, room)
    with pytest.raises(ConfigError, match="not even one fits"):
        check_memory([LARGE], 1, JOB_BYTES)


def test_this_machine_has_memory() -> None:
    assert machine_bytes() > 10**8


def test_a_disk_without_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablation.sweep.estimates.limits.free_bytes", lambda _: 3_000_000)
    check_disk(tmp_path, 9, [SMALL], 1)
    with pytest.raises(ConfigError, match=r"results_dir = .*: has 3 MB free; 10 runs"):
        check_disk(tmp_path, 10, [SMALL], 1)


def cell(steps: int, kind: str = "uniform", batch: int = 16) -> Cell:
    changes = {"replay__kind": kind, "agent__batch_size": batch, "train__env_steps": steps}
    return Cell(parse(values(**changes)))


def test_a_job_takes_the_time_of_its_own_cell_or_of_the_most_similar_one() -> None:
    uniform, rank = cell(100), cell(200, "rank")
    small_rank, recent = cell(300, "rank", 8), cell(60, "recent")
    cells = {one.name: one for one in (uniform, rank, small_rank, recent)}
    speeds = {uniform.name: Speed(0.1, 10), rank.name: Speed(0.2, 10)}
    assert job_seconds(cells, uniform, 10, speeds) == pytest.approx(10)
    assert job_seconds(cells, uniform, 5, speeds) == pytest.approx(10), "fewer lanes are not faster"
    assert job_seconds(cells, uniform, 20, speeds) == pytest.approx(20)
    assert job_seconds(cells, small_rank, 10, speeds) == pytest.approx(60), "the same kind of replay"
    speeds = {uniform.name: Speed(0.1, 10), small_rank.name: Speed(0.2, 10)}
    assert job_seconds(cells, recent, 10, speeds) == pytest.approx(6), "then the same batch size"
    assert job_seconds(cells, uniform, 10, {}) is None


def test_jobs_go_to_the_worker_that_is_free_first() -> None:
    assert makespan([5, 4, 3, 3], 2) == 8
    assert makespan([5, 4, 3, 3], 1) == 15
    assert makespan([], 2) == 0
