"""Scores, statistics and reports: right where the answer is known, silent where nothing is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import ablation.study
from ablation.store import RunKey, Store, write_json
from ablation.study import expand, parse_study
from analysis import scores, statistics
from analysis.comparisons import compare
from analysis.load import StudyNotFound, load
from analysis.report import write_report
from analysis.tables import ablation_table, to_csv, to_latex

from .test_study import STUDY, resolve

SEEDS = 6


def evaluations(levels: list[float], episodes: int = 2) -> list[dict[str, Any]]:
    return [
        {
            "env_step": 50 * (at + 1),
            "gradient_step": at,
            "episode": e,
            "episode_return": r,
            "episode_length": 1,
        }
        for at, r in enumerate(levels)
        for e in range(episodes)
    ]


def columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: np.array([row[name] for row in rows]) for name in ("env_step", "episode_return")}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A made store: the baseline at 100, `capacity=16` 50 lower, the others as missing or failed."""
    store = Store(tmp_path)
    plan = expand(parse_study(STUDY | {"seeds": SEEDS}), resolve)
    write_json(store.study_directory("s") / "plan.json", plan.as_json())
    cells = {arm.name: arm.cell for arm in plan.arms}
    for seed in range(SEEDS):
        for arm, level in (("baseline", 100.0), ("capacity=16", 50.0), ("capacity=500", 100.0)):
            if arm == "capacity=500" and seed > 2:
                continue
            noise = math.sin(seed) + (math.cos(3 * seed) if arm != "baseline" else 0)
            rows = {"evaluations": evaluations([0.0] * 9 + [level + noise])}
            store.write_run(RunKey(cells[arm], seed), {"status": "complete"}, rows)
    store.write_run(RunKey(cells["kind=off"], 0), {"status": "failed", "error": "no"}, {})
    return tmp_path


def test_every_score_of_the_schema_is_defined_and_described() -> None:
    names = set(get_args(ablation.study.Score))
    assert names == set(scores.SCORES) == set(scores.DESCRIPTIONS)


def test_scores_of_a_known_run() -> None:
    evaluated = columns(evaluations([1, 2, 3, 4, 5, 6, 7, 8, 9, 30]))
    trained = columns([{"env_step": i, "episode_return": float(i)} for i in range(150)])
    assert scores.final(trained, evaluated) == 30
    assert scores.area_under_curve(trained, evaluated) == 7.5
    assert scores.best(trained, evaluated) == 30
    assert scores.last_training_episodes(trained, evaluated) == np.mean(np.arange(50, 150))
    assert scores.final(trained, columns(evaluations([1, 2]))) == 2


def test_a_run_without_rows_scores_nothing() -> None:
    empty = {"env_step": np.array([]), "episode_return": np.array([])}
    assert all(math.isnan(score(empty, empty)) for score in scores.SCORES.values())


def test_the_mean_interval_equals_scipys() -> None:
    sample = np.random.default_rng(0).normal(3, 2, 12)
    ours = statistics.mean(sample)
    low, high = stats.t.interval(0.95, 11, sample.mean(), stats.sem(sample))
    assert (ours.estimate, ours.low, ours.high) == pytest.approx((sample.mean(), low, high))


def test_the_interquartile_mean_and_its_error_equal_scipys() -> None:
    sample = np.random.default_rng(1).lognormal(size=11)
    ours = statistics.interquartile_mean(sample)
    assert ours.estimate == pytest.approx(stats.trim_mean(sample, 0.25), abs=1e-12)
    cut = int(0.25 * 11)
    half = ours.high - ours.estimate
    error = stats.mstats.trimmed_stde(sample, (cut / 11, cut / 11))
    assert half / stats.t.ppf(0.975, 11 - 2 * cut - 1) == pytest.approx(float(error), rel=1e-12)


@pytest.mark.parametrize("interval", [statistics.mean, statistics.interquartile_mean])
@pytest.mark.parametrize("n", [5, 10, 30])
def test_intervals_cover_the_truth_of_normal_scores(interval: Any, n: int) -> None:
    random = np.random.default_rng(n)
    covered = []
    for _ in range(1500):
        found = interval(random.normal(10, 3, n))
        covered.append(found.low <= 10 <= found.high)
    # Three standard errors of the simulation below 93 %.
    assert np.mean(covered) > 0.93 - 3 * math.sqrt(0.05 * 0.95 / 1500)


def test_few_runs_give_no_interval_instead_of_a_made_up_one() -> None:
    assert math.isnan(statistics.mean(np.array([])).estimate)
    one = statistics.mean(np.array([4.0]))
    assert (one.estimate, one.n) == (4.0, 1)
    assert math.isnan(one.low)
    assert math.isnan(statistics.paired_difference(np.array([1.0]), np.array([2.0])).p_value)


def test_the_paired_difference_uses_only_seeds_that_both_have_and_equals_scipys() -> None:
    random = np.random.default_rng(2)
    arm, baseline = random.normal(size=12), random.normal(size=12)
    arm[3], baseline[7] = np.nan, np.nan
    both = ~np.isnan(arm) & ~np.isnan(baseline)
    ours = statistics.paired_difference(arm, baseline)
    theirs = stats.ttest_rel(arm[both], baseline[both])
    interval = theirs.confidence_interval(0.95)
    assert ours.interval.n == 10
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert (ours.interval.low, ours.interval.high) == pytest.approx((interval.low, interval.high))


def test_holm_corrects_as_in_his_example_and_leaves_missing_tests_out() -> None:
    corrected = statistics.holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005]))
    np.testing.assert_allclose(corrected, [0.03, 0.06, np.nan, 0.06, 0.02])


def test_comparisons_count_what_there_is_and_mark_what_is_not(results: Path) -> None:
    rows = {row.arm.name: row for row in compare(load("s", results), "final")}
    assert rows["baseline"].difference is None
    assert rows["capacity=16"].resolved
    difference = rows["capacity=16"].difference
    assert difference is not None
    assert difference.low < -50 < difference.high + 1
    assert rows["capacity=500"].mean.n == 3
    assert rows["capacity=500"].statuses == {"complete": 3, "missing": 3}
    assert not rows["kind=off"].resolved
    assert rows["kind=off"].statuses == {"failed": 1, "missing": 5}
    assert rows["kind=off"].mean.n == 0


def test_missing_arms_are_in_every_table_as_missing(results: Path) -> None:
    runs = load("s", results)
    table = ablation_table(runs, compare(runs, "final"), "final")
    row = table.frame.set_index("arm").loc["kind=off"]
    assert row["mean"] == "missing"
    assert row["n"] == "0"
    assert any("kind=off" in note and "5 missing" in note for note in table.notes)
    import io

    numbers = pd.read_csv(io.StringIO(to_csv(table))).set_index("arm")
    assert np.isnan(numbers.loc["kind=off", "mean_estimate"])
    assert numbers.loc["baseline", "n"] == SEEDS


def test_latex_escapes_names_and_keeps_the_resolved_bold(results: Path) -> None:
    runs = load("s", results)
    text = to_latex(ablation_table(runs, compare(runs, "final"), "final"))
    assert "\\toprule" in text
    assert text.count("\\textbf{") == 1
    assert "95 \\%" in text


def test_a_report_of_a_partial_store_shows_what_is_there(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = write_report(results, "s").read_text()
    assert "kind=off: no runs to compare." in page
    assert "capacity=16: lower than the baseline" in page
    assert "capacity=500: not resolved" in page
    assert "trains exactly what" in page
    assert "missing" in capsys.readouterr().out


def test_a_report_of_an_empty_store_has_no_numbers(tmp_path: Path) -> None:
    plan = expand(parse_study(STUDY), resolve)
    write_json(Store(tmp_path).study_directory("s") / "plan.json", plan.as_json())
    page = write_report(tmp_path, "s").read_text()
    assert "No figures" in page
    assert page.count("missing") >= 4


def test_damaged_rows_are_unreadable_not_zero(results: Path) -> None:
    runs = load("s", results)
    baseline = runs.plan.arms[0]
    path = Store(results).run_directory(RunKey(baseline.cell, 0)) / "evaluations.parquet"
    path.write_bytes(path.read_bytes()[:40])
    again = load("s", results)
    assert again.statuses(baseline) == {"unreadable": 1, "complete": SEEDS - 1}
    assert compare(again, "final")[0].mean.n == SEEDS - 1


def test_an_unknown_study_names_those_there_are(results: Path) -> None:
    with pytest.raises(StudyNotFound, match="there are: s"):
        load("t", results)
