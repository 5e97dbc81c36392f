"""Sweeps with forks: their parents' steps are trained once, and no kill changes or loses a number."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablation.config.validation import ConfigError
from ablation.study.expand import expand
from ablation.study.history import plan_from_json
from ablation.study.plan import Plan
from ablation.sweep.scheduling import schedule_jobs, startable

from .analysis_helpers import resolve
from .studies import STUDY, study, sweep_settings
from .sweeps import finish, start, stored_bytes, wait_for

FORKED: dict[str, Any] = STUDY | {
    "baseline": {"replay.capacity": 64},
    "factors": {
        "replay": {"levels": {"none": {"replay.kind": "none"}, "uniform": {}}},
        "capacity": {"key": "replay.capacity", "levels": [16]},
    },
    "design": [
        {"design": "one_factor_at_a_time", "fork": {"at": [0.25, 0.5]}},
        {
            "design": "arms",
            "fork": {"at": 0.75},
            "arms": [{"levels": {"replay": "none"}, "name": "off"}],
        },
    ],
}
SWEEP = [
    "study=when",
    "study.seeds=3",
    "train.env_steps=1200",
    "train.evaluate_every=200",
    "train.log_every=100",
    "replay.min_replay_size=64",
    "agent.hidden_sizes=[16]",
    "tracking=disabled",
    "launch.jobs=2",
    "launch.checkpoint_seconds=0",
]


def plan(**changes: Any) -> Plan:
    return expand(study(**FORKED | changes), resolve)


def test_a_design_with_a_fork_has_an_arm_for_every_moment_and_merges_what_changes_nothing() -> None:
    found = plan()
    assert [arm.name for arm in found.arms] == [
        "baseline",
        "replay=none, fork at=0.25",
        "replay=none, fork at=0.5",
        "capacity=16, fork at=0.25",
        "capacity=16, fork at=0.5",
        "off, fork at=0.75",
    ]
    assert found.arms[1].levels == {"replay": "none", "fork at": "0.25"}
    cell = found.cells[found.arms[1].cell]
    assert cell["fork"] == {"at": 50, "parent": found.arms[0].cell}
    assert cell["replay"]["kind"] == "none"
    merged = {entry.name: entry.into for entry in found.merged}
    assert merged == {f"replay=uniform, fork at={share}": "baseline" for share in (0.25, 0.5)}
    assert plan_from_json(json.loads(json.dumps(found.as_json()))).hash == found.hash


@pytest.mark.parametrize("at", [0, 1, 1.5, -0.5, "half", True, []])
def test_a_moment_outside_of_the_run_is_refused(at: Any) -> None:
    with pytest.raises(ConfigError, match=r"study\.design \(entry 1\)\.fork\.at"):
        plan(design=[{"design": "one_factor_at_a_time", "fork": {"at": at}}])


def test_a_factor_that_cannot_change_on_the_way_is_refused() -> None:
    factors = {"rate": {"key": "agent.learning_rate", "levels": [0.1]}}
    with pytest.raises(ConfigError, match=r"fork = agent\.learning_rate other than .*cannot change"):
        plan(factors=factors, design=[{"design": "one_factor_at_a_time", "fork": {"at": 0.5}}])


def test_what_is_no_agent_in_an_environment_is_refused() -> None:
    with pytest.raises(ConfigError, match="fork = digits: only agents in environments"):
        plan(environments=["digits"])


def test_a_study_that_tunes_has_no_forks() -> None:
    rate = {"rate": {"key": "agent.learning_rate", "levels": [0.1, 0.2]}}
    with pytest.raises(ConfigError, match=r"study\.design \(entry 1\)\.fork = .*study\.tune"):
        plan(factors=FORKED["factors"] | rate, tune={"factor": "rate", "seeds": [9]})


def test_forks_wait_for_the_runs_that_they_leave_and_these_know_where() -> None:
    found = plan()
    jobs = schedule_jobs(found, found.runs(), sweep_settings(), {})
    (first,) = startable(jobs)
    assert (first.spec.arm, first.spec.fork_steps) == ("baseline", [50, 100, 150])
    later = [job for job in jobs if job is not first]
    assert startable(later) == later
    assert all(job.spec.fork_steps == [] for job in later)
    assert sorted(job.cell.shared_steps for job in later) == [50, 50, 100, 100, 150]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("undisturbed")
    assert finish(start(results, *SWEEP))[0] == 0
    return results


def resumed_at(results: Path) -> dict[str, list[int]]:
    """Return the environment steps at which the jobs of each arm began."""
    steps: dict[str, list[int]] = {}
    for path in sorted(results.glob("jobs/*/progress.json")):
        progress = json.loads(path.read_text())
        steps.setdefault(progress["arm"], []).append(progress["resumed_at"])
    return steps


def test_the_steps_before_forks_are_trained_once_and_kept_until_these_are_stored(
    undisturbed: Path,
) -> None:
    began = resumed_at(undisturbed)
    assert began.pop("baseline") == [0]
    forks = {arm: steps for arm, steps in began.items() if "fork at" in arm}
    assert forks == {arm: [round(float(arm.split("=")[-1]) * 1200)] for arm in forks}
    assert len(forks) == 12
    assert not (undisturbed / "forks").exists()


def test_no_kill_between_parent_and_fork_changes_or_loses_anything(
    undisturbed: Path, tmp_path: Path
) -> None:
    moments: list[Callable[[], Any]] = [
        lambda: list(tmp_path.glob("forks/*/120/0001/checkpoint.pt")),
        lambda: list(tmp_path.glob("forks/*/900/0002/checkpoint.pt")),
        lambda: list(tmp_path.glob("runs/*/0002/run.json")),
        lambda: list(tmp_path.glob("jobs/*/checkpoint.pt")),
        lambda: len(list(tmp_path.glob("runs/*/0002/run.json"))) > 8,
    ]
    for moment in moments:
        process = start(tmp_path, *SWEEP)
        wait_for(moment, process, may_end=True)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert finish(start(tmp_path, *SWEEP))[0] == 0
    assert stored_bytes(tmp_path) == stored_bytes(undisturbed)
    assert not (tmp_path / "forks").exists()


def test_a_fork_whose_parent_left_nothing_trains_its_steps_again_in_any_grouping(
    undisturbed: Path, tmp_path: Path
) -> None:
    shutil.copytree(undisturbed, tmp_path / "results")
    results = tmp_path / "results"
    (path,) = results.glob("studies/*/plan.json")
    arms = plan_from_json(json.loads(path.read_text())).arms
    for arm in arms:
        if arm.levels.get("replay") == "none" and "fork at" in arm.levels:
            shutil.rmtree(results / "runs" / arm.cell)
    shutil.rmtree(results / "jobs")
    # The process ends in the middle of the steps that it trains again.
    words = [*SWEEP, "launch.lanes_per_job=2", "only='replay=none, fork*'"]
    process = start(results, *words)
    wait_for(lambda: list(results.glob("jobs/*/parent/checkpoint.pt")), process, may_end=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert finish(start(results, *words))[0] == 0
    assert stored_bytes(results) == stored_bytes(undisturbed)
    assert not (results / "forks").exists()
