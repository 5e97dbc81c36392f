"""Comparisons of a made store: differences, families, what is best, designs, and what is missing."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from ablation.results.load import StudyNotFound, StudyRuns, load
from ablation.store.runs import RunKey, Store
from ablation.study.plan import Arm
from analysis.effects.aggregates import across_environments
from analysis.effects.comparisons import Comparison, compare
from analysis.effects.design_grid import design_grid
from analysis.effects.factorial_effects import factorial_effects, pruned_levels
from analysis.report.report import open_results, study_tables
from analysis.tables.answers import answers_by_factor
from analysis.tables.wording import summary

from .analysis_helpers import COMPONENTS, CROSSED, SEEDS, STUDY, make_store, noise, outcome


@pytest.fixture
def results(tmp_path: Path) -> Path:
    make_store(tmp_path, STUDY, outcome)
    return tmp_path


def by_name(runs: StudyRuns, score: str = "final") -> dict[str, Comparison]:
    return {row.arm.name: row for row in compare(runs, score)}


def test_comparisons_count_what_there_is_and_mark_what_is_not(results: Path) -> None:
    rows = by_name(load("s", results))
    assert rows["baseline"].difference is None
    lower = rows["capacity=16"]
    assert lower.significant
    assert lower.difference is not None
    differences = [noise("capacity=16", seed) - noise("baseline", seed) for seed in range(SEEDS)]
    assert lower.difference.value == pytest.approx(-50 + np.mean(differences))
    assert lower.difference.low < lower.difference.value < lower.difference.high < 0
    assert rows["capacity=500"].mean.n == 3
    assert rows["capacity=500"].statuses == {"complete": 3, "missing": 3}
    assert not rows["replay=none"].significant
    assert rows["replay=none"].statuses == {"failed": 1, "missing": 5}
    assert rows["replay=none"].mean.n == 0


def test_the_best_and_what_is_not_significantly_different_stand_out(results: Path) -> None:
    rows = by_name(load("s", results))
    assert {name for name, row in rows.items() if row.among_best} == {"baseline", "capacity=500"}


def test_where_less_is_better_the_smallest_stands_out_and_improves(tmp_path: Path) -> None:
    def steps(arm: Arm, seed: int) -> float:
        return (2000 if arm.name == "capacity=16" else 600) + 300 * math.sin(seed)

    make_store(tmp_path, STUDY, steps)
    rows = by_name(load("s", tmp_path), "steps_to_threshold")
    quick = rows["capacity=16"]
    assert quick.difference is not None
    assert quick.difference.value < 0
    assert quick.among_best
    assert not rows["baseline"].among_best
    assert quick.improvement is not None
    assert quick.improvement.value == 1
    assert summary([*rows.values()]).startswith("Significantly better than the baseline: capacity=16.")


def test_censored_runs_are_counted(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, lambda arm, seed: 480.0 if seed % 2 else 400.0)
    rows = by_name(load("s", tmp_path), "steps_to_threshold")
    assert rows["baseline"].censored == 3
    assert rows["baseline"].mean.value == np.mean([200, 500])
    assert by_name(load("s", tmp_path), "final")["baseline"].censored == 0


def test_shares_are_compared_by_wilsons_and_newcombes_intervals_and_exactly(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, lambda arm, seed: 500.0 if arm.name == "capacity=16" else 1.0)
    rows = by_name(load("s", tmp_path), "reached_threshold")
    assert rows["baseline"].mean.value == 0
    assert rows["baseline"].mean.high == pytest.approx(0.39, abs=0.01)
    solved = rows["capacity=16"]
    assert solved.difference is not None
    assert (solved.difference.value, solved.difference.high) == (1, 1)
    assert solved.difference.low < 0.6
    # All six pairs one way, two-sided, corrected for three arms.
    assert solved.p_value == pytest.approx(3 * 2 / 2**6)
    assert not solved.significant


def test_arms_of_one_cell_are_one_test(results: Path) -> None:
    runs = load("s", results)
    twin = dataclasses.replace(runs.plan.arms[1], name="twin")
    same = dataclasses.replace(runs.plan.arms[0], name="same", role="arm")
    plan = dataclasses.replace(runs.plan, arms=[*runs.plan.arms, twin, same])
    rows = by_name(dataclasses.replace(runs, plan=plan))
    assert rows["twin"].p_value == rows["capacity=16"].p_value == by_name(runs)["capacity=16"].p_value
    assert rows["same"].difference is None


def test_a_crossed_design_gets_main_effects_and_interactions(tmp_path: Path) -> None:
    def level(arm: Arm, seed: int) -> float:
        less = 20 if arm.levels.get("capacity") == "16" else 0
        more = {"2": -7, "16": 5}.get(arm.levels.get("batch", "8"), 0)
        return 100 + less * -1 + more + math.sin(seed) + 0.1 * math.cos(seed * len(arm.name))

    make_store(tmp_path, CROSSED, level)
    found = {tuple(e.levels.items()): e for e in factorial_effects(load("crossed", tmp_path), "final")}
    assert len(found) == 1 + 2 + 2
    assert found[("capacity", "16"),].difference.value == pytest.approx(-20, abs=0.3)
    assert found[("capacity", "16"),].significant
    assert found[("batch", "2"),].difference.value == pytest.approx(-7, abs=0.3)
    interaction = found[("capacity", "16"), ("batch", "2")]
    assert interaction.difference.value == pytest.approx(0, abs=0.5)


def test_one_factor_at_a_time_has_no_effects_of_crossing(results: Path) -> None:
    assert factorial_effects(load("s", results), "final") == []


def test_levels_name_the_baselines_and_order_the_rest_as_the_study_does(results: Path) -> None:
    found = design_grid(load("s", results), "CartPole-v1")
    assert found.factors == {"capacity": ["64", "16", "500", "1000"], "replay": ["uniform", "none"]}
    # Merged into what trains the same.
    assert found.along("capacity")["1000"].name == "capacity=500"
    assert not found.complete
    assert not found.has_only_components


def test_a_merged_arm_with_a_name_of_its_own_stays_in_the_grid(tmp_path: Path) -> None:
    arms = [
        {"name": "large", "levels": {"capacity": 500}},
        {"name": "largest", "levels": {"capacity": 1000}},
    ]
    make_store(tmp_path, STUDY | {"design": [{"design": "arms", "arms": arms}]}, lambda arm, seed: 1.0)
    runs = load("s", tmp_path)
    assert [(merged.name, merged.into) for merged in runs.plan.merged] == [("largest", "large")]
    along = design_grid(runs, "CartPole-v1").along("capacity")
    assert {level: arm.name for level, arm in along.items()} == {
        "baseline": "baseline",
        "500": "large",
        "1000": "large",
    }


def test_components_are_factors_that_are_there_or_not(tmp_path: Path) -> None:
    make_store(tmp_path, COMPONENTS, lambda arm, seed: 1.0)
    runs = load("components", tmp_path)
    found = design_grid(runs, "CartPole-v1")
    assert found.has_only_components
    assert [found.levels_of(arm) for arm in runs.plan.arms] == [
        ("on", "on"),
        ("off", "on"),
        ("on", "off"),
    ]


def test_a_sentence_for_each_factor_says_what_is_significant(results: Path) -> None:
    runs = load("s", results)
    rows = compare(runs, "final")
    found = dict(answers_by_factor(rows, design_grid(runs, "CartPole-v1"), []))
    assert list(found) == ["capacity", "replay"]
    effect = "-49.94 [-50.39, -49.48], n = 6, p <0.001"
    assert f"16 is significantly lower than the baseline ({effect})" in found["capacity"]
    assert "500 is inconclusive (" in found["capacity"]
    assert "minimum detectable effect at n = 3: " in found["capacity"]
    assert "no effect" not in found["capacity"]
    assert found["replay"] == "none has no runs to compare (1 failed, 5 missing)."
    assert summary(rows) == (
        "Significantly worse than the baseline: capacity=16. 1 of 2 arms is inconclusive."
    )


def test_a_verdict_says_which_arms_are_worse_and_better_the_furthest_first(tmp_path: Path) -> None:
    rates = {"key": "agent.learning_rate", "levels": [at / 1000 for at in range(1, 11)]}
    study = STUDY | {"baseline": {"agent.learning_rate": 0.004}, "factors": {"rate": rates}}

    def level(arm: Arm, seed: int) -> float:
        return 1e4 * float(arm.levels.get("rate", 0.004)) + noise(arm.name, seed)

    make_store(tmp_path, study, level)
    assert summary(compare(load("s", tmp_path), "final")) == (
        "Significantly worse than the baseline: rate=0.001; rate=0.002; rate=0.003. "
        "Better: rate=0.01; rate=0.009; rate=0.008; rate=0.007; and 2 more."
    )


def test_aggregates_need_runs_in_every_environment(tmp_path: Path) -> None:
    def level(arm: Arm, seed: int) -> float | str:
        if arm.env_id == "Acrobot-v1":
            return "missing" if arm.name == "capacity=16" else -300.0 + seed
        return 300.0 + seed

    make_store(tmp_path, STUDY | {"environments": ["CartPole-v1", "Acrobot-v1"]}, level)
    found = {row.name: row for row in across_environments(load("s", tmp_path), "final")}
    assert set(found) == {"baseline", "capacity=500", "replay=none"}
    assert found["baseline"].aggregates["iqm"].n == 2 * SEEDS
    assert across_environments(load("s", tmp_path), "steps_to_threshold") == []


def test_damaged_rows_are_unreadable_not_zero(results: Path) -> None:
    runs = load("s", results)
    baseline = runs.plan.arms[0]
    store = Store(results)
    torn = store.run_directory(RunKey(baseline.cell, 0)) / "evaluations.parquet"
    torn.write_bytes(torn.read_bytes()[:40])
    (store.run_directory(RunKey(baseline.cell, 1)) / "run.json").write_text('{"status": "comp')
    (store.run_directory(RunKey(baseline.cell, 2)) / "episodes.parquet").unlink()
    again = load("s", results)
    assert again.statuses(baseline) == {"unreadable": 3, "complete": SEEDS - 3}
    assert compare(again, "final")[0].mean.n == SEEDS - 3


def test_tables_of_other_columns_are_unreadable(results: Path) -> None:
    runs = load("s", results)
    key = RunKey(runs.plan.arms[0].cell, 0)
    source = Store(results).run_directory(key)
    (source / "episodes.parquet").replace(source / "evaluations.parquet")
    (source / "evaluations.parquet").with_name("episodes.parquet").write_bytes(b"")
    assert load("s", results).runs[key].status == "unreadable"


def test_an_unknown_or_broken_study_is_refused_by_name(results: Path) -> None:
    with pytest.raises(StudyNotFound, match="there are: s"):
        load("t", results)
    plan = results / "studies/s/plan.json"
    plan.write_text('{"study": {"name": "s"}}')
    with pytest.raises(StudyNotFound, match=r"plan\.json is no plan"):
        load("s", results)
    plan.write_text("{")
    with pytest.raises(StudyNotFound, match="cannot be read"):
        load("s", results)


def three_by_three(**changes: Any) -> dict[str, Any]:
    factors = {
        "capacity": {"key": "replay.capacity", "levels": [16, 64, 128]},
        "batch": {"key": "agent.batch_size", "levels": [2, 8, 16]},
    }
    return CROSSED | {"factors": factors} | changes


def test_a_pruned_design_keeps_its_contrasts_over_the_complete_part(tmp_path: Path) -> None:
    rule = {"forbid": {"capacity": 16, "batch": 16}, "reason": "too few transitions"}
    seeds = [math.sin(seed) for seed in range(SEEDS)]

    def level(arm: Arm, seed: int) -> float:
        more = {"2": -7.0, "16": 5.0}.get(arm.levels.get("batch", "8"), 0.0)
        less = {"16": -20.0, "128": 3.0}.get(arm.levels.get("capacity", "64"), 0.0)
        return 100 + more + less + seeds[seed] * (1 + 0.01 * len(arm.name))

    make_store(tmp_path, three_by_three(constraints=[rule]), level)
    runs = load("crossed", tmp_path)
    found = {tuple(effect.levels.items()): effect for effect in factorial_effects(runs, "final")}
    # One of the two levels of the pruned combination goes: of equally complete ones the first.
    assert set(found) == {
        (("capacity", "128"),),
        (("batch", "2"),),
        (("batch", "16"),),
        (("capacity", "128"), ("batch", "2")),
        (("capacity", "128"), ("batch", "16")),
    }
    assert found[("batch", "16"),].difference.value == pytest.approx(5, abs=0.2)
    assert found[("capacity", "128"),].difference.value == pytest.approx(3, abs=0.2)
    (sentence,) = pruned_levels(runs)
    assert "without capacity=16: capacity=16, batch=16 is pruned (too few transitions)" in sentence
    tables = study_tables(open_results(tmp_path, "crossed", None))
    assert sentence in tables["effects"].notes


def test_a_design_without_pruned_combinations_leaves_nothing_out(tmp_path: Path) -> None:
    make_store(tmp_path, three_by_three(), lambda arm, seed: 100 + noise(arm.name, seed))
    runs = load("crossed", tmp_path)
    assert len(factorial_effects(runs, "final")) == 2 + 2 + 4
    assert pruned_levels(runs) == []


def test_effects_that_are_zero_because_combinations_were_merged_are_not_listed(tmp_path: Path) -> None:
    rule = {"collapse": ["batch"], "when": {"capacity": [16, 64]}, "reason": "no batch there"}
    factors = {
        "capacity": {"key": "replay.capacity", "levels": [16, 64]},
        "batch": {"key": "agent.batch_size", "levels": [2, 8]},
        "speed": {"key": "agent.learning_rate", "levels": [0.001, 0.01]},
    }
    study = CROSSED | {"factors": factors, "constraints": [rule], "baseline": {"agent.batch_size": 8}}
    study["baseline"] |= {"replay.capacity": 64, "agent.learning_rate": 0.001}
    make_store(tmp_path, study, lambda arm, seed: 100 + noise(arm.name, seed))
    found = [effect.levels for effect in factorial_effects(load("crossed", tmp_path), "final")]
    assert found == [
        {"capacity": "16"},
        {"speed": "0.01"},
        {"capacity": "16", "speed": "0.01"},
    ]


def test_a_factor_named_like_a_column_overwrites_none(tmp_path: Path) -> None:
    factors = {
        name: {"key": key, "levels": [16, 32]}
        for name, key in {"seed": "replay.capacity", "final": "agent.target_update_period"}.items()
    }
    make_store(tmp_path, STUDY | {"factors": factors}, lambda arm, seed: 300.0 + seed)
    frame = analysis.load("s", tmp_path).scores()
    assert sorted(set(frame["seed"])) == list(range(6))
    assert set(frame["final"]) == {300.0 + seed for seed in range(6)}
    assert set(frame["factor seed"]) >= {"16", "32"}
    assert set(frame["factor final"]) >= {"16", "32"}
