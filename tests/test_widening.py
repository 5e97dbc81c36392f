"""Tuning that says how sure it is: certainty, levels beyond an edge, equal effort."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from ablation.config.validation import ConfigError
from ablation.results.tuning_choices import certainty
from ablation.store.runs import Store
from ablation.study.declaration import parse_study
from ablation.study.designs import Factor
from ablation.study.expand import expand
from ablation.study.plan import Arm, Plan, plan_from_json
from ablation.study.tuning import tuning_plan
from ablation.study.widening import widened
from ablation.sweep.config import SweepConfig
from ablation.sweep.observer import SweepObserver
from ablation.sweep.stages import Stages, stages_of, sweep
from analysis.figures.draw import draw_figures
from analysis.report.lint import lint
from analysis.report.report import open_results, study_tables
from analysis.studies.registry import FIGURE_KINDS

from .analysis_helpers import TUNED, resolve, write_plan
from .sweeps import SHORT, WITHOUT_REPORT, run

STUDY: dict[str, Any] = TUNED | {
    "name": "w",
    "environments": ["CartPole-v1"],
    "tune": {"factor": "rate", "seeds": [70, 71], "widen": 1},
}
BEST = {"baseline": 0.01, "capacity=16": 0.01}


def plan_of(**changes: Any) -> Plan:
    return expand(parse_study(STUDY | changes), resolve)


def peak(best: Mapping[str, float]) -> Any:
    """Return an outcome that falls with the distance of the rate from each arm's best one."""

    def outcome(arm: Arm, seed: int) -> float:
        rate = float(arm.overrides["agent.learning_rate"])
        own = best[arm.candidate_of or arm.name]
        return 100 - 10 * abs(math.log10(rate / own)) + seed % 2

    return outcome


class Silent(SweepObserver):
    """Prints nothing."""


def trained(root: Path, best: Mapping[str, float], **changes: Any) -> tuple[Stages, list[Plan]]:
    """Sweep a study with made runs; return its stages and the plans in the order of their training."""
    stages, store, order = stages_of(plan_of(**changes), resolve), Store(root), []

    def train(plan: Plan) -> int:
        order.append(plan)
        write_plan(store, plan, peak(best))
        return 0

    config = cast(SweepConfig, SimpleNamespace(only=None))
    assert sweep(stages, config, store, train, Silent()) == 0
    return stages, order


@pytest.mark.parametrize(
    ("levels", "number", "expected"),
    [
        ([0.001, 0.01, 0.1], 1, ["0.0001", "0.001", "0.01", "0.1", "1.0"]),
        ([0.00025, 0.001, 0.004], 1, ["6.25e-05", "0.00025", "0.001", "0.004", "0.016"]),
        ([0.004, 0.001], 1, ["0.016", "0.004", "0.001", "0.00025"]),
        ([0.1, 0.2, 0.3], 2, ["-0.1", "0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        ([2, 8, 32], 2, ["2", "8", "32", "128", "512"]),
        ([16, 32, 64], 1, ["8", "16", "32", "64", "128"]),
        ([0.001, 0.003, 0.01], 1, ["0.00033", "0.001", "0.003", "0.01", "0.033"]),
    ],
)
def test_levels_go_on_by_their_ratio_or_their_step(
    levels: list[float], number: int, expected: list[str]
) -> None:
    found = widened(Factor(levels, "agent.learning_rate"), number)
    assert found is not None
    assert list(found) == expected
    assert all(x["agent.learning_rate"] == float(n) for n, x in found.items())


def test_named_levels_of_one_key_keep_their_names() -> None:
    named = {"2^-3": {"a.b": 0.125}, "2^-2": {"a.b": 0.25}}
    assert list(widened(Factor(named), 1) or ()) == ["0.0625", "2^-3", "2^-2", "0.5"]


@pytest.mark.parametrize(
    "factor",
    [
        Factor(["uniform", "none"], "replay"),
        Factor([False, True], "replay.combined"),
        Factor([0.1, 0.01, 0.05], "agent.learning_rate"),
        Factor([0.1], "agent.learning_rate"),
        Factor({"a": {}, "b": {"agent.learning_rate": 0.1}}),
        Factor({"a": {"x": 1, "y": 1}, "b": {"x": 2, "y": 2}}),
        Factor({"a": {"x": 1}, "b": {"y": 2}}),
    ],
)
def test_widening_a_factor_without_order_is_refused(factor: Factor) -> None:
    assert widened(factor, 1) is None
    factors = STUDY["factors"] | {"rate": {"levels": factor.levels, "key": factor.key}}
    with pytest.raises(ConfigError, match=r"study\.tune\.widen = 1: .*rate has no such order"):
        parse_study(STUDY | {"factors": factors})


def test_a_choice_within_the_levels_trains_nothing_more(tmp_path: Path) -> None:
    _, order = trained(tmp_path, BEST)
    assert [plan.study.name for plan in order] == ["w-tuning", "w"]


def test_the_figure_of_sensitivity_has_levels_below_an_edge_in_their_place(tmp_path: Path) -> None:
    trained(tmp_path, BEST | {"capacity=16": 0.0001})
    (drawn,) = draw_figures(open_results(tmp_path, "w", None), FIGURE_KINDS["sensitivity"])
    (axis,) = drawn.figure.axes
    names = [text.get_text() for text in axis.get_xticklabels()]
    assert names == ["0.0001", "0.001", "0.01", "0.1"]


def test_a_choice_at_the_edge_tries_the_levels_beyond_it_and_no_others(tmp_path: Path) -> None:
    stages, order = trained(tmp_path, BEST | {"capacity=16": 1.0})
    first, second, reported = order
    new = {*second.runs()} - {*first.runs()}
    assert {*first.runs()} < {*second.runs()}
    added = [arm for arm in second.arms if {key.cell for key in new} & {arm.cell}]
    assert [(arm.candidate_of, arm.levels["rate"]) for arm in added] == [("capacity=16", "1.0")]
    assert len(new) == 2
    assert plan_from_json(second.as_json()) == second
    choices = {choice.arm: choice for choice in reported.choices}
    assert choices["capacity=16"].level == "1.0"
    assert choices["capacity=16"].widened == ["1.0"]
    assert choices["baseline"].widened == []
    assert choices["capacity=16"].at_the_edge, "the best level lies at the new edge, which is named"
    chosen = next(arm for arm in reported.arms if arm.name == "capacity=16")
    assert reported.cells[chosen.cell]["agent"]["learning_rate"] == 1.0
    assert plan_from_json(reported.as_json()) == reported
    # A second sweep asks for the same runs in one go: an edge is widened once.
    assert [plan.hash for plan in trained(tmp_path, BEST | {"capacity=16": 1.0})[1]] == [
        second.hash,
        reported.hash,
    ]
    again = stages.tuning_plan(Store(tmp_path))
    assert again is not None
    assert again.hash == second.hash


def test_a_widened_choice_that_is_no_edge_any_more_is_not_called_one(tmp_path: Path) -> None:
    _, order = trained(tmp_path, BEST | {"capacity=16": 0.1})
    choice = next(choice for choice in order[-1].choices if choice.arm == "capacity=16")
    assert (choice.level, choice.widened, choice.at_the_edge) == ("0.1", ["1.0"], False)
    assert list(choice.means) == ["0.001", "0.01", "0.1", "1.0"]
    results = open_results(tmp_path, "w", None)
    table = study_tables(results)["table"]
    assert [row[1].text for row in table.rows] == ["0.01 (100 %)", "0.1 (100 %)"]
    assert "beyond the study's levels also tried: 1.0" in "".join(table.footnotes)
    assert "no part in the choice" in table.notes[0]
    assert [finding.rule for finding in lint(results, [])] == ["one-environment"]


def test_levels_that_a_configuration_does_not_allow_are_not_tried(tmp_path: Path) -> None:
    factors = STUDY["factors"] | {"rate": {"key": "agent.discount", "levels": [0.25, 0.5, 1.0]}}
    plan = expand(parse_study(STUDY | {"factors": factors}), resolve)
    stages, store = stages_of(plan, resolve), Store(tmp_path)
    assert stages.tuning is not None
    write_plan(store, stages.tuning, lambda arm, seed: 100 * arm.overrides["agent.discount"] + seed)
    assert stages.tuning_plan(store) is stages.tuning, "2.0 is no discount"


def test_without_widen_plans_and_their_hashes_are_what_they_were() -> None:
    plain = STUDY | {"tune": {"factor": "rate", "seeds": [70, 71]}}
    zero = STUDY | {"tune": {"factor": "rate", "seeds": [70, 71], "widen": 0}}
    assert expand(parse_study(plain), resolve).hash == expand(parse_study(zero), resolve).hash
    assert expand(parse_study(STUDY), resolve).hash != expand(parse_study(plain), resolve).hash


def test_an_arm_that_does_not_read_the_tuned_factor_is_refused() -> None:
    factors = {
        "replay": {"levels": {"none": {"replay.kind": "none"}, "uniform": {}}},
        "capacity": {"key": "replay.capacity", "levels": [16, 64]},
    }
    study = STUDY | {"factors": factors, "tune": {"factor": "capacity", "seeds": [70]}}
    message = r"tune\.factor = capacity: .*unequal effort: .* 1 configurations of replay=none and 2"
    with pytest.raises(ConfigError, match=message):
        tuning_plan(expand(parse_study(study), resolve), resolve)


def test_certainty_is_the_share_of_resampled_seeds_with_the_same_choice() -> None:
    def levels(*samples: list[float]) -> list[np.ndarray[Any, Any]]:
        return [np.array(sample, float) for sample in samples]

    assert certainty(levels([1, 2], [3, 4]), 1, "final") == 1.0
    assert certainty(levels([1], [3]), 1, "final") is None
    # Of four resamples of two seeds only that of the second seed twice prefers the first level.
    share = certainty(levels([0, 10], [9, 9]), 1, "final")
    assert share == pytest.approx(0.75, abs=0.02)
    assert certainty(levels([0, 10], [9, 9]), 0, "steps_to_threshold") == pytest.approx(0.75, abs=0.02)
    # A level without scores is never chosen; a resample of missing scores alone is no choice of it.
    assert certainty(levels([math.nan, math.nan], [1, 2]), 1, "final") == 1.0
    assert certainty(levels([5, 5], [5, 5]), 0, "final") == 1.0, "the first among equals"


def test_a_sweep_widens_once_and_says_so(tmp_path: Path) -> None:
    words = [
        "study=adhoc",
        "study.seeds=1",
        "+study.factors.rate={key: agent.learning_rate, levels: [0.001, 0.01]}",
        "+study.tune={factor: rate, seeds: 2, widen: 1}",
        f"results_dir={tmp_path}",
        "agent.learning_rate=0.001",
        *SHORT,
        "launch.jobs=1",
        "tracking=disabled",
    ]
    done = run(*words, module=WITHOUT_REPORT)
    assert done.returncode == 0, done.stderr
    assert "% of resamples of the tuning seeds; beyond the study's levels also tried: " in done.stderr
    seeds = sorted(path.parent.name for path in tmp_path.glob("runs/*/*/run.json"))
    # Two levels and one beyond the edge on two tuning seeds; the chosen one on the reported seed.
    assert seeds == ["0000", *["10000"] * 3, *["10001"] * 3]
    again = run(*words, module=WITHOUT_REPORT)
    assert again.returncode == 0, again.stderr
    assert "All 6 runs are complete: nothing to train." in again.stderr
    planned = run("plan", *words)
    assert "beyond the study's levels also tried: " in planned.stdout
