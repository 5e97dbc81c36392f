"""Two stages: every level on tuning seeds, then the level that each arm chose on fresh ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablation.config.validation import ConfigError
from ablation.results.load import read
from ablation.results.tuning_choices import best, choices
from ablation.store.runs import Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.study.plan import Arm, Plan, plan_from_json
from ablation.study.tuning import reported_plan, tuning_plan, undecided, with_waiting
from analysis.figures.draw import draw_figures
from analysis.report.report import open_results, study_tables
from analysis.studies.registry import FIGURE_KINDS

from .analysis_helpers import TUNED, make_store, resolve, write_plan
from .sweeps import SHORT, WITHOUT_REPORT, run

STUDY: dict[str, Any] = TUNED | {"seeds": [0, 1], "tune": {"factor": "rate", "seeds": [7, 8]}}
BEST = {
    ("CartPole-v1", "baseline"): "0.1",
    ("CartPole-v1", "capacity=16"): "0.001",
    ("Acrobot-v1", "baseline"): "0.01",
    ("Acrobot-v1", "capacity=16"): "0.1",
}


def plan_of(**changes: Any) -> Plan:
    return expand(parse_study(STUDY | changes), resolve)


def outcome(arm: Arm, seed: int) -> float:
    hit = BEST[arm.environment, arm.candidate_of or ""] == arm.levels["rate"]
    return (50.0 if hit else 40.0) + seed


def chosen(store: Store, tuning: Plan) -> Any:
    return list(choices(read(tuning, store), "rate"))


def rate(plan: Plan, arm: Arm) -> float:
    return float(plan.cells[arm.cell]["agent"]["learning_rate"])


def test_the_first_stage_crosses_every_arm_with_every_level_on_tuning_seeds() -> None:
    plan = plan_of()
    tuning = tuning_plan(plan, resolve)
    assert tuning.study.name == "t-tuning"
    assert [arm.name for arm in tuning.arms if arm.environment == "CartPole-v1"] == [
        "baseline",
        "rate=0.001",
        "rate=0.1",
        "capacity=16, rate=0.001",
        "capacity=16, rate=0.01",
        "capacity=16, rate=0.1",
    ]
    assert {tuple(arm.seeds) for arm in tuning.arms} == {(7, 8)}
    assert len(tuning.cells) == 12
    assert all(rate(tuning, arm) == float(arm.levels["rate"]) for arm in tuning.arms)
    assert tuning.arms[0].cell == plan.arms[0].cell, "the baseline stands for its own level"
    assert plan_from_json(tuning.as_json()) == tuning


def test_the_second_stage_has_each_arm_at_its_own_choice_on_the_studys_seeds(tmp_path: Path) -> None:
    plan = plan_of(control=True)
    tuning, store = tuning_plan(plan, resolve), Store(tmp_path)
    write_plan(store, tuning, outcome)
    found = chosen(store, tuning)
    assert {(choice.environment, choice.arm): choice.level for choice in found} == BEST
    reported = reported_plan(plan, found, resolve)
    assert [(arm.name, arm.environment) for arm in reported.arms] == [
        (arm.name, arm.environment) for arm in plan.arms
    ]
    for arm in reported.arms:
        name = "baseline" if arm.role == "control" else arm.name
        assert rate(reported, arm) == float(BEST[arm.environment, name])
        assert not set(arm.seeds) & {7, 8}
    assert not undecided(plan, found)
    assert not {*tuning.runs()} & {*reported.runs()}
    assert plan_from_json(reported.as_json()) == reported
    assert reported.hash != plan.hash, "the choice is part of the plan"
    cartpole = found[0]
    assert cartpole.means == {"0.001": 47.5, "0.01": 47.5, "0.1": 57.5}
    assert cartpole.n == dict.fromkeys(cartpole.means, 2)
    assert cartpole.at_the_edge


def test_the_table_shows_the_chosen_level_and_the_figure_both_stages(tmp_path: Path) -> None:
    one = STUDY | {"environments": ["CartPole-v1"], "control": True}
    make_store(tmp_path, one, outcome, lambda arm, seed: 80.0 + 4 * seed)
    results = open_results(tmp_path, "t", None)
    table = study_tables(results)["table"]
    assert table.headings[:2] == ["arm", "rate"]
    rates = {row[0].text: (row[1].text, row[1].marks) for row in table.rows}
    assert rates == {
        name: (f"{level} (100 %)", "b")
        for name, level in {
            "baseline": "0.1",
            "capacity=16": "0.001",
            "baseline again": "0.1",
        }.items()
    }
    assert table.footnotes[1] == "b: chosen at the edge of the levels tried"
    (drawn,) = draw_figures(results, FIGURE_KINDS["sensitivity"])
    for words in (
        "baseline, tuning seeds: 0.001 48 [41, 54], n = 2; 0.01 48",
        "chosen 0.1, fresh seeds: 82 [57, 107], n = 2.",
        "chosen 0.001, fresh seeds",
    ):
        assert words in drawn.description
    axis = drawn.figure.axes[0]
    tuned = [line for line in axis.lines if len(line.get_xdata()) == 3]
    assert len(tuned) == 2
    fresh = [line for line in axis.lines if line.get_markersize() == 6 and line.get_marker() != "None"]
    assert sorted(round(float(line.get_xdata()[0])) for line in fresh) == [0, 2]
    runs = [line.get_ydata() for line in axis.lines if line.get_markersize() == 2.2]
    assert [np.asarray(each).tolist() for each in runs] == [[80, 84]] * 2


def test_an_arm_is_chosen_for_when_all_of_its_tuning_runs_have_ended(tmp_path: Path) -> None:
    plan = plan_of()
    tuning, store = tuning_plan(plan, resolve), Store(tmp_path)

    def incomplete(arm: Arm, seed: int) -> float | str:
        lost = arm.candidate_of == "baseline" if arm.environment == "Acrobot-v1" else arm.name
        return "failed" if lost in (True, "capacity=16, rate=0.1") and seed == 8 else outcome(arm, seed)

    write_plan(store, tuning, incomplete)
    found = chosen(store, tuning)
    assert {(c.environment, c.arm) for c in found} == {
        ("CartPole-v1", "baseline"),
        ("Acrobot-v1", "capacity=16"),
    }
    reported = reported_plan(plan, found, resolve)
    assert [(arm.environment, arm.name) for arm in reported.arms] == [("CartPole-v1", "baseline")]
    waiting = undecided(plan, found)
    assert [(arm.environment, arm.name) for arm in waiting] == [
        ("CartPole-v1", "capacity=16"),
        ("Acrobot-v1", "baseline"),  # and nothing is compared with a baseline that is not there
        ("Acrobot-v1", "capacity=16"),
    ]
    assert len(with_waiting(reported, plan, waiting).arms) == len(plan.arms)


def test_the_best_mean_is_the_smallest_where_less_is_better_and_the_first_among_equals() -> None:
    means = {"a": None, "b": 2.0, "c": 3.0, "d": 3.0, "e": 2.0}
    assert best(means, higher_is_better=True) == "c"
    assert best(means, higher_is_better=False) == "b"
    assert best({"a": None}, higher_is_better=True) is None


def test_tuning_seeds_given_by_number_lie_apart_from_reported_ones() -> None:
    assert parse_study(STUDY | {"tune": {"factor": "rate", "seeds": 2}}).tune.seeds == [10_000, 10_001]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tune": {"factor": "rate", "seeds": [1, 2]}}, r"tune\.seeds = \[1, 2\]: .*both stages have 1"),
        (
            {"tune": {"factor": "rate", "seeds": [5001]}, "control": True},
            r"tune\.seeds = \[5001\]: .*5001",
        ),
        ({"factors": {"rate": {"key": "agent.learning_rate", "levels": [1, 1]}}}, "every level once"),
        ({"tune": {"factor": "rate", "seeds": [5, 5]}}, r"tune\.seeds = \[5, 5\]: every seed once"),
        ({"tune": {"factor": "size", "seeds": 1}}, r"tune\.factor = size: factors are: capacity, rate"),
        ({"tune": {"factor": "rate"}}, r"study\.tune\.seeds = \(missing\)"),
        ({"tune": {"factor": "rate", "seeds": 1, "rule": "luck"}}, r"study\.tune\.rule = luck"),
        (
            {"design": [{"design": "factorial", "factors": ["capacity", "rate"]}]},
            r"design \(entry 1\)\.factors = rate: is tuned",
        ),
        (
            {"constraints": [{"forbid": {"rate": 0.1}, "reason": "?"}]},
            r"constraints \(entry 1\) = rate: is tuned",
        ),
        (
            {
                "factors": STUDY["factors"]
                | {"fast": {"levels": {"yes": {"agent.learning_rate": 1.0}, "no": {}}}}
            },
            r"factors\.fast = yes: sets agent\.learning_rate, which rate tunes",
        ),
    ],
)
def test_a_study_that_cannot_be_tuned_as_it_says_is_refused(
    changes: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_study(STUDY | dict(changes))


def test_a_sweep_trains_both_stages_and_what_is_there_only_once(tmp_path: Path) -> None:
    words = [
        "study=adhoc",
        "study.seeds=1",
        "study.design=one_factor_at_a_time",
        "+study.factors.kind={key: replay, levels: [none, uniform]}",
        "+study.factors.rate={key: agent.learning_rate, levels: [0.001, 0.01]}",
        "+study.tune={factor: rate, seeds: 1}",
        f"results_dir={tmp_path}",
        "agent.learning_rate=0.001",
        *SHORT,
        "launch.jobs=1",
        "tracking=disabled",
    ]
    planned = run("plan", *words)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.count("known after tuning") == 2
    part = run(*words, "only=baseline", module=WITHOUT_REPORT)
    assert part.returncode == 0, part.stderr
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/run.json")}
    assert sorted(path.parent.name for path in before) == ["0000", "10000", "10000"]
    whole = run(*words)
    assert whole.returncode == 0, whole.stderr
    after = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/run.json")}
    assert {path: after[path] for path in before} == before
    assert sorted(path.parent.name for path in after) == ["0000", "0000", *["10000"] * 4]
    stored = {path.parent.name for path in tmp_path.glob("studies/*/plan.json")}
    assert stored == {"adhoc", "adhoc-tuning"}
    assert "known after tuning" not in run("plan", *words).stdout
