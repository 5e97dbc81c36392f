"""Submitit, and a Ray cluster that loses a node, store the files of a local sweep."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ablation.store.runs import Store
from ablation.sweep.supervisor import supervise

from .sweeps import stored_bytes

ROOT = Path(__file__).parent.parent
WORDS = [
    "-m",
    "replay=uniform,rank,proportional",
    "env.backend=gymnasium",
    "study.seeds=4",
    "train.env_steps=2000",
    "train.evaluate_every=100",
    "train.evaluation_episodes=1",
    "agent.hidden_sizes=[32]",
    "replay.min_replay_size=100",
    "launch.lanes_per_job=2",
    "launch.checkpoint_seconds=0",
    "tracking=disabled",
]
RUNS = 12


def start(results: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ablation", "sweep", *WORDS, *words, f"results_dir={results}"]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def times_stored(results: Path) -> Counter[str]:
    logs = "".join(path.read_text() for path in results.glob("jobs/*/job.log"))
    return Counter(re.findall(r"Stored (\S+ seed \d+): complete", logs))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    results = tmp_path_factory.mktemp("local")
    assert start(results, "launch.jobs=2").wait(600) == 0
    found = stored_bytes(results)
    assert len(found) == RUNS
    return found


@pytest.mark.slow
def test_submitit_stores_the_files_of_a_local_sweep(tmp_path: Path, local: dict[Any, Any]) -> None:
    pytest.importorskip("submitit", reason="needs the extra slurm")
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs the extra slurm")
    # Everything of launch=slurm, apart from Slurm itself.
    process = start(tmp_path, "launch=slurm", "hydra/launcher=submitit_local", "launch.jobs=2")
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    assert list(tmp_path.glob("jobs/.submitit/*")), "it was submitit that ran the workers"
    assert stored_bytes(tmp_path) == local
    assert set(times_stored(tmp_path).values()) == {1}


@pytest.fixture
def cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="needs the extra ray")
    pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="needs the extra ray")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    from ray.cluster_utils import Cluster

    size = {"object_store_memory": 80_000_000}
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **size})
    nodes = [started.add_node(num_cpus=1, **size) for _ in range(3)]
    yield started, nodes
    ray.shutdown()
    started.shutdown()


@pytest.mark.slow
def test_a_ray_cluster_that_loses_a_node_stores_the_files_of_a_local_sweep(
    tmp_path: Path, local: dict[Any, Any], cluster: Any
) -> None:
    ray_cluster, nodes = cluster
    address = f"hydra.launcher.ray.init.address='{ray_cluster.address}'"
    process = start(tmp_path, "launch=ray", "launch.jobs=3", address)
    deadline = time.monotonic() + 300
    while len(list(tmp_path.glob("jobs/*/checkpoint.pt"))) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(list(Store(tmp_path).run_keys())) < RUNS
    ray_cluster.remove_node(nodes[0], allow_graceful=False)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    assert stored_bytes(tmp_path) == local
    assert set(times_stored(tmp_path).values()) == {1}


def test_a_host_that_does_not_share_the_results_trains_nothing(tmp_path: Path) -> None:
    # In a thread, where it leaves the signals of this process alone.
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(supervise, tmp_path / "elsewhere", "sweep", "worker").result()
    assert outcome.kind == "not_shared"
    assert not (tmp_path / "elsewhere").exists()
