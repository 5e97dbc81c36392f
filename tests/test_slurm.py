"""A real Slurm cluster: what is refused, waits, or is cancelled, and twenty interrupted sweeps."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .cluster_sweeps import (
    Interrupts,
    Sweep,
    assert_equal_to,
    attempts,
    interrupted_sweeps,
    runs_of_a_local_sweep,
)
from .slurm_cluster import SlurmCluster, can_run, slurm_cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_run(), reason="needs slurm-wlm, munge and the rights of root"),
]
INTERRUPTS = 20
SLURM = ["launch=slurm", "launch.jobs=3", "launch.slurm.timeout_min=10"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    pytest.importorskip("submitit", reason="needs the extra slurm")
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as started:
        yield started


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    return runs_of_a_local_sweep(tmp_path_factory.mktemp("local") / "results")


@pytest.fixture
def start(cluster: SlurmCluster, tmp_path: Path) -> Iterator[Callable[..., Sweep]]:
    begun: list[Sweep] = []

    def started(*words: str, results: Path = tmp_path / "results") -> Sweep:
        begun.append(Sweep(results, *SLURM, *words, variables=cluster.variables))
        return begun[-1]

    yield started
    for sweep in begun:
        if sweep.process.poll() is None:
            os.killpg(sweep.process.pid, signal.SIGKILL)
    cluster.cancel_all()
    cluster.wait_until_empty()


def test_what_slurm_refuses_ends_the_sweep_with_its_own_line(start: Callable[..., Sweep]) -> None:
    sweep = start("launch.slurm.partition=none")
    assert sweep.end() == 2
    assert "error: launch = slurm: sbatch: error: " in sweep.said
    assert "Invalid partition name specified" in sweep.said
    assert "Traceback" not in sweep.said
    assert not list(sweep.results.glob("jobs/sweeps/*.slurm"))


@pytest.mark.parametrize("why", ["PartitionTimeLimit", "DOWN, DRAINED"])
def test_why_jobs_wait_is_named_and_ctrl_c_cancels_them(
    start: Callable[..., Sweep], cluster: SlurmCluster, why: str
) -> None:
    drained = why != "PartitionTimeLimit"
    if drained:
        cluster.drain()
    try:
        sweep = start(*([] if drained else ["launch.slurm.partition=strict"]))
        assert sweep.wait_for(lambda: why in sweep.said), sweep.said
        assert "PENDING" in sweep.said
        sweep.interrupt()
        assert sweep.end() == 130
        assert "scancel --name=replay-" in sweep.said
        assert "sacct" not in sweep.said
        assert cluster.wait_until_empty()
    finally:
        if drained:
            cluster.resume()


def test_jobs_that_the_user_cancels_are_not_submitted_again(
    start: Callable[..., Sweep], cluster: SlurmCluster
) -> None:
    sweep = start()
    assert sweep.wait_for(sweep.workers)
    cluster.cancel_all()
    assert sweep.end() == 1
    assert "was cancelled; its log is " in sweep.said
    assert cluster.wait_until_empty()
    assert not [status for status, _ in attempts(sweep.results) if status == "failed"]


def test_submit_and_leave(
    start: Callable[..., Sweep], cluster: SlurmCluster, local: dict[Any, Any]
) -> None:
    sweep = start("launch.detach=true")
    assert sweep.end() == 0
    assert "SUBMITTED" in sweep.said
    again = start()
    assert again.end() == 0
    assert "Slurm jobs of earlier sweeps: " in again.said
    assert_equal_to(local, again.results)


def test_a_job_saves_a_checkpoint_before_its_time_is_over_and_is_queued_again(
    start: Callable[..., Sweep], cluster: SlurmCluster
) -> None:
    long = ["study.seeds=1", "replay=uniform", "train.env_steps=100000", "launch.checkpoint_seconds=600"]
    sweep = start(
        *long, "launch.jobs=1", "launch.slurm.timeout_min=2", "launch.slurm.signal_delay_s=100"
    )
    assert sweep.wait_for(sweep.workers)
    assert sweep.wait_for(sweep.checkpoints), sweep.said
    assert sweep.wait_for(lambda: any("PENDING" in job for job in cluster.jobs())), sweep.said
    assert not attempts(sweep.results)
    sweep.interrupt()
    assert sweep.end() == 130
    assert cluster.wait_until_empty()


class SlurmInterrupts(Interrupts):
    """Also what is particular to Slurm."""

    def __init__(self, cluster: SlurmCluster, start: Callable[..., Sweep]) -> None:
        super().__init__(start)
        self._cluster = cluster

    def queued(self, sweep: Sweep) -> None:
        self._cluster.drain()
        try:
            sweep.wait_for(lambda: any("PENDING" in job for job in self._cluster.jobs()))
            self._ctrl_c(sweep)
        finally:
            self._cluster.resume()

    def scancel(self, sweep: Sweep) -> None:
        self._training(sweep)
        self._cluster.cancel_all()
        assert sweep.end() in (0, 1), sweep.said
        assert sweep.process.returncode == 0 or "was cancelled; its log is " in sweep.said

    def node_killed(self, sweep: Sweep) -> None:
        self._training(sweep)
        self._cluster.kill_node("n2")
        try:
            assert sweep.end() == 0, sweep.said
        finally:
            self._cluster.start_node("n2")

    def login_process_killed(self, sweep: Sweep) -> None:
        self._training(sweep)
        sweep.process.kill()
        sweep.process.wait()
        left = self._cluster.jobs()
        again = self._start(results=sweep.results)
        assert again.end() == 0, again.said
        assert not left or "Slurm jobs of earlier sweeps: " in again.said

    def _ctrl_c(self, sweep: Sweep) -> None:
        super()._ctrl_c(sweep)
        assert sweep.process.returncode == 0 or "scancel --name=replay-" in sweep.said


def test_interrupted_sweeps_end_with_the_files_of_a_local_one(
    tmp_path: Path, cluster: SlurmCluster, local: dict[Any, Any], start: Callable[..., Sweep]
) -> None:
    interrupts = SlurmInterrupts(cluster, start)
    ways = [
        interrupts.early,
        interrupts.as_a_worker_starts,
        interrupts.late,
        interrupts.login_process_killed,
        interrupts.queued,
        interrupts.twice,
        interrupts.scancel,
        interrupts.node_killed,
    ]
    for results in interrupted_sweeps(INTERRUPTS, ways, start, cluster.wait_until_empty, tmp_path):
        assert_equal_to(local, results)
