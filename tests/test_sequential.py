"""The group-sequential test: its errors over all looks, what it saves, and the intervals it gives."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from ablation.study.looks import Decision, Looks, declare
from analysis import statistics
from analysis.effects.sequential import decide
from analysis.statistics import Sample

STUDIES = 1_000
MOST, ARMS = 40, 6
Draw = Callable[[np.random.Generator, tuple[int, ...]], Sample]
"""Draws scores of mean 0 and standard deviation 1."""


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Sample:
    return rng.normal(size=shape)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Sample:
    """Scores that pile up below a bound: beta with exponents 1.5 and 0.5."""
    return (rng.beta(1.5, 0.5, size=shape) - 0.75) / 0.25


def adaptive(
    rng: np.random.Generator, draw: Draw, effects: Sample, looks: Looks
) -> tuple[Looks, Sample]:
    """Run one simulated study look by look; return its looks and the differences of all seeds."""
    scores = draw(rng, (len(effects) + 1, looks.declared[-1]))
    differences = scores[1:] + effects[:, None] - scores[0]
    family = {str(arm): differences[arm] for arm in range(len(effects))}
    while not looks.finished and len(looks.decisions) < len(effects):
        looks = decide(looks, {"e": family})
    return looks, differences


def found(looks: Looks) -> dict[int, int]:
    """Return the seeds that each arm that was found different had, by its number."""
    return {int(each.arm): each.seeds for each in looks.decisions if each.different}


def family_wise_error(draw: Draw, effects: Sample, studies: int) -> float:
    """Return the share of studies that find an arm without an effect different."""
    rng = np.random.default_rng(0)
    runs = (found(adaptive(rng, draw, effects, declare(MOST))[0]) for _ in range(studies))
    return sum(any(effects[arm] == 0 for arm in arms) for arms in runs) / studies


@pytest.mark.slow
@pytest.mark.parametrize("draw", [normal, skewed])
@pytest.mark.parametrize("planted", [0, 3])
def test_arms_equal_to_the_baseline_are_found_different_in_few_studies(draw: Draw, planted: int) -> None:
    effects = np.array([1.0] * planted + [0.0] * (ARMS - planted))
    error = family_wise_error(draw, effects, STUDIES)
    print(f"\n{draw.__name__}, {planted} of {ARMS} arms differ: family-wise error {100 * error:.1f} %")
    # 5 % and two standard errors of a share of 1,000 studies.
    assert error <= 0.064


@pytest.mark.slow
def test_effects_of_one_standard_deviation_take_at_most_70_percent_of_a_fixed_designs_runs() -> None:
    rng, effects = np.random.default_rng(1), np.array([1.0] * 3 + [0.0] * 3)
    runs, power, fixed = [], [], []
    for _ in range(STUDIES // 2):
        looks, differences = adaptive(rng, normal, effects, declare(MOST))
        arms = found(looks)
        runs += [arms.get(arm, MOST) / MOST for arm in range(3)]
        power += [arm in arms for arm in range(3)]
        p_values = [statistics.difference(d, np.zeros(MOST)).p_value for d in differences]
        fixed += (statistics.holm(p_values)[:3] <= 0.05).tolist()
    shares = [float(np.mean(x)) for x in (runs, power, fixed)]
    print("\nruns {:.2f}, found {:.3f}, by the fixed design {:.3f}".format(*shares))
    assert shares[0] <= 0.7
    assert shares[1] >= shares[2] - 0.05


@pytest.mark.slow
def test_intervals_hold_whenever_an_arm_stopped() -> None:
    rng, held, studies = np.random.default_rng(2), 0, 400
    for _ in range(studies):
        looks, differences = adaptive(rng, skewed, np.array([0.8]), declare(MOST))
        taken = looks.until("e", "0")
        interval = statistics.sequential_difference(differences[0], taken, len(looks.declared))
        held += not (interval.low > 0.8 or interval.high < 0.8)
    print(f"\nintervals hold in {100 * held / studies:.1f} % of studies")
    assert held / studies >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / studies)


def test_a_family_without_effects_is_seldom_told_apart() -> None:
    assert family_wise_error(normal, np.zeros(3), 60) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)


def test_a_rejection_is_one_at_every_higher_level_and_no_later() -> None:
    rng, looks = np.random.default_rng(3), declare(MOST).declared
    for _ in range(50):
        x = rng.normal(0.4, 1, MOST)
        at = [statistics.first_rejection(x, looks, len(looks), level) for level in (0.004, 0.01, 0.05)]
        when = [math.inf if each is None else each for each in at]
        assert when == sorted(when, reverse=True)


def test_looks_that_are_still_to_come_change_nothing() -> None:
    rng, looks = np.random.default_rng(4), [10, 15, 20]
    for _ in range(50):
        x = rng.normal(0.7, 1, 20)
        whole = statistics.first_rejection(x, looks, 3, 0.05)
        for taken in (1, 2, 3):
            early = statistics.first_rejection(x[: looks[taken - 1]], looks[:taken], 3, 0.05)
            assert early == (whole if whole is not None and whole < taken else None)


def test_at_one_look_it_is_the_sign_flip_test() -> None:
    rng = np.random.default_rng(5)
    for shift in (0.2, 0.5, 0.9, 1.4):
        x = rng.normal(shift, 1, 12)
        p_value = statistics.sign_flip_p_value(x)
        assert statistics.first_rejection(x, [12], 1, p_value * 0.8) is None
        assert statistics.first_rejection(x, [12], 1, p_value * 1.2 + 0.002) == 0


def test_missing_runs_are_left_out_and_few_seeds_decide_nothing() -> None:
    x = np.array([2.0, np.nan, 3, 2, np.nan, 4, 3, 2, 3, 4, 2, 3])
    assert statistics.first_rejection(x, [12], 1, 0.05) == 0
    assert statistics.first_rejection(x[:4], [4], 1, 0.05) is None
    assert statistics.first_rejection(np.full(12, np.nan), [12], 1, 0.05) is None
    assert statistics.first_rejection(np.zeros(12), [12], 1, 0.05) is None


def test_an_interval_excludes_zero_where_the_test_rejects_it() -> None:
    rng, looks = np.random.default_rng(6), declare(MOST).declared
    for shift in (0.0, 0.5, 1.0):
        for _ in range(4):
            x = rng.normal(shift, 1, MOST)
            interval = statistics.sequential_difference(x, looks, len(looks))
            rejected = statistics.first_rejection(x, looks, len(looks), 0.05) is not None
            assert (interval.low > 0 or interval.high < 0) == rejected
            assert interval.low < interval.value < interval.high
    nothing = statistics.sequential_difference(rng.normal(size=MOST), [], 5)
    assert nothing.n == 0
    assert math.isnan(nothing.low)


def test_decided_arms_stay_decided_and_the_last_look_leaves_none() -> None:
    rng, looks = np.random.default_rng(7), declare(20)
    far, near = rng.normal(5, 1, 20), np.tile([1.0, -1.0], 10)
    while not looks.finished:
        looks = decide(looks, {"e": {"far": far, "near": near}})
    assert looks.decisions == [Decision("e", "far", 11, True), Decision("e", "near", 20, False)]
    assert looks.until("e", "far") == [8, 11]
    assert looks.until("e", "near") == looks.declared == [8, 11, 14, 17, 20]
