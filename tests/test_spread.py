"""The spread of single runs: tolerance intervals, failures, two groups; simulated with fixed seeds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ablation.study.plan import Arm
from analysis import statistics
from analysis.report.report import open_results, study_tables
from benchmarks import spread

from .analysis_helpers import STUDY, make_store

SAMPLES = 2000


@pytest.mark.parametrize("n", [46, 60, 100])
@pytest.mark.parametrize("shape", spread.SHAPES)
def test_tolerance_intervals_of_order_statistics_hold(shape: str, n: int) -> None:
    held, shown = spread.tolerance_held(shape, n, SAMPLES)
    assert shown == 1
    # Exact for continuous scores: 95 % or more, so three standard errors of the simulation below.
    assert held >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / SAMPLES)


@pytest.mark.parametrize("n", [20, 30, 45])
@pytest.mark.parametrize("shape", spread.SHAPES)
def test_with_fewer_runs_at_most_one_sample_in_twenty_shows_a_wrong_interval(shape: str, n: int) -> None:
    held, shown = spread.tolerance_held(shape, n, SAMPLES)
    assert 1 - held <= 0.05
    assert shown > 0.8 if shape == "normal" else shown < 1


def test_a_tolerance_interval_says_how_it_was_made_and_how_many_runs_it_needs() -> None:
    normal = np.random.default_rng(0).normal(size=46)
    assert statistics.runs_for_tolerance() == 46
    wide = statistics.tolerance(normal)
    assert (wide.low, wide.high, wide.method) == (normal.min(), normal.max(), "order statistics")
    assert statistics.tolerance(normal[:30]).method == "normal"
    few = statistics.tolerance(normal[:19])
    assert (few.method, math.isnan(few.low)) == ("needs 46 runs", True)
    # Howe's table of factors: 2.856 for ten runs, 90 % of all, 95 % confidence.
    ten = statistics.tolerance(normal[:10], method="normal")
    factor = (ten.high - ten.low) / 2 / normal[:10].std(ddof=1)
    assert factor == pytest.approx(2.856, abs=0.001)
    assert math.isnan(statistics.tolerance(normal, method="order statistics", content=0.99).low)


@pytest.mark.parametrize("n", [10, 20, 30, 100])
def test_the_interval_of_a_share_of_failures_holds(n: int) -> None:
    coverage = spread.share_coverage(n)
    assert coverage.mean() >= 0.94
    assert coverage.min() >= 0.89


@pytest.mark.parametrize("planted", spread.PLANTED)
def test_two_groups_six_standard_deviations_apart_are_seen(planted: str) -> None:
    assert spread.flagged(spread.PLANTED[planted], 30, 4 * SAMPLES) >= 0.95


@pytest.mark.parametrize("shape", spread.SHAPES)
def test_one_group_is_not_taken_for_two(shape: str) -> None:
    assert spread.flagged(spread.SHAPES[shape].draw, 30, 4 * SAMPLES) <= 0.05


def test_two_groups_are_described() -> None:
    scores = [480 + np.sin(seed) for seed in range(25)] + [20 + np.cos(seed) for seed in range(5)]
    found = statistics.two_modes(np.random.default_rng(0).permutation(scores))
    assert found is not None
    assert (found.lower.n, found.upper.n) == (5, 25)
    assert found.upper.value == pytest.approx(480, abs=1)
    assert found.upper_share.value == pytest.approx(25 / 30)
    for one in ([5.0] * 30, scores[:9], scores[:25]):
        assert statistics.two_modes(one) is None


def test_exact_values_of_two_kinds_are_two_groups() -> None:
    found = statistics.two_modes([9.0] * 10 + [500.0] * 20)
    assert found is not None
    assert (found.lower.value, found.upper.value) == (9, 500)


def test_tables_show_spread_failures_and_groups(tmp_path: Path) -> None:
    def level(arm: Arm, seed: int) -> float:
        if arm.name == "capacity=16":
            return 20 + math.cos(seed) if seed % 6 == 0 else 480 + math.sin(seed)
        return 300 + 10 * math.sin(seed * seed)

    make_store(tmp_path, STUDY | {"seeds": 30}, level)
    results = open_results(tmp_path, "s", None)
    tables = study_tables(results)
    row = next(row for row in results.comparisons if row.arm.name == "capacity=16")
    values = results.runs.scores(row.arm, "final")
    assert row.spread.standard_deviation.value == pytest.approx(values.std(ddof=1))
    assert (row.spread.failures.value, row.spread.failures.n) == (5 / 30, 30)
    (note,) = (note for note in tables["spread"].notes if "Two groups" in note)
    assert "capacity=16 learns in 83 % of seeds [66, 93]; 480.1 when it does, 20.8 when not" in note
    assert note in tables["table"].notes
    cells = {cells[0].text: [cell.text for cell in cells] for cells in tables["spread"].rows}
    assert cells["capacity=16"][4:] == ["n/a", "0.17 [0.07, 0.34]"]
    assert any("needs 46 runs" in text for text in tables["spread"].footnotes)
    shares = open_results(tmp_path, "s", "reached_threshold")
    assert all(row.spread.modes is None and row.spread.failures.n == 0 for row in shares.comparisons)
