"""Verdicts say no more than their intervals, and the declared claims can be evaluated."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ablation.cli.open_study import open_study
from ablation.results.scores import SCORES
from analysis.effects.diagnostics import SHOWN_DIAGNOSTICS
from analysis.expectations.claims import Claim, claims_table, declared_claims, evaluate_claims
from analysis.expectations.verdicts import Expectation, contrast, decide
from analysis.report.expectation_pages import write_claims
from analysis.statistics import Estimate

from .analysis_helpers import STUDY, make_store, outcome

CONF = Path(__file__).parent.parent / "conf"


@pytest.mark.parametrize(
    ("low", "high", "sign", "expected"),
    [
        (6, 14, 1, "supported"),
        (1, 19, 1, "supported"),
        (-1, 21, 1, "inconclusive"),
        (1, 11, 1, "inconclusive"),  # above zero, yet estimated below the size of interest
        (1, 7, 1, "smaller"),  # above zero, and surely below the size of interest
        (-7, -1, -1, "smaller"),
        (0, 7, 1, "contradicted"),  # the direction is not resolved
        (-4, 4, 1, "contradicted"),
        (-30, -10, 1, "contradicted"),
        (-14, -6, -1, "supported"),
        (-11, 20, -1, "inconclusive"),
        (-7, 20, -1, "contradicted"),
        (math.nan, math.nan, 1, "inconclusive"),
        # No effect is expected.
        (-7, 7, 0, "supported"),
        (1, 7, 0, "supported"),
        (-9, 7, 0, "inconclusive"),
        (1, 9, 0, "inconclusive"),  # there is an effect, and it may or may not be of interest
        (1, 17, 0, "contradicted"),
        (-17, -1, 0, "contradicted"),
        (math.nan, math.nan, 0, "inconclusive"),
    ],
)
def test_a_verdict_follows_from_the_interval_and_the_smallest_effect_of_interest(
    low: float, high: float, sign: int, expected: str
) -> None:
    assert decide(Estimate((low + high) / 2, low, high, 9), sign, 8) == expected


def test_a_contrast_is_taken_seed_by_seed_and_leaves_incomplete_seeds_out() -> None:
    samples = {
        "a": np.array([10.0, 12, 14, 20]),
        "b": np.array([1.0, 2, math.nan, 3]),
        "c": np.array([0.0, 1, 2, 2]),
    }
    found = contrast(samples, {"a": 1, "b": -2, "c": 1}, 0.95)
    values = np.array([8.0, 9, 16])
    assert (found.value, found.n) == (pytest.approx(values.mean()), 3)
    half = 4.302652729911275 * values.std(ddof=1) / math.sqrt(3)  # t, 2 degrees of freedom
    assert found.high == pytest.approx(values.mean() + half)
    equal = contrast({"a": np.ones(9), "b": np.zeros(9)}, {"a": 1, "b": -1}, 0.95, share=True)
    assert equal.low < equal.value == 1


def claim(measure: str = "final", study: str = "s", smallest: float = 20, **weights: float) -> Claim:
    arms = {name.replace("__", "="): weight for name, weight in weights.items()}
    return Claim("C", "is so", [Expectation(study, measure, arms, "positive", smallest)])


def test_claims_are_evaluated_together_from_the_store(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, outcome)
    right = {"baseline": 1, "capacity__16": -1}
    claims = [
        claim(**right),
        claim(**{name: -weight for name, weight in right.items()}),
        claim(smallest=1000, **right),
        claim(study="another", **right),
        claim(baseline=1, capacity__7=-1),
        claim("forgetting", **right),
    ]
    found = evaluate_claims(claims, tmp_path)
    assert [row.verdict for _, row in found] == [
        "supported",
        "contradicted",
        "smaller",
        "not run",
        "not run",
        "not run",
    ]
    effect = found[0][1].effect
    assert effect.n == 6
    # At 1 - 0.05 / 6 wider than alone.
    alone = evaluate_claims(claims[:1], tmp_path)[0][1].effect
    assert effect.low < alone.low < alone.high < effect.high
    text = [[cell.text for cell in row] for row in claims_table(found).rows]
    assert text[3][4:] == ["study another was not run", "", "not run"]
    assert text[4][4] == "study s has no arm capacity=7"
    assert text[5][4] == "no run has forgetting"


def test_the_declared_claims_name_measures_and_arms_that_exist() -> None:
    claims = declared_claims()
    assert [claim.id for claim in claims] == [f"C{number}" for number in range(1, 9)]
    for test in (test for claim in claims for test in claim.tests):
        assert test.measure in SCORES or test.measure in {*SHOWN_DIAGNOSTICS, "forgetting"}
        assert sum(test.contrast.values()) == 0
        assert test.smallest > 0
        assert test.direction in ("positive", "negative")
        assert set(test.contrast) <= arms_of(test.study, test.environment), test


@cache
def arms_of(study: str, environment: str | None) -> set[str]:
    """Return the names of a declared study's arms in an environment, None for its first."""
    plan = open_study(str(CONF), [f"study={study}"]).plans[-1]
    wanted = environment or plan.arms[0].environment
    return {arm.name for arm in plan.arms if arm.environment == wanted}


def test_the_table_is_written_as_markdown_latex_and_a_page(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, outcome)
    _, page = write_claims(tmp_path)
    for name in ("claims.md", "claims.tex", "claims.csv", "index.html"):
        assert "not run" in (page.parent / name).read_text()
