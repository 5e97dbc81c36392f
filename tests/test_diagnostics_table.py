"""Diagnostics of runs and their table by arm, on stores whose answers are known."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from ablation.cli.messages import diagnostic_lines
from ablation.store.files import read_json, write_json
from ablation.store.runs import RunKey, Store
from ablation.sweep.inventory import read_inventory
from analysis.effects.diagnostics import arm_diagnostics, run_diagnostics
from analysis.report.report import open_results, study_tables
from analysis.statistics import rank_correlation

from .analysis_helpers import RECORD, SEEDS, STUDY, make_store, outcome, run_record


def columns(**values: list[float]) -> dict[str, np.ndarray]:
    return {name: np.array(found, float) for name, found in values.items()}


def test_a_diagnostic_is_the_mean_of_the_rows_that_have_it() -> None:
    learner = columns(
        env_step=[1, 2, 3],
        gradient_step=[1, 2, 3],
        batch_autocorrelation=[0.2, math.nan, 0.4],
        gradient_norm_layer_1=[1, 2, 3],
        gradient_norm_layer_2=[9, 9, 9],
        gradient_norm_layer_10=[2, 0, 3],
        policy_churn=[math.nan] * 3,
    )
    evaluations = columns(
        env_step=[10, 10, 20, 20, 30, 30, 40, 40],
        episode_return=[7, 9, 1, 3, 10, 20, 30, 40],
        start_value=[5] * 8,
        discounted_return=[1, 3] * 4,
    )
    found = run_diagnostics(learner, evaluations)
    assert found["batch_autocorrelation"] == pytest.approx(0.3)
    # Layer 10 comes last, and a last layer without a gradient has no ratio.
    assert found["gradient_first_to_last"] == pytest.approx((1 / 2 + 3 / 3) / 2)
    assert found["value_bias"] == 3
    # Of the means 8, 2, 15, 35 the second half.
    assert found["evaluation_variation"] == pytest.approx(np.std([15, 35], ddof=1))
    assert math.isnan(found["policy_churn"])
    assert "env_step" not in found


def test_rank_correlation_follows_ranks_and_covers_what_fishers_interval_does() -> None:
    one = np.array([1.0, 2, 3, 4, math.nan, 5])
    found = rank_correlation(one, one**5)
    assert (found.value, found.n) == (pytest.approx(1), 5)
    assert math.isnan(rank_correlation(one, np.ones(6)).value)
    assert rank_correlation(one[:3], one[:3]).n == 3
    # Spearman's of a bivariate normal with correlation r is 6/pi asin(r/2); 95 % nominal.
    random, covered, truth = np.random.default_rng(0), 0, 6 / math.pi * math.asin(0.6 / 2)
    for _ in range(1000):
        x = random.standard_normal(30)
        y = 0.6 * x + 0.8 * random.standard_normal(30)
        interval = rank_correlation(x, y)
        covered += interval.low <= truth <= interval.high
    assert covered / 1000 == pytest.approx(0.95, abs=0.025)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A study whose runs' churn falls exactly as their scores rise."""
    plan = make_store(tmp_path, STUDY, outcome)
    store = Store(tmp_path)
    for arm in plan.arms:
        for seed in range(SEEDS):
            score = outcome(arm, seed)
            if isinstance(score, str):
                continue
            key = RunKey(arm.cell, seed)
            clock = {"env_step": 50, "gradient_step": 10}
            rows = [clock | {"policy_churn": 1 / score, "batch_autocorrelation": None}]
            kept = {n: store.read_table(key, n).to_pylist() for n in ("episodes", "evaluations")}
            record = RECORD | {"config": plan.cells[arm.cell]}
            shutil.rmtree(store.run_directory(key))  # A store keeps the complete runs that it has.
            store.write_run(run_record(key, record), kept | {"learner": rows})
    return tmp_path


def test_the_table_sets_diagnostics_beside_effects_and_says_how_they_go_together(store: Path) -> None:
    results = open_results(store, "s", None)
    table = study_tables(results)["diagnostics"]
    assert table.headings == [
        "arm",
        "difference from baseline",
        "autocorrelation",
        "churn",
        "variation",
    ]
    by_arm = {row[0].text: row for row in table.rows}
    baseline = np.array([1 / float(outcome(results.runs.baseline("CartPole-v1"), s)) for s in range(6)])
    assert by_arm["baseline"][3].value == pytest.approx(baseline.mean())
    assert by_arm["baseline"][2].text == "not defined"
    assert by_arm["replay=none"][3].text == "not defined"
    association = table.values[-1]
    assert association["row"] == "rank correlation"
    assert association["policy_churn_estimate"] == pytest.approx(-1)
    # Six runs of two arms, three of one; the failed and missing ones say nothing.
    assert association["n"] == 6 + 6 + 3
    assert "not which cause it" in " ".join(table.notes)


def test_a_diagnostic_that_failed_is_named_with_its_exception(store: Path) -> None:
    results = open_results(store, "s", None)
    assert not any("Diagnostic missing" in note for note in study_tables(results)["diagnostics"].notes)
    arm = results.runs.baseline("CartPole-v1")
    path = Store(store).run_directory(RunKey(arm.cell, 0)) / "run.json"
    failed = {"failed_diagnostics": {"dormant_share": "ValueError: no layers"}}
    write_json(path, read_json(path) | failed)
    notes = study_tables(open_results(store, "s", None))["diagnostics"].notes
    assert "Diagnostic missing: dormant_share (ValueError: no layers), in baseline." in notes
    inventory = read_inventory(Store(store), [RunKey(arm.cell, seed) for seed in range(2)])
    assert [line.plain for line in diagnostic_lines(inventory)] == [
        f"diagnostic missing: dormant_share (ValueError: no layers) in {arm.cell} seed 0"
    ]


def test_runs_without_diagnostics_have_no_table_of_them(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, outcome)
    results = open_results(tmp_path, "s", None)
    assert "diagnostics" not in study_tables(results)
    arm = results.runs.baseline("CartPole-v1")
    assert set(arm_diagnostics(results.runs, arm)) == {"evaluation_variation"}
