"""How many seeds: what they can find by pilot runs, and how many fit into a time."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablation.cli.seed_plan import largest
from ablation.config.cell import Cell
from ablation.results.load import load
from ablation.results.tuning_choices import choices
from ablation.store.files import write_json
from ablation.store.runs import Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.study.plan import Arm
from ablation.study.seeds import with_seeds
from ablation.study.tuning import reported_plan, tuning_plan
from ablation.sweep.estimates import forecast
from analysis import statistics
from analysis.effects.pilot import planned_contrasts
from analysis.report.report import open_results
from analysis.tables.answers import arm_conclusion

from .analysis_helpers import SEEDS, STUDY, make_store, noise, resolve, write_plan
from .conftest import Command

TUNED = STUDY | {
    "name": "tuned",
    "factors": STUDY["factors"] | {"rate": {"key": "agent.learning_rate", "levels": [0.001, 0.004]}},
    "tune": {"factor": "rate", "seeds": 4},
}


def outcome(arm: Arm, seed: int) -> float:
    return (50 if "capacity=16" in arm.name else 100) + noise(arm.name, seed)


def test_the_runs_that_an_effect_takes_invert_the_power_of_the_t_test() -> None:
    runs = statistics.runs_to_detect(40, 100, tests=12)
    powers = [statistics.paired_t_power(40, 100, int(n), 12) for n in (runs - 1, runs)]
    assert powers[0] < 0.8 <= powers[1]
    assert statistics.detectable_effect(100, int(runs), 12) <= 40
    assert math.isnan(statistics.runs_to_detect(40, 0.0))
    assert statistics.runs_to_detect(0, 1.0) == statistics.runs_to_detect(1e-9, 1.0) == 100_000


def test_a_study_plans_by_its_own_runs(tmp_path: Path) -> None:
    plan = make_store(tmp_path, STUDY, outcome)
    more = with_seeds(plan, 25)
    rows = {row.arm: row for row in planned_contrasts([more], Store(tmp_path), 0.8, 2.0)}
    runs = load("s", tmp_path)
    arms = {arm.name: runs.scores(arm, "final") for arm in runs.arms("CartPole-v1")}
    sd = float(np.std(arms["capacity=16"] - arms["baseline"], ddof=1))
    row = rows["capacity=16"]
    assert (row.source, row.pairs, row.seeds) == ("s", SEEDS, 25)
    assert row.sd == pytest.approx(sd)
    assert row.detectable == statistics.detectable_effect(row.sd, 25, 3)
    assert row.needed == statistics.runs_to_detect(2.0, row.sd, 3)


def test_another_size_serves_as_the_pilot(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY | {"name": "s-quick", "size": "quick"}, outcome)
    make_store(tmp_path, STUDY | {"name": "sugar"}, lambda arm, seed: 10.0 * seed)
    larger = {"name": "s-paper", "size": "paper", "seeds": 30, "baseline": {"agent.batch_size": 4}}
    plan = expand(parse_study(STUDY | larger), resolve)
    rows = planned_contrasts([plan], Store(tmp_path), 0.8)
    assert {(row.source, row.pairs, row.seeds) for row in rows} == {("s-quick", SEEDS, 30)}
    assert all(math.isnan(row.needed) for row in rows)


def test_tuning_runs_at_the_chosen_levels_serve_as_the_pilot(tmp_path: Path) -> None:
    plan, store = expand(parse_study(TUNED), resolve), Store(tmp_path)
    tuning = tuning_plan(plan, resolve)
    assert planned_contrasts([tuning, plan], store, 0.8) == []
    write_plan(store, tuning, lambda arm, seed: outcome(arm, seed) + ("0.004" in arm.name))
    chosen = list(choices(load("tuned-tuning", tmp_path), "rate"))
    reported = reported_plan(plan, chosen, resolve)
    rows = planned_contrasts([tuning, reported], store, 0.8)
    assert {row.arm for row in rows} == {arm.name for arm in reported.arms[1:]}
    assert {(row.source, row.pairs) for row in rows} == {("tuned-tuning", 4)}


def test_more_seeds_follow_the_studys_own_and_leave_tuning_seeds_out() -> None:
    declared = TUNED | {"seeds": [3, 8], "tune": {"factor": "rate", "seeds": [9, 11]}, "control": True}
    plan = with_seeds(expand(parse_study(declared), resolve), 5)
    assert plan.study.seeds == [3, 8, 10, 12, 13]
    control = next(arm for arm in plan.arms if arm.role == "control")
    assert control.seeds == [5003, 5008, 5010, 5012, 5013]
    assert with_seeds(plan, 1).arms[0].seeds == [3]
    assert set(plan.configured) == set(plan.cells)


def test_after_a_study_each_inconclusive_arm_names_the_seeds_that_its_difference_takes(
    tmp_path: Path,
) -> None:
    make_store(tmp_path, STUDY | {"seeds": 12}, lambda arm, seed: 100 + noise(arm.name, seed))
    row = open_results(tmp_path, "s", None).comparisons[1]
    assert row.seeds_to_find > 1_000
    assert "to find a difference of 0.0449 takes over 1,000 seeds (80 % power)" in arm_conclusion(row)
    near = replace(row, seeds_to_find=62.0)
    assert "to find a difference of 0.0449 takes about 62 seeds (80 % power)" in arm_conclusion(near)


@pytest.mark.parametrize("most", [0, 1, 7, 1000])
def test_the_largest_number_that_fits_is_found(most: int) -> None:
    assert largest(lambda seeds: seeds <= most, 1000) == most


@pytest.fixture
def plan_command(command: Command, tmp_path: Path) -> Command:
    return partial(command, "plan", "study=article", f"results_dir={tmp_path}")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("power=0.8", "power = 0.8: no pilot runs of study 'article'"),
        ("power=1", "power = 1: a probability between 0 and 1"),
        ("power=high", "power = high: a probability between 0 and 1"),
        ("difference=40", "difference = 40.0: goes with power"),
        ("minutes=0", "minutes = 0: a number of minutes above 0"),
        ("minutes=nan", "minutes = nan: a number of minutes above 0"),
    ],
)
def test_what_cannot_be_answered_is_one_line(plan_command: Any, word: str, said: str) -> None:
    printed = plan_command(word, status=2)
    assert printed.startswith(f"error: {said}")
    assert printed.count("\n") == 1


def test_minutes_say_how_many_seeds_fit(plan_command: Any, tmp_path: Path) -> None:
    plain = json.loads(plan_command("--json"))
    speeds = {arm["cell"]: {"seconds": 1e-4, "lanes": 1} for arm in plain["arms"]}
    write_json(tmp_path / "calibration.json", {platform.node(): speeds})
    few, more = (
        json.loads(plan_command("--json", f"minutes={minutes}"))["seeds_within_minutes"]
        for minutes in (5, 60)
    )
    assert 0 < few < more
    words = ("--json", f"study.seeds={few}")
    assert json.loads(plan_command(*words))["estimated_seconds"] <= 300
    words = ("--json", f"study.seeds={few + 1}")
    assert json.loads(plan_command(*words))["estimated_seconds"] > 300
    assert plan_command("minutes=5") == f"5 minutes: enough for about {few} seeds an arm\n"
    none = plan_command("minutes=0.01")
    assert none.startswith("0.01 minutes: too few: one seed of every arm takes about 0:")


def test_a_question_of_minutes_measures_what_it_needs_to_know(
    plan_command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def calibrate(store: Store, cells: Sequence[tuple[Cell, int]], _: str) -> None:
        measured.append([cell.name for cell, _ in cells])
        speeds = {cell.name: {"seconds": 1e-4, "lanes": 1} for cell, _ in cells}
        write_json(store.root / "calibration.json", {platform.node(): speeds})

    monkeypatch.setattr(forecast, "calibrate", calibrate)
    assert "5 minutes: enough for about" in plan_command("minutes=5")
    assert len(measured) == 1
