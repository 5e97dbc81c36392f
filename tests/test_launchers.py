"""Workers that submitit starts on this machine store the files of a local sweep, and hear Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from ablation.sweep.slurm_queue import ClusterJob, SlurmSilent, as_line, read_jobs, slurm_line
from ablation.sweep.supervisor import supervise

from .cluster_sweeps import RUNS, Sweep, assert_equal_to, attempts
from .sweeps import run, stored_bytes

SUBMITIT = ["launch=slurm", "launch.slurm.executor=local", "launch.jobs=2"]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    sweep = Sweep(tmp_path_factory.mktemp("local") / "results", "launch.jobs=2")
    assert sweep.end() == 0, sweep.said
    found = stored_bytes(sweep.results)
    assert len(found) == RUNS
    return found


def children(sweep: Sweep) -> list[psutil.Process]:
    return psutil.Process(sweep.process.pid).children(recursive=True)


def worker_of(sweep: Sweep) -> psutil.Process:
    return next(child for child in children(sweep) if "work" in child.cmdline())


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["a worker starts", "it trains", "it is stopped", "twice"])
def test_ctrl_c_ends_the_jobs_of_submitit_and_costs_nothing(
    tmp_path: Path, local: dict[Any, Any], moment: str
) -> None:
    pytest.importorskip("submitit", reason="needs the extra slurm")
    sweep = Sweep(tmp_path / "results", *SUBMITIT)
    begun: Callable[[], object] = sweep.checkpoints
    if moment == "a worker starts":
        begun = lambda: any("work" in child.cmdline() for child in children(sweep))  # noqa: E731
    assert sweep.wait_for(begun), sweep.said
    left = children(sweep)
    if moment == "it is stopped":
        worker_of(sweep).suspend()
    sweep.interrupt()
    if moment == "twice":
        time.sleep(0.1)
        sweep.interrupt()
    assert sweep.end() == 130
    assert "Traceback" not in sweep.said
    assert not psutil.wait_procs(left, timeout=10)[1]
    assert set(attempts(sweep.results)) <= {("complete", 1)}
    again = Sweep(tmp_path / "results", *SUBMITIT)
    assert again.end() == 0, again.said
    assert list(again.results.glob("jobs/slurm/*_result.pkl")), "it was submitit that ran the workers"
    assert_equal_to(local, again.results)


def test_a_host_that_does_not_share_the_results_trains_nothing(tmp_path: Path) -> None:
    # In a thread, where it leaves the signals of this process alone.
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(supervise, tmp_path / "elsewhere", "sweep", "worker", Path.cwd()).result()
    assert outcome.kind == "not_shared"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["launch.slurm.timeout_min=0"], "launch.slurm.timeout_min = 0: "),
        (
            ["launch.slurm.partitionn=short"],
            "launch.slurm.partitionn = short: unknown key; allowed here: ",
        ),
        (
            ["launch=local", "launch.detach=true"],
            "launch.detach = True: only jobs of launch=slurm go on",
        ),
        (["hydra/launcher=basic"], "hydra/launcher = basic: not read: launch=local, slurm or ray says"),
    ],
)
def test_options_of_a_launch_are_refused_in_one_line(
    tmp_path: Path, words: list[str], line: str
) -> None:
    given = ["sweep", "launch=slurm", f"results_dir={tmp_path}"]
    found = run(*(word for word in given if not words[0].startswith(word.split("=")[0])), *words)
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: {line}"), found.stderr
    assert found.stderr.count("\n") == 1


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_jobs_are_read_from_squeue_and_what_it_says_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    fake(
        tmp_path,
        "squeue",
        "echo '7_0|RUNNING|n1'; echo '7_1|PENDING|(Resources)'; echo '7_2|CANCELLED|'",
    )
    jobs = read_jobs(["name"])
    assert jobs[1] == ClusterJob("7_1", "PENDING", "Resources")
    assert [job.has_ended for job in jobs] == [False, False, True]
    fake(
        tmp_path,
        "squeue",
        "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1",
    )
    with pytest.raises(SlurmSilent, match="Unable to contact slurm controller"):
        read_jobs(["name"])


def test_jobs_are_named_in_one_line() -> None:
    waiting = [ClusterJob(f"7_{task}", "PENDING", "Priority") for task in (1, 2, 3, 9)]
    jobs = [ClusterJob("7_0", "RUNNING", "n1"), *waiting, ClusterJob("8", "COMPLETING")]
    assert as_line(jobs) == "7_0 RUNNING (n1); 7_[1-3,9] PENDING (Priority); 8 COMPLETING"


def test_slurms_own_line_is_found_in_what_submitit_raises() -> None:
    text = "Failed\nsbatch: error: invalid partition\nsbatch: error: Batch job submission failed\n\n"
    assert slurm_line(text) == "sbatch: error: Batch job submission failed"
