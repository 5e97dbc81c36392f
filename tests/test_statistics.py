"""Statistics: equal to SciPy's, rliable's and hand-worked numbers, silent where nothing is known."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis import statistics
from analysis.statistics import AGGREGATES, Estimate

RLIABLE = json.loads((Path(__file__).parent / "rliable.json").read_text())["cases"]


def ends(interval: Estimate) -> tuple[float, float]:
    return interval.low, interval.high


@pytest.mark.parametrize("case", RLIABLE, ids=lambda case: f"{np.shape(case['scores'])}")
def test_point_estimates_equal_rliables(case: dict[str, object]) -> None:
    scores, others = np.array(case["scores"]), np.array(case["others"])
    for name in AGGREGATES:
        ours = statistics.aggregate(list(scores.T), name, repetitions=10)
        assert ours.value == pytest.approx(case[name], abs=1e-12)
    improvement = statistics.probability_of_improvement(list(scores.T), list(others.T))
    assert improvement.value == pytest.approx(case["probability_of_improvement"], abs=1e-12)
    profile = statistics.performance_profile(list(scores.T), np.array(case["thresholds"]))
    ours_profile = [interval.value for interval in profile]
    np.testing.assert_allclose(ours_profile, np.array(case["performance_profile"]), rtol=0, atol=1e-12)


def test_the_mean_interval_equals_scipys() -> None:
    sample = np.random.default_rng(0).normal(3, 2, 12)
    expected = stats.t.interval(0.95, 11, sample.mean(), stats.sem(sample))
    assert ends(statistics.mean(sample)) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "n"), [(0, 5), (3, 10), (10, 10), (29, 30)])
def test_the_share_interval_equals_scipys_wilson_interval(count: int, n: int) -> None:
    theirs = stats.binomtest(count, n).proportion_ci(0.95, "wilson")
    ours = statistics.share(np.arange(n) < count)
    assert ends(ours) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_difference_of_shares_equals_newcombes_published_example() -> None:
    # Newcombe 1998, table II, method 10, example (a): 56/70 against 48/80.
    one, other = np.repeat([1.0, 0.0], [56, 14]), np.repeat([1.0, 0.0], [48, 32])
    found = statistics.share_difference(one, other, paired=False)
    assert found.value == pytest.approx(0.2)
    assert ends(found) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_paired_difference_uses_only_seeds_that_both_have_and_equals_scipys() -> None:
    random = np.random.default_rng(2)
    arm, baseline = random.normal(size=12), random.normal(size=12)
    arm[3], baseline[7] = np.nan, np.nan
    both = ~np.isnan(arm) & ~np.isnan(baseline)
    ours = statistics.difference(arm, baseline)
    theirs = stats.ttest_rel(arm[both], baseline[both])
    interval = theirs.confidence_interval(0.95)
    assert ours.n == 10
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert ends(ours) == pytest.approx((interval.low, interval.high))
    assert ours.correlation == pytest.approx(stats.pearsonr(arm[both], baseline[both]).statistic)


def test_the_unpaired_difference_equals_scipys_welch_test() -> None:
    random = np.random.default_rng(3)
    arm, baseline = random.normal(1, 2, 9), random.normal(size=14)
    arm[2] = np.nan
    ours = statistics.difference(arm, baseline, paired=False)
    theirs = stats.ttest_ind(arm[~np.isnan(arm)], baseline, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert ends(ours) == pytest.approx((interval.low, interval.high))


def test_equal_differences_are_judged_by_their_signs_and_get_no_interval() -> None:
    found = statistics.difference(np.full(5, 9.0), np.full(5, 500.0))
    assert found.value == -491
    assert math.isnan(found.low)
    assert found.p_value == 2 / 2**5
    assert statistics.difference(np.ones(5), np.ones(5)).p_value == 1


@pytest.mark.parametrize("n", [6, 12])
def test_the_permutation_test_equals_scipys_over_all_signs(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.6, 1, n)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert statistics.sign_flip_p_value(differences) == pytest.approx(theirs.pvalue, abs=1e-12)


def test_the_permutation_test_of_many_pairs_is_near_the_t_test_and_repeatable() -> None:
    differences = np.random.default_rng(4).normal(0.4, 1, 40)
    p_value = statistics.sign_flip_p_value(differences)
    assert p_value == statistics.sign_flip_p_value(differences)
    # Four standard errors of 10,000 random signs, and the two tests' own difference.
    assert p_value == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)


def test_holm_corrects_as_in_his_example_and_leaves_missing_tests_out() -> None:
    corrected = statistics.holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005]))
    np.testing.assert_allclose(corrected, [0.03, 0.06, np.nan, 0.06, 0.02])


def test_bootstrap_intervals_are_repeatable_and_stay_within_the_scores() -> None:
    sample = np.array([0.0, 500.0, 500.0, 500.0, 490.0])
    found = statistics.iqm(sample)
    assert found == statistics.iqm(sample)
    assert found.value == pytest.approx(stats.trim_mean(sample, 0.25), abs=1e-12)
    assert found.low >= 0
    assert found.high <= 500


def test_resampling_stays_within_a_task() -> None:
    strata = [np.zeros(4), np.ones(6)]
    found = statistics.bootstrap(strata, AGGREGATES["mean"].statistic, 100)
    np.testing.assert_array_equal(found, 0.5)


def test_complete_separation_leaves_the_probability_of_improvement_uncertain() -> None:
    found = statistics.probability_of_improvement([np.arange(10.0) + 100], [np.arange(10.0)])
    assert found.value == 1
    assert found.high == 1
    assert 0.6 < found.low < 0.9


def test_an_average_of_one_interval_is_itself_and_of_equal_ones_narrower() -> None:
    part = statistics.share([1] * 3 + [0] * 7)
    assert ends(statistics.average([part])) == pytest.approx(ends(part))
    both = statistics.average([part, part])
    assert both.value - both.low == pytest.approx((part.value - part.low) / math.sqrt(2))
    assert both.n == 20


def test_few_runs_give_no_interval_instead_of_a_made_up_one() -> None:
    nothing, one = np.array([]), np.array([4.0])
    for interval in (
        statistics.mean(nothing),
        statistics.share(nothing),
        statistics.iqm(nothing),
        statistics.probability_of_improvement([nothing], [one]),
        statistics.difference(nothing, nothing),
        statistics.difference(nothing, one, paired=False),
        statistics.share_difference(nothing, one, paired=False),
    ):
        assert math.isnan(interval.value)
    for interval in (statistics.mean(one), statistics.iqm(one)):
        assert (interval.value, interval.n) == (4.0, 1)
        assert math.isnan(interval.low)
    assert math.isnan(statistics.difference(one, np.array([2.0])).p_value)
    assert math.isnan(statistics.sign_flip_p_value(nothing))


def test_contrasts_recover_the_effects_that_scores_were_made_of() -> None:
    seeds = np.random.default_rng(5).normal(size=8)
    a, b = np.array([0.0, 3.0]), np.array([0.0, 1.0, -2.0])
    scores = seeds[:, None, None] + a[:, None] + b
    scores[:, 1, 2] += 10
    found = {(c.factors, c.levels): c.difference.value for c in statistics.contrasts(scores)}
    assert found == pytest.approx(
        {
            ((0,), (1,)): 3 + 10 / 3,
            ((1,), (1,)): 1,
            ((1,), (2,)): -2 + 10 / 2,
            ((0, 1), (1, 1)): 0,
            ((0, 1), (1, 2)): 10,
        },
        abs=1e-12,
    )


def test_a_seed_without_all_combinations_drops_out_of_a_contrast() -> None:
    scores = np.random.default_rng(6).normal(size=(5, 2, 2))
    scores[3, 1, 1] = np.nan
    assert [c.difference.n for c in statistics.contrasts(scores)] == [4, 4, 4]


def test_power_equals_the_noncentral_t_distributions_and_inverts_to_the_detectable_effect() -> None:
    critical = stats.t.ppf(0.975, 9)
    expected = stats.nct.sf(critical, 9, 0.8 * math.sqrt(10))
    assert statistics.paired_t_power(0.8, 1.0, 10) == pytest.approx(float(expected), abs=1e-9)
    effect = statistics.detectable_effect(2.5, 10, tests=12)
    assert statistics.paired_t_power(effect, 2.5, 10, tests=12) == pytest.approx(0.8, abs=1e-6)
    assert math.isnan(statistics.detectable_effect(0.0, 10))
    assert math.isnan(statistics.detectable_effect(1.0, 1))


@pytest.mark.parametrize("n", [6, 7, 10, 25])
def test_the_medians_interval_is_the_narrowest_pair_of_order_statistics_that_is_binomially_sure(
    n: int,
) -> None:
    interval = statistics.median(np.arange(1.0, n + 1)[::-1])
    low, high = int(interval.low), int(interval.high)
    assert low + high == n + 1
    assert interval.value == (n + 1) / 2
    # The median lies below the low end if fewer than `low` runs do, and so above the high one.
    assert 2 * stats.binom.cdf(low - 1, n, 0.5) <= 0.05 < 2 * stats.binom.cdf(low, n, 0.5)


def test_five_runs_give_a_median_no_interval() -> None:
    interval = statistics.median(np.arange(5.0))
    assert (interval.value, interval.n) == (2, 5)
    assert np.isnan(ends(interval)).all()
    assert statistics.median(np.array([])).n == 0


def test_everything_takes_lists_and_series_and_leaves_missing_runs_out() -> None:
    import pandas as pd

    values, others = [3.0, 5.0, 4.0, math.nan], [1.0, 2.0, 0.5, 1.0]
    for kind in (list, tuple, np.array, pd.Series):
        x, y = kind(values), kind(others)
        assert statistics.mean(x).value == statistics.iqm(x).value == statistics.median(x).value == 4
        assert statistics.standard_deviation(x).value == 1
        assert statistics.difference(x, y).value == pytest.approx(4 - 3.5 / 3)
        assert statistics.difference(x, y, paired=False).value == pytest.approx(4 - 4.5 / 4)
        assert statistics.probability_of_improvement(x, y).value == 1
        both = statistics.aggregate({"one": x, "two": y}, "mean")
        assert both == statistics.aggregate([x, y], "mean")
        assert both.value == pytest.approx((4 + 4.5 / 4) / 2)
        assert statistics.aggregate(x, "iqm") == statistics.iqm(x)
    assert statistics.mean([1, 2, 3]).method == "Student's t"
    assert [part.value for part in statistics.performance_profile(values, [3.5, 4.5])] == [2 / 3, 1 / 3]


def test_other_shapes_names_and_numbers_are_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"got shape \(2, 3\)"):
        statistics.mean(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="pairs need one run of both for every seed"):
        statistics.difference([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="no aggregate 'iqr'; there are: iqm, mean"):
        statistics.aggregate([[1.0]], "iqr")
    with pytest.raises(ValueError, match="these are in one alone"):
        statistics.probability_of_improvement({"a": [1.0]}, {"b": [1.0]})
    with pytest.raises(ValueError, match="same tasks; got 2 and 1"):
        statistics.probability_of_improvement([[1.0], [2.0]], [[1.0]])
    with pytest.raises(ValueError, match="0 or 1"):
        statistics.share([0.5])
