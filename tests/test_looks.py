"""A study with looks adds seeds to undecided arms, goes on where it was, and reports its decisions."""

from __future__ import annotations

import math
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablation.cli.looks import LookByLook
from ablation.cli.open_study import open_study
from ablation.config.validation import ConfigError
from ablation.results.load import load
from ablation.store.files import read_json, write_json
from ablation.store.runs import RunKey, Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.study.history import save_plan, stored_looks
from ablation.study.plan import Arm, Plan
from ablation.sweep.config import SweepConfig
from analysis.expectations.verdicts import Expectation, evaluate
from analysis.report.report import open_results, study_tables, write_report

from .analysis_helpers import STUDY, noise, resolve, write_plan
from .conftest import Command
from .studies import sweep_settings
from .sweeps import run

LOOKED_AT = STUDY | {
    "name": "looked",
    "seeds": 20,
    "factors": {"capacity": {"key": "replay.capacity", "levels": [16, 64, 500]}},
    "control": True,
}


def outcome(arm: Arm, seed: int) -> float:
    """Return 100, for `capacity=16` 40 less."""
    return (60 if arm.name == "capacity=16" else 100) + 3 * noise(arm.name, seed)


def config(root: Path, **changes: Any) -> SweepConfig:
    return sweep_settings(root, jobs=1, lanes=32, **{"stop": "resolved"} | changes)


@pytest.fixture
def plan() -> Plan:
    return expand(parse_study(LOOKED_AT), resolve)


def trainer(root: Path, stages: list[Plan], dies_at: int = 99) -> Callable[[Plan], int]:
    """Return what trains a stage by writing made runs, and is killed in stage `dies_at`."""
    store = Store(root)
    path = store.study_directory("looked") / "plan.json"

    def missing(arm: Arm, seed: int) -> float | str:
        there = store.run_directory(RunKey(arm.cell, seed)).exists()
        return "missing" if there else outcome(arm, seed)

    def train(stage: Plan) -> int:
        save_plan(store, stage, "replay-ablation sweep study=looked stop=resolved")
        stages.append(stage)
        assert set(stage.configured) == set(stage.cells)
        if len(stages) == dies_at:
            raise KeyboardInterrupt
        saved = path.read_text()
        write_plan(store, stage, missing)
        path.write_text(saved)
        return 0

    return train


def counts(stage: Plan) -> dict[tuple[str, str], int]:
    return {(arm.environment, arm.name): len(arm.seeds) for arm in stage.arms}


def sweep(root: Path, plan: Plan, **changes: Any) -> list[Plan]:
    stages: list[Plan] = []
    assert LookByLook(config(root, **changes), Store(root), trainer(root, stages))(plan) == 0
    return stages


def test_decided_arms_stop_and_the_others_and_their_baseline_go_on(tmp_path: Path, plan: Plan) -> None:
    *blocks, last = sweep(tmp_path, plan)
    lower, same = ("CartPole-v1", "capacity=16"), ("CartPole-v1", "capacity=500")
    assert [counts(stage)[same] for stage in blocks] == [8, 11, 14, 17, 20]
    assert [counts(stage)[lower] for stage in blocks] == [8, 11, 11, 11, 11]
    for name in ("baseline", "baseline again"):
        assert counts(last)["CartPole-v1", name] == 20
    assert counts(last) == counts(blocks[-1])
    assert last.looks is not None
    assert last.looks.finished
    found = [(each.environment, each.arm) for each in last.looks.decisions if each.different]
    assert found == [lower]


def test_where_all_arms_are_decided_nothing_is_trained_any_more(tmp_path: Path) -> None:
    factors = {"capacity": {"key": "replay.capacity", "levels": [16, 64]}}
    plan = expand(parse_study(LOOKED_AT | {"factors": factors}), resolve)
    stages = sweep(tmp_path, plan)
    assert [len(list(stage.runs())) for stage in stages] == [3 * 8, 3 * 8]


@pytest.mark.parametrize("dies_at", [2, 6])
def test_a_killed_study_goes_on_at_its_look_and_decides_the_same(
    tmp_path: Path, plan: Plan, dies_at: int
) -> None:
    whole = sweep(tmp_path / "whole", plan)[-1]
    root, stages = tmp_path / "killed", list[Plan]()
    with pytest.raises(KeyboardInterrupt):
        LookByLook(config(root), Store(root), trainer(root, stages, dies_at))(plan)
    again = sweep(root, plan)
    assert again[-1].hash == whole.hash
    assert counts(again[0]) == counts(stages[-1])
    assert len(stages) + len(again) == 7


def test_a_finished_study_trains_nothing_and_keeps_its_history(tmp_path: Path, plan: Plan) -> None:
    stages = sweep(tmp_path, plan)
    (again,) = sweep(tmp_path, plan)
    assert again.hash == stages[-1].hash
    stored = read_json(Store(tmp_path).study_directory("looked") / "plan.json")
    assert [entry["hash"] for entry in stored["history"]] == [stage.hash for stage in stages]
    assert stored_looks(Store(tmp_path), plan) == stages[-1].looks


def test_other_configurations_begin_with_looks_of_their_own(tmp_path: Path, plan: Plan) -> None:
    sweep(tmp_path, plan)
    other = expand(parse_study(LOOKED_AT | {"baseline": {"agent.batch_size": 4}}), resolve)
    assert stored_looks(Store(tmp_path), other) is None
    assert len(sweep(tmp_path, other)) > 1


def test_time_that_is_over_leaves_the_rest_undecided_until_the_next_sweep(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LookByLook, "_seconds", lambda _self, stage: 29.0 * len(stage.study.seeds))
    late = iter([False, False, True])
    monkeypatch.setattr(LookByLook, "_late", lambda _self: next(late, True))
    stages = sweep(tmp_path, plan, minutes=10)
    assert [counts(stage)["CartPole-v1", "capacity=500"] for stage in stages] == [8, 11, 14, 14]
    assert stages[-1].looks is not None
    assert stages[-1].looks.taken == 3
    rows = {row.arm.name: row for row in open_results(tmp_path, "looked", None).comparisons}
    assert rows["capacity=16"].judged
    assert not rows["capacity=500"].judged
    monkeypatch.setattr(LookByLook, "_late", lambda _self: False)
    assert counts(sweep(tmp_path, plan, minutes=10)[-1])["CartPole-v1", "capacity=500"] == 20


def test_tables_and_page_show_decisions_their_intervals_and_different_numbers_of_seeds(
    tmp_path: Path, plan: Plan
) -> None:
    sweep(tmp_path, plan)
    results = open_results(tmp_path, "looked", None)
    rows = {(row.arm.environment, row.arm.name): row for row in results.comparisons}
    lower, same = rows["CartPole-v1", "capacity=16"], rows["CartPole-v1", "capacity=500"]
    assert (lower.mean.n, same.mean.n) == (11, 20)
    assert (lower.significant, same.significant, same.judged) == (True, False, True)
    assert lower.difference is not None
    assert lower.difference.method == "paired, group-sequential sign flips"
    assert lower.difference.high < 0
    table = study_tables(results)["table"]
    text = table.to_markdown()
    assert "Seeds were added at looks declared before (8, 11, 14, 17, 20 seeds)" in text
    assert re.search(r"capacity=16 .*\(11\).*\*", text)
    assert all(row["p_holm"] is None or math.isnan(row["p_holm"]) for row in table.values)
    page = write_report(tmp_path, "looked").read_text()
    assert "up to 20 seeds per arm" in page
    assert "16 is significantly lower" in page


def test_other_scores_and_claims_of_such_a_study_have_no_verdicts(tmp_path: Path, plan: Plan) -> None:
    sweep(tmp_path, plan)
    assert not any(row.judged for row in open_results(tmp_path, "looked", "best").comparisons)
    claim = Expectation("looked", "final", {"baseline": 1, "capacity=16": -1}, "positive", 10)
    assert evaluate([claim], tmp_path)[0].verdict == "inconclusive"
    assert load("looked", tmp_path).plan.looks is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["stop=resolved", "study.seeds=12"],
            "stop = resolved: chooses the seeds: leave out study.seeds",
        ),
        (["stop=resolved", "only=baseline"], "only = baseline: cannot be combined with stop"),
        (["minutes=30"], "minutes = 30.0: goes with stop=resolved"),
        (["stop=all"], "stop = all: "),
        (["stop=resolved", "minutes=-1"], "minutes = -1: "),
        (["stop=resolved", "study=digits", "study.seeds=[1]"], "stop = resolved: chooses the seeds"),
    ],
)
def test_what_looks_cannot_take_is_refused_in_one_line(
    words: list[str], said: str, tmp_path: Path, command: Command
) -> None:
    printed = command("status", "study=article", f"results_dir={tmp_path}", *words, status=2)
    assert printed.startswith(f"error: {said}")
    assert printed.count("\n") == 1


def test_too_few_seeds_for_looks_are_refused(tmp_path: Path) -> None:
    plan = expand(parse_study(LOOKED_AT | {"seeds": 9}), resolve)
    with pytest.raises(ConfigError, match="stop = resolved: 9 seeds an arm: looks need at least 10"):
        LookByLook(config(tmp_path), Store(tmp_path), trainer(tmp_path, []))(plan)


def test_a_time_that_is_too_short_says_what_the_fewest_seeds_take(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LookByLook, "_seconds", lambda _self, stage: 60.0 * len(stage.study.seeds))
    looks = LookByLook(config(tmp_path, minutes=15), Store(tmp_path), trainer(tmp_path, []))
    looks.require_time(None, plan)
    with pytest.raises(ConfigError, match="10 seeds an arm, the fewest, take about 30:00 with tuning"):
        looks.require_time(plan, plan)
    short = LookByLook(config(tmp_path, minutes=5), Store(tmp_path), trainer(tmp_path, []))
    with pytest.raises(ConfigError, match=r"minutes = 5\.0: 10 seeds an arm, .* about 10:00$"):
        short.require_time(None, plan)


def test_a_sweep_refuses_such_a_time_before_it_tunes(tmp_path: Path) -> None:
    words = ["study=replay", "size=quick", f"results_dir={tmp_path}"]
    plans = open_study(str(Path(__file__).parent.parent / "conf"), words).plans
    slow = {cell: {"seconds": 1.0, "lanes": 1} for plan in plans for cell in plan.cells}
    write_json(tmp_path / "calibration.json", {platform.node(): slow})
    refused = run(*words, "stop=resolved", "minutes=1")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: minutes = 1.0: 10 seeds an arm, the fewest, take about ")
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()
