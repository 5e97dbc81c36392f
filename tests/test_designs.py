"""Designs name exactly the arms that they promise; what is missing says why."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from ablation.config.validation import ConfigError
from ablation.study.declaration import CONTROL
from ablation.study.expand import expand
from ablation.study.plan import Plan, plan_from_json

from .analysis_helpers import resolve
from .studies import study

COMPONENTS: dict[str, Any] = {
    "double": {"key": "agent.double_q", "levels": [True, False]},
    "loss": {"key": "agent.loss", "levels": ["huber", "squared"]},
    "discount": {"key": "agent.discount", "levels": [0.9, 0.5, 0.99]},
}
FULL = {"agent.double_q": True}
THREE = {
    "batch": {"key": "agent.batch_size", "levels": [2, 4, 8]},
    "capacity": {"key": "replay.capacity", "levels": [16, 32, 64]},
    "rate": {"key": "agent.learning_rate", "levels": [0.1, 0.2]},
}


def plan(**changes: Any) -> Plan:
    return expand(study(**{"factors": COMPONENTS, "baseline": FULL} | changes), resolve)


def names(plan: Plan) -> list[str]:
    return [arm.name for arm in plan.arms]


def with_off(level: float) -> dict[str, Any]:
    return COMPONENTS | {"discount": COMPONENTS["discount"] | {"off": level}}


def test_leave_one_out_takes_each_component_out_of_the_baseline_alone() -> None:
    found = plan(design="leave_one_out", factors=with_off(0.5))
    assert names(found) == ["baseline", "double=False", "loss=squared", "discount=0.5"]
    assert [arm.levels for arm in found.arms[1:]] == [
        {"double": "False"},
        {"loss": "squared"},
        {"discount": "0.5"},
    ]
    cell = found.cells[found.arms[3].cell]["agent"]
    assert (cell["discount"], cell["double_q"], cell["loss"]) == (0.5, True, "huber")


def test_add_one_in_starts_from_none_of_the_components() -> None:
    found = plan(design="add_one_in", factors=with_off(0.5))
    assert names(found) == ["baseline", "bare", "only double", "only loss", "only discount"]
    trained = {
        arm.name: tuple(found.cells[arm.cell]["agent"][key] for key in ("double_q", "loss", "discount"))
        for arm in found.arms
    }
    assert trained == {
        "baseline": (True, "huber", 0.99),
        "bare": (False, "squared", 0.5),
        "only double": (True, "squared", 0.5),
        "only loss": (False, "huber", 0.5),
        "only discount": (False, "squared", 0.99),
    }
    assert found.arms[2].levels == {"loss": "squared", "discount": "0.5"}


def test_a_component_with_several_other_levels_must_say_which_one_is_off() -> None:
    with pytest.raises(ConfigError, match=r"factors\.discount\.off = None: .*0\.9, 0\.5"):
        plan(design="leave_one_out")
    with pytest.raises(ConfigError, match=r"factors\.discount\.off = 7: allowed: 0\.9, 0\.5, 0\.99"):
        plan(design="leave_one_out", factors=with_off(7))


def test_paired_factors_move_together() -> None:
    pair = {name: THREE[name] for name in ("batch", "capacity")}
    found = plan(design="paired", factors=pair, baseline={})
    assert names(found) == ["baseline", "batch=2, capacity=16", "batch=4, capacity=32"]
    assert [merged.name for merged in found.merged] == ["batch=8, capacity=64"]
    with pytest.raises(ConfigError, match=r"design \(entry 1\)\.factors = .*equally many"):
        plan(design="paired", factors=THREE)


def test_an_explicit_list_gives_levels_or_keys_of_its_own() -> None:
    arms = [
        {"levels": {"batch": 4, "rate": 0.2}},
        {"name": "tuned", "overrides": {"agent.adam_epsilon": 0.5}},
        {"name": "slow", "levels": {"rate": 0.1}},
    ]
    found = plan(design=[{"design": "arms", "arms": arms}], factors=THREE, baseline={})
    assert names(found) == ["baseline", "batch=4, rate=0.2", "tuned", "slow"]
    assert found.cells[found.arms[2].cell]["agent"]["adam_epsilon"] == 0.5
    assert found.arms[2].role == "arm"


def test_designs_follow_one_another_and_share_their_arms() -> None:
    designs = ["one_factor_at_a_time", {"design": "factorial", "factors": ["batch", "rate"]}]
    found = plan(design=designs, factors=THREE, baseline={"agent.learning_rate": 0.1})
    assert len(found.cells) == 1 + 2 + 2 + 1 + 2
    assert all(name.count("=") == 1 for name in names(found)[1:6])
    # What both designs ask for is one cell; every other name for it is listed with its arm.
    assert {merged.name: merged.into for merged in found.merged}["batch=2, rate=0.1"] == "batch=2"
    assert plan_from_json(found.as_json()) == found


def test_a_design_in_a_list_is_the_design_alone() -> None:
    assert plan(design=["factorial"]).arms == plan(design="factorial").arms
    assert plan(design="leave_one_out", factors=with_off(0.9)).study.design_in_words == "leave one out"
    several = plan(design=["factorial", "one_factor_at_a_time"]).study
    assert several.design_in_words == "factorial, then one factor at a time"


def test_a_forbidden_combination_is_pruned_with_its_reason() -> None:
    rule = {"forbid": {"batch": [4, 8], "capacity": 16}, "reason": "too small a pool"}
    found = plan(design="factorial", factors=THREE, baseline={}, constraints=[rule])
    every = set(product("248", ("16", "32", "64"), ("0.1", "0.2")))
    gone = {combination for combination in every if combination[1] == "16" and combination[0] in "48"}
    assert {tuple(pruned.levels.values()) for pruned in found.pruned} == gone
    assert {pruned.reason for pruned in found.pruned} == {"too small a pool"}
    shown = {tuple(arm.levels.values()) for arm in found.arms if arm.levels}
    assert shown == every - gone


def test_a_constraint_sees_the_levels_that_a_combination_leaves_at_the_baseline() -> None:
    rule = {"forbid": {"batch": 8, "capacity": 16}, "reason": "the batch is 8 unless said"}
    found = plan(factors=THREE, baseline={}, constraints=[rule])
    assert [pruned.name for pruned in found.pruned] == ["capacity=16"]


def test_a_collapsed_combination_is_one_arm_and_says_why() -> None:
    factors = {"kind": {"key": "replay.kind", "levels": ["none", "uniform"]}, "batch": THREE["batch"]}
    rule = {"collapse": ["batch"], "when": {"kind": "none"}, "reason": "none learns from one"}
    found = plan(design="factorial", factors=factors, baseline={}, constraints=[rule])
    assert names(found) == [
        "baseline",
        "kind=none",
        "kind=uniform, batch=2",
        "kind=uniform, batch=4",
    ]
    collapsed = [merged for merged in found.merged if merged.into == "kind=none"]
    assert [merged.levels["batch"] for merged in collapsed] == ["2", "4", "8"]
    assert {merged.reason for merged in collapsed} == {"none learns from one"}


def test_two_factors_that_set_one_key_differently_are_refused_unless_ruled_out() -> None:
    factors = {
        "batch": THREE["batch"],
        "size": {"levels": {"small": {"agent.batch_size": 2, "replay.capacity": 16}}},
    }
    with pytest.raises(ConfigError, match=r"batch=4 and size=small: both set agent\.batch_size"):
        plan(design="factorial", factors=factors, baseline={})
    rule = {"forbid": {"batch": [4, 8], "size": "small"}, "reason": "one batch size"}
    found = plan(design="factorial", factors=factors, baseline={}, constraints=[rule])
    assert names(found) == ["baseline", "batch=2, size=small"]


def test_the_control_is_the_baseline_on_other_seeds() -> None:
    found = plan(control=True, seeds=[0, 3])
    control = found.arms[-1]
    assert (control.name, control.role, control.seeds) == (CONTROL, "control", [5000, 5003])
    assert control.cell == found.arms[0].cell
    runs = list(found.runs())
    assert len(runs) == len(set(runs)) == 2 * (len(found.cells) + 1)
    assert {run.seed for run in runs if run.cell == control.cell} == {0, 3, 5000, 5003}
    with pytest.raises(ConfigError, match="above each seed"):
        plan(control=True, seeds=[0, 5000])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design": ["factorial", "random"]}, r"design \(entry 2\)\.design = random: .*'factorial'"),
        ({"design": []}, r"study\.design = \[\]: at least one"),
        (
            {"design": [{"design": "factorial", "factors": ["x"]}]},
            r"design \(entry 1\)\.factors = x: factors are",
        ),
        ({"design": "arms"}, r"design \(entry 1\)\.arms = None: goes with"),
        (
            {"design": [{"design": "arms", "arms": [{"levels": {"loss": "x"}}]}]},
            r"arms \(entry 1\)\.levels\.loss = x: allowed: huber, squared",
        ),
        (
            {"design": [{"design": "arms", "arms": [{"overrides": {"agent.discount": 1}}]}]},
            r"arms \(entry 1\)\.name = None",
        ),
        ({"constraints": [{"reason": "r"}]}, r"constraints \(entry 1\) = r: takes either"),
        (
            {"constraints": [{"forbid": {"loss": "x"}, "reason": "r"}]},
            r"constraints \(entry 1\)\.loss = x",
        ),
        (
            {"constraints": [{"collapse": ["loss"], "reason": "r"}]},
            r"constraints \(entry 1\)\.when = None",
        ),
        (
            {"constraints": [{"forbid": {"loss": "huber"}}]},
            r"constraints \(entry 1\)\.reason = .*required",
        ),
        ({"control": "yes"}, r"study\.control = yes: must be true or false"),
        (
            {"design": [{"design": "factorial", "fork": {"at": 0.5, "factors": ["loss"]}}]},
            r"design \(entry 1\)\.fork\.factors = .*: unknown key; did you mean .*\.fork\.at\?",
        ),
        (
            {"design": [{"design": "factorial", "fork": {"att": 0.5}}]},
            r"design \(entry 1\)\.fork\.att = 0\.5: unknown key; did you mean .*\.fork\.at\?",
        ),
        (
            {"factors": {"loss": {"key": "agent.loss", "level": ["huber"]}}},
            r"factors\.loss\.level = .*: unknown key; did you mean study\.factors\.loss\.levels\?",
        ),
        ({"factors": {"loss": {"levels": 5}}}, r"study\.factors\.loss\.levels = 5: must be a list"),
        ({"seeds": "ten"}, r"study\.seeds = ten: must be how many seeds, 1 or more, or a list of seeds"),
        ({"name": "a b"}, r"study\.name = a b: must be letters, digits, '\.', '_' and '-', first a"),
    ],
)
def test_a_wrong_design_is_refused_naming_the_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(**changes)


@pytest.mark.parametrize("name", ["baseline", CONTROL])
def test_no_arm_has_the_name_of_the_baseline_or_its_control(name: str) -> None:
    arms = [{"name": name, "levels": {"capacity": "16"}}]
    with pytest.raises(
        ConfigError, match=rf"study\.design \(entry 1\)\.arms \(entry 1\)\.name = {name}: is the name of"
    ):
        plan(design=[{"design": "arms", "arms": arms}], factors=THREE, baseline={}, control=True)
