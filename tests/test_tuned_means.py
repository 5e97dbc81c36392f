"""The mean of tuning and training as a whole: exact small cases, coverage by simulation, tables."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ablation.results.load import load
from ablation.results.tuning_choices import choice_shares
from ablation.study.plan import Arm
from analysis import statistics
from analysis.report.report import open_results, study_tables
from analysis.tables.table import Table
from benchmarks.tuned_coverage import GAPS, SHAPES, coverage

from .analysis_helpers import TUNED, make_store, noise

GOOD, BAD = np.array([1.0, 2.0, 6.0]), np.array([-3.0, 0.0, 1.0, 2.0])
STUDY: dict[str, Any] = TUNED | {"environments": ["CartPole-v1"], "seeds": 12}
COLUMNS = ("tuned_again_estimate", "tuned_again_low", "tuned_again_high")


def test_a_certain_choice_has_students_interval_of_the_reported_runs() -> None:
    found = statistics.mean_over_choices([BAD, GOOD, []], [0, 1, 0])
    expected = statistics.mean(GOOD)
    assert (found.value, found.n) == (3, 3)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_an_uncertain_choice_has_the_weighted_mean_and_the_mixtures_percentiles() -> None:
    found = statistics.mean_over_choices([BAD, GOOD], [0.25, 0.75], level=0.9)
    assert (found.value, found.n) == (0.25 * 0 + 0.75 * 3, 7)
    for end, share in ((found.low, 0.05), (found.high, 0.95)):
        below = [stats.t.cdf(end, len(x) - 1, x.mean(), stats.sem(x)) for x in (BAD, GOOD)]
        assert 0.25 * below[0] + 0.75 * below[1] == pytest.approx(share)


def test_scores_without_spread_have_an_interval_from_level_to_level() -> None:
    same = statistics.mean_over_choices([[5, 5], [5, 5, 5]], [0.5, 0.5])
    assert (same.value, same.low, same.high) == (5, 5, 5)
    apart = statistics.mean_over_choices([[0, 0], [10, 10]], [0.5, 0.5])
    assert (apart.value, apart.low, apart.high) == pytest.approx((5, 0, 10))
    rare = statistics.mean_over_choices([[0, 0], [10, 10]], [0.01, 0.99])
    assert rare.low <= rare.value <= rare.high, "although fewer than 2.5 % of choices lie below"


def test_a_level_with_a_share_needs_runs() -> None:
    one = statistics.mean_over_choices([GOOD, [4, math.nan]], [0.5, 0.5])
    assert one.value == 3.5
    assert math.isnan(one.low)
    assert math.isnan(statistics.mean_over_choices([GOOD, []], [0.5, 0.5]).value)
    for shares in ([1.0], [0.5, 0.6], [-1.0, 2.0]):
        with pytest.raises(ValueError, match="one share for each of 2 levels, which sum to 1"):
            statistics.mean_over_choices([GOOD, BAD], shares)


def test_shares_of_choices_are_exact_where_they_are_known() -> None:
    # Of two seeds, resamples are (first, first), both orders of both, (second, second).
    samples = [np.array([0.0, 10.0]), np.array([9.0, 9.0]), np.array([-1.0, -1.0])]
    assert choice_shares(samples) == pytest.approx([0.25, 0.75, 0], abs=0.02)
    assert choice_shares([-x for x in samples], False) == pytest.approx([0.25, 0.75, 0], abs=0.02)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gap", GAPS)
def test_the_interval_holds_in_at_least_nine_of_ten_simulated_studies(shape: str, gap: float) -> None:
    for held in coverage(shape, gap, 10, (10, 100), 150).values():
        assert held[0] >= 0.9


def test_the_interval_at_the_chosen_level_holds_the_whole_procedures_mean_too_rarely() -> None:
    held = coverage("normal", 0.5, 10, (100,), 150)[100]
    assert held[1] < 0.8 < held[0]


def tables(root: Path, tuning_seeds: int, score: str | None = None) -> dict[str, Table]:
    """Return the tables of a study whose tuning leads to 0.01, or to 0.1 by luck."""
    tune = {"factor": "rate", "seeds": tuning_seeds}

    def outcome(arm: Arm, seed: int) -> float:
        level = {"0.001": 0.0, "0.01": 50.0, "0.1": 47.0}[arm.levels["rate"]]
        return level + 10 * noise(arm.name, seed)

    make_store(root, STUDY | {"tune": tune}, outcome, lambda arm, seed: 50 + 10 * noise(arm.name, seed))
    return study_tables(open_results(root, "t", score))


def rows(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.to_csv())))


def test_ten_tuning_seeds_give_the_tables_the_mean_of_the_whole_procedure(tmp_path: Path) -> None:
    made = tables(tmp_path, 10)
    results = open_results(tmp_path, "t", None)
    tuning = load("t-tuning", tmp_path)
    for row in rows(made["table"]):
        candidates = [arm for arm in tuning.plan.arms if arm.candidate_of == row["arm"]]
        samples = {arm.levels["rate"]: tuning.scores(arm, "final") for arm in candidates}
        samples = {level: samples[level] for level in ("0.001", "0.01", "0.1")}
        shares = choice_shares(list(samples.values()))
        (arm,) = (arm for arm in results.runs.plan.arms if arm.name == row["arm"])
        samples[row["rate"]] = results.runs.scores(arm, "final")
        expected = shares @ [sample.mean() for sample in samples.values()]
        value, low, high = (float(row[column]) for column in COLUMNS)
        assert value == pytest.approx(expected)
        assert low < value < high
    assert "mean if tuned again" not in made["table"].headings
    assert made["comparisons"].headings[-1] == "mean if tuned again"
    (shown,) = made["comparisons"].rows
    assert shown[-1].value == pytest.approx(float(rows(made["table"])[1][COLUMNS[0]]))
    (note,) = (text for text in made["comparisons"].notes if "tuned again" in text)
    assert "expected mean of an arm that chooses its level anew" in note
    assert "Baseline: " in note
    assert "missing" not in note


@pytest.mark.parametrize(
    ("seeds", "score", "note"),
    [
        (9, None, "No mean if tuned again: it needs 10 tuning seeds, here are 9."),
        (10, "reached_threshold", "No mean if tuned again: it is for means, not for shares."),
    ],
)
def test_where_there_is_no_such_mean_the_tables_say_why(
    seeds: int, score: str | None, note: str, tmp_path: Path
) -> None:
    made = tables(tmp_path, seeds, score)
    assert {row[column] for row in rows(made["table"]) for column in COLUMNS} == {""}
    assert "mean if tuned again" not in made["comparisons"].headings
    assert note in made["comparisons"].notes


def test_a_tuning_stage_that_is_not_stored_is_named(tmp_path: Path) -> None:
    tables(tmp_path, 10)
    (tmp_path / "studies/t-tuning/plan.json").unlink()
    made = study_tables(open_results(tmp_path, "t", None))
    assert "the runs of the tuning stage are not stored." in made["comparisons"].notes[-1]


def test_a_study_that_tunes_nothing_has_no_such_column(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY | {"tune": None}, lambda arm, seed: 50 + noise(arm.name, seed))
    made = study_tables(open_results(tmp_path, "t", None))
    assert COLUMNS[0] not in rows(made["table"])[0]
    assert not [text for text in made["comparisons"].notes if "tuned again" in text]
