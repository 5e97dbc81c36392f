"""What a sweep prints has right plurals, and says what is known."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ablation.cli.commands import _time
from ablation.cli.messages import failure_lines, print_plan, print_unread_variables
from ablation.cli.progress import Progress, clock
from ablation.cli.terminal import console, plural
from ablation.config.near import arms_like
from ablation.store.files import write_json
from ablation.store.runs import RunKey, Store
from ablation.study.expand import expand
from ablation.study.history import PlanDiff
from ablation.sweep.inventory import RunInventory
from ablation.sweep.queue import JobSpec

from .analysis_helpers import resolve
from .studies import study


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (45, "0:45"), (1149, "19:09"), (3723, "1:02:03")]
)
def test_times_are_minutes_and_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_nouns_agree_with_their_numbers() -> None:
    assert [plural(n, "arm") for n in (0, 1, 2000)] == ["0 arms", "1 arm", "2,000 arms"]


def test_a_plan_of_one_run_and_what_changed_are_printed() -> None:
    plan = expand(study(seeds=1, factors={}), resolve)
    inventory = RunInventory(dict.fromkeys(plan.runs(), "complete"))
    with console.capture() as printed:
        print_plan(plan, inventory, PlanDiff("0123", [], ["c"], 0, 18))
    text = printed.get()
    assert "1 arm x 1 seed, 1 configuration, 1 run (plan" in text
    assert "the last sweep of this study (plan 0123): 18 runs left out (kept where they" in text
    assert "1 run is complete: nothing to train." in text


def test_a_merged_level_is_an_identical_configuration() -> None:
    plan = expand(study(factors={"size": {"key": "replay.capacity", "levels": [64, 16]}}), resolve)
    with console.capture() as printed:
        print_plan(plan, RunInventory(dict.fromkeys(plan.runs(), "missing")))
    assert "identical configuration (merged): size=64 = baseline\n" in printed.get()


def test_a_merged_level_is_named_once_with_its_environments_where_they_are_not_all() -> None:
    factors = {"size": {"key": "replay.capacity", "levels": [64, 16]}}
    plan = expand(study(factors=factors, environments=["CartPole-v1", "Acrobot-v1"]), resolve)
    merged = "identical configuration (merged): size=64 = baseline"
    one = replace(plan, merged=[each for each in plan.merged if each.environment == "Acrobot-v1"])
    for shown, line in ((plan, merged), (one, f"{merged} (Acrobot-v1)")):
        with console.capture() as printed:
            print_plan(shown, RunInventory(dict.fromkeys(plan.runs(), "missing")))
        assert printed.get().count(merged) == 1
        assert f"  {line}\n" in printed.get()


def test_of_many_arms_the_likeliest_are_named_and_the_others_counted() -> None:
    arms = ["baseline", *(f"capacity={n}" for n in range(40)), "replay=none"]
    assert arms_like("replay=non", arms).startswith("did you mean replay=none? there are: replay=none; ")
    assert arms_like("replay=non", arms).endswith(" and 36 more")
    assert arms_like("x", arms[:3]) == "there are: baseline; capacity=0; capacity=1"


def test_progress_says_speed_elapsed_time_and_eta(tmp_path: Path) -> None:
    spec = JobSpec("job", "c", [0, 1], "baseline", {}, "s", "?", "cpu", 60.0)
    store = Store(tmp_path)
    progress = Progress([SimpleNamespace(spec=spec, own_steps=400)], store)
    assert "0/1 job, 0/2 runs, 0%, elapsed 0:00, ETA unknown" in progress._summary([])
    assert "compiling code (once on a machine" in progress._summary([])
    progress._since = 0
    begun = {"arm": "baseline", "lanes": 2, "env_step": 100, "env_steps": 400}
    begun |= {"resumed_at": 0, "saved_at": 0}
    write_json(store.job_directory("job") / "progress.json", begun)
    assert progress._read() == [begun]
    progress._started -= 40
    assert "25%, elapsed 0:40, ETA unknown" in progress._summary([begun]), "the first steps"
    assert "compiled" not in progress._summary([begun])
    progress._started -= 20
    # 200 of 800 steps in the 20 seconds since the first ones, not in the minute since the start.
    later = begun | {"env_step": 200}
    assert "50%, 10 env steps/s, elapsed 1:00, ETA 0:40" in progress._summary([later])
    assert "100%" in progress._summary([begun | {"env_step": 400}])
    assert "ETA 0:00" in progress._summary([begun | {"env_step": 400}])


def test_a_forks_progress_begins_at_its_fork(tmp_path: Path) -> None:
    spec = JobSpec("job", "c", [0], "baseline", {}, "s", "?", "cpu", 60.0)
    progress = Progress([SimpleNamespace(spec=spec, own_steps=100)], Store(tmp_path))
    begun = {"lanes": 1, "env_steps": 400, "shared_steps": 300, "resumed_at": 300}
    assert "0/1 job, 0/1 run, 0%" in progress._summary([begun | {"env_step": 0}])
    assert "0/1 job, 0/1 run, 50%" in progress._summary([begun | {"env_step": 350}])
    assert "1/1 job, 1/1 run, 100%" in progress._summary([begun | {"env_step": 400}])


def test_an_end_is_not_told_from_a_second_of_steps(tmp_path: Path) -> None:
    spec = JobSpec("job", "c", [0], "baseline", {}, "s", "?", "cpu", 60.0)
    progress = Progress([SimpleNamespace(spec=spec, own_steps=10**9)], Store(tmp_path))
    begun = {"lanes": 1, "env_step": 1, "env_steps": 10**9, "resumed_at": 0}
    progress._summary([begun])
    progress._started -= 1
    assert "ETA unknown" in progress._summary([begun | {"env_step": 2}])


def test_a_resumed_sweep_begins_at_its_checkpoint_and_counts_only_its_own_steps(tmp_path: Path) -> None:
    spec = JobSpec("job", "c", [0, 1], "baseline", {}, "s", "?", "cpu", 60.0)
    store = Store(tmp_path)
    path = store.job_directory("job") / "progress.json"
    begun = {"arm": "baseline", "lanes": 2, "env_step": 250, "env_steps": 400}
    write_json(path, begun | {"resumed_at": 0, "saved_at": 200})
    jobs = [SimpleNamespace(spec=spec, own_steps=400)]
    os.utime(path, (1, 1))
    assert Progress(jobs, store)._read() == [], "without a checkpoint it begins anew"
    (path.parent / "checkpoint.pt").touch()
    progress = Progress(jobs, store)
    assert "50%, elapsed 0:00, ETA unknown" in progress._summary(progress._read())
    write_json(path, begun | {"env_step": 0, "resumed_at": 0, "saved_at": 0})
    assert "50%, elapsed" in progress._summary(progress._read()), "it has not read its checkpoint"
    write_json(path, begun | {"env_step": 210, "resumed_at": 200, "saved_at": 200})
    assert "ETA unknown" in progress._summary(progress._read())
    progress._started -= 60
    write_json(path, begun | {"env_step": 300, "resumed_at": 200, "saved_at": 200})
    # 180 steps in a minute, 200 left: not the 600 that earlier launches made as well.
    assert "75%, 3 env steps/s, elapsed 1:00, ETA 1:07" in progress._summary(progress._read())


def test_an_unknown_time_says_how_to_measure_it() -> None:
    told = "no timing data yet; measure for a few seconds: replay-ablation plan --calibrate"
    assert _time(None, "replay-ablation plan --calibrate") == told
    assert _time(1149, "").startswith("19:09")


def test_failures_are_named_with_their_seeds_and_last_line() -> None:
    keys = [RunKey("c", 0), RunKey("c", 3)]
    inventory = RunInventory(
        dict.fromkeys(keys, "failed"),
        errors={keys[0]: "Traceback\nValueError: no"},
        attempts={keys[0]: 3},
    )
    assert [line.plain for line in failure_lines(inventory)] == [
        "failed c seeds 0, 3 after 3 attempts: ValueError: no"
    ]


def test_variables_of_wandb_that_are_not_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_PROJECT", "replay")
    monkeypatch.setenv("WANDB_DIR", "/elsewhere")
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    with console.capture() as printed:
        print_unread_variables(Path("results"), "offline", "replay", None)
    assert printed.get() == (
        "WANDB_DIR=/elsewhere is not read: results/wandb counts\n"
        "WANDB_MODE=online is not read: tracking.mode = offline counts\n"
    )
