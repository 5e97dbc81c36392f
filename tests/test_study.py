"""A study file becomes arms and cells: designs, merging, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ablation.config.cell import Cell
from ablation.config.parse import parse
from ablation.config.validation import ConfigError
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.expand import expand
from ablation.study.plan import plan_from_json
from ablation.sweep.inventory import read_inventory

from .analysis_helpers import resolve
from .conftest import values
from .studies import study


def test_one_factor_at_a_time_changes_one_factor_and_merges_equal_arms() -> None:
    plan = expand(study(), resolve)
    assert [arm.name for arm in plan.arms] == ["baseline", "capacity=16", "capacity=500", "kind=off"]
    assert [arm.role for arm in plan.arms] == ["baseline", "arm", "arm", "arm"]
    assert {merged.name: merged.into for merged in plan.merged} == {
        "capacity=64": "baseline",
        # The run is 200 steps long, so both keep everything.
        "capacity=1000": "capacity=500",
        "kind=small": "capacity=16",
    }
    assert all(merged.reason for merged in plan.merged)


def test_factorial_takes_every_combination() -> None:
    factors = {
        "capacity": {"key": "replay.capacity", "levels": [16, 64]},
        "batch": {"key": "agent.batch_size", "levels": [2, 4, 8]},
    }
    plan = expand(study(design="factorial", factors=factors), resolve)
    assert len(plan.cells) == 6
    assert plan.arms[0].role == "baseline"
    assert {tuple(arm.levels) for arm in plan.arms[1:]} == {("capacity", "batch")}
    assert [merged.into for merged in plan.merged] == ["baseline"]


def test_environments_have_arms_of_their_own() -> None:
    plan = expand(study(environments=["CartPole-v1", "Acrobot-v1"]), resolve)
    assert len(plan.arms) == 8
    assert sum(arm.role == "baseline" for arm in plan.arms) == 2


def test_runs_are_cells_times_seeds_and_a_plan_survives_json() -> None:
    plan = expand(study(seeds=[4, 7]), resolve)
    runs = list(plan.runs())
    assert len(runs) == len(set(runs)) == 8
    assert {run.seed for run in runs} == {4, 7}
    assert plan_from_json(plan.as_json()) == plan
    assert plan_from_json(plan.as_json()).hash == plan.hash


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"design": "random"}, "study.design"),
        ({"seeds": 0}, "study.seeds"),
        ({"seeds": [1, 1]}, "study.seeds"),
        ({"seeds": [-1]}, "study.seeds.0"),
        ({"primary_score": "beauty"}, "study.primary_score"),
        ({"factors": {"x": {"levels": [1, 2]}}}, "study.factors.x.key"),
        ({"factors": {"x": {"key": "a", "levels": []}}}, "study.factors.x.levels"),
        ({"environments": []}, "study.environments"),
        ({"name": "../elsewhere"}, "study.name"),
        ({"nam": "s"}, "study.nam"),
    ],
)
def test_a_wrong_study_is_refused_naming_the_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        study(**changes)
    assert refused.value.key == key


def test_a_level_that_makes_an_impossible_cell_is_refused() -> None:
    factors = {"capacity": {"key": "replay.capacity", "levels": [2]}}
    with pytest.raises(ConfigError, match=r"replay\.capacity = 2"):
        expand(study(factors=factors), resolve)


def test_the_inventory_tells_complete_failed_and_missing_apart(tmp_path: Any) -> None:
    store = Store(tmp_path)
    cell = Cell(parse(values()))
    keys = [RunKey(cell.name, seed) for seed in range(3)]
    shared = RunRecord(cell=cell.name, config=cell.canonical)
    store.write_run(replace(shared, seed=0, status="complete"), {})
    error = "Traceback\nValueError: no"
    store.write_run(replace(shared, seed=1, status="failed", error=error), {})
    inventory = read_inventory(store, keys)
    assert list(inventory.statuses.values()) == ["complete", "failed", "missing"]
    assert inventory.to_do == keys[1:]
    assert list(inventory.errors) == [keys[1]]
