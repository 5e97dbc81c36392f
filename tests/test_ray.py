"""A Ray cluster of three nodes: no cluster, one that dies, and twenty interrupted sweeps."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from .cluster_sweeps import Interrupts, Sweep, assert_equal_to, interrupted_sweeps, runs_of_a_local_sweep

pytestmark = pytest.mark.slow
INTERRUPTS = 20
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    # Ray's own 15 starves tasks where other tests run beside them.
    "RAY_worker_niceness": "0",
}
SIZE = {"object_store_memory": 80_000_000}
LONG = ["train.env_steps=40000", "study.seeds=1"]


class RayCluster:
    """A cluster of a head and three nodes on this machine."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SIZE})
        self._nodes: list[Any] = []
        for _ in range(3):
            self.add_node()
        self.address = str(self._cluster.address)

    def add_node(self) -> None:
        self._nodes.append(self._cluster.add_node(num_cpus=1, **SIZE))

    def kill_node(self) -> None:
        self._cluster.remove_node(self._nodes.pop(0), allow_graceful=False)

    def kill_head(self) -> None:
        self._cluster.head_node.kill_gcs_server(check_alive=False)

    def shutdown(self) -> None:
        self._cluster.shutdown()


@pytest.fixture
def cluster() -> Iterator[RayCluster]:
    pytest.importorskip("ray", reason="needs the extra ray")
    os.environ |= SETTINGS
    started = RayCluster()
    yield started
    started.shutdown()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    return runs_of_a_local_sweep(tmp_path_factory.mktemp("local") / "results")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Sweep]]:
    begun: list[Sweep] = []

    def started(*words: str, results: Path = tmp_path / "results") -> Sweep:
        begun.append(Sweep(results, "launch=ray", "launch.jobs=3", *words, variables=SETTINGS))
        return begun[-1]

    yield started
    for sweep in begun:
        if sweep.process.poll() is None:
            os.killpg(sweep.process.pid, signal.SIGKILL)


def trains(results: Path) -> list[psutil.Process]:
    """Return the processes that train for a results directory."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "work" in words and str(results) in words:
            found.append(process)
    return found


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1"])
def test_no_cluster_is_one_line_of_ours(start: Callable[..., Sweep], address: str) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    sweep = start(f"launch.ray.address={address}")
    assert sweep.end() == 2
    assert f"error: launch.ray.address = {address}: no Ray cluster " in sweep.said
    assert "Traceback" not in sweep.said


def test_a_cluster_that_dies_is_one_line_of_ours(
    start: Callable[..., Sweep], cluster: RayCluster
) -> None:
    sweep = start(f"launch.ray.address={cluster.address}", *LONG)
    assert sweep.wait_for(sweep.checkpoints), sweep.said
    cluster.kill_head()
    assert sweep.end() == 1, sweep.said
    assert "Not launched again: the Ray cluster is gone" in sweep.said
    assert "Traceback" not in sweep.said
    assert "failed" not in sweep.said


class RayInterrupts(Interrupts):
    """Also what is particular to Ray."""

    def __init__(self, cluster: RayCluster, start: Callable[..., Sweep]) -> None:
        super().__init__(start)
        self._cluster = cluster

    def queued(self, sweep: Sweep) -> None:
        waiting = self._start("launch.ray.num_cpus=2", results=sweep.results.with_name("waiting"))
        waiting.wait_for(lambda: "tasks wait for a node with 2 CPU" in waiting.said)
        self._ctrl_c(waiting)
        assert waiting.process.returncode == 130
        self.late(sweep)

    def node_killed(self, sweep: Sweep) -> None:
        self._training(sweep)
        self._cluster.kill_node()
        self._cluster.add_node()
        assert sweep.end() == 0, sweep.said

    def login_process_killed(self, sweep: Sweep) -> None:
        self._training(sweep)
        sweep.process.kill()
        sweep.process.wait()


def test_interrupted_sweeps_end_with_the_files_of_a_local_one(
    tmp_path: Path, cluster: RayCluster, local: dict[Any, Any], start: Callable[..., Sweep]
) -> None:
    def begin(*words: str, results: Path) -> Sweep:
        return start(f"launch.ray.address={cluster.address}", *words, results=results)

    def is_empty() -> bool:
        left = [process for one in tmp_path.iterdir() for process in trains(one)]
        return not psutil.wait_procs(left, timeout=10)[1]

    interrupts = RayInterrupts(cluster, begin)
    ways = [
        interrupts.early,
        interrupts.as_a_worker_starts,
        interrupts.late,
        interrupts.login_process_killed,
        interrupts.queued,
        interrupts.twice,
        interrupts.node_killed,
    ]
    for results in interrupted_sweeps(INTERRUPTS, ways, begin, is_empty, tmp_path):
        assert_equal_to(local, results)
