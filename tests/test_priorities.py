"""Prioritized samplers against their exact distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ablation.replay.powers import bitwise_pow
from ablation.replay.prioritized import Draws, Prioritized
from ablation.replay.priority_schemes import Proportional
from ablation.replay.weights import importance_weights

from .replay_helpers import (
    MAKERS,
    assert_follows,
    bits_of,
    errors_of,
    exact_shares,
    fill,
    frequencies,
    proportional,
    ranked,
    ring_of,
)

# Prioritized samplers.


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("stratified", [True, False])
def test_draws_follow_the_exact_distribution(kind: str, stratified: bool) -> None:
    sampler = MAKERS[kind](50, stratified=stratified)
    ring, errors = ring_of(1, 50, 50, sampler), errors_of(50)
    sampler.update_priorities(torch.arange(50).unsqueeze(0), errors)
    exact = exact_shares(errors, kind, 0.7)
    slots, probabilities = sampler.sample(ring, bits_of(1, 32))
    np.testing.assert_allclose(probabilities[0], exact[slots[0]], rtol=1e-9)
    # Stratified draws vary less than independent ones, so the test is conservative.
    assert_follows(frequencies(sampler, ring), exact)


@pytest.mark.parametrize("kind", MAKERS)
def test_one_stratified_draw_falls_in_each_section(kind: str) -> None:
    sampler = MAKERS[kind](64, exponent=0.0, batch_size=8)
    ring = ring_of(1, 64, 64, sampler)
    sampler.update_priorities(torch.arange(64).unsqueeze(0), errors_of(64))
    for step in range(20):
        slots, _ = sampler.sample(ring, bits_of(1, 8, step))
        assert (slots[0] // 8).tolist() == list(range(8))


@pytest.mark.parametrize("kind", MAKERS)
def test_draws_without_replacement_have_no_duplicates_and_leave_priorities_as_they_were(
    kind: str,
) -> None:
    sampler = MAKERS[kind](10, stratified=False, replacement=False, batch_size=4)
    ring, errors = ring_of(1, 10, 10, sampler), errors_of(10)
    sampler.update_priorities(torch.arange(10).unsqueeze(0), errors)
    exact = exact_shares(errors, kind, 0.7)
    first = []
    for step in range(3000):
        slots, probabilities = sampler.sample(ring, bits_of(1, 4, step))
        assert len(set(slots[0].tolist())) == 4
        np.testing.assert_allclose(probabilities[0], exact[slots[0]], rtol=1e-9)
        first.append(slots[0, 0].item())
    assert_follows(np.bincount(first, minlength=10), exact)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_uniform_share_mixes_the_two_distributions(kind: str) -> None:
    sampler = MAKERS[kind](20, uniform_share=0.3, stratified=False)
    ring, errors = ring_of(1, 20, 20, sampler), errors_of(20)
    sampler.update_priorities(torch.arange(20).unsqueeze(0), errors)
    exact = 0.7 * exact_shares(errors, kind, 0.7) + 0.3 / 20
    slots, probabilities = sampler.sample(ring, bits_of(1, sampler.width))
    np.testing.assert_allclose(probabilities[0], exact[slots[0]], rtol=1e-9)
    assert_follows(frequencies(sampler, ring), exact)


@pytest.mark.parametrize("kind", MAKERS)
def test_exponent_zero_is_uniform_and_weighs_nothing(kind: str) -> None:
    sampler = MAKERS[kind](10, exponent=0.0, batch_size=5)
    ring = ring_of(1, 10, 10, sampler)
    sampler.update_priorities(torch.arange(5).unsqueeze(0), errors_of(5))
    _, probabilities = sampler.sample(ring, bits_of(1, 5))
    assert probabilities.tolist() == [[0.1] * 5]
    assert importance_weights(probabilities, ring.size, 0.7).tolist() == [[1.0] * 5]


@pytest.mark.parametrize(
    ("new_error", "expected"), [("max_seen", 9.0), ("max_present", 3.0), (0.25, 0.25)]
)
def test_new_items_start_as_configured_and_as_their_own_lane_has_it(
    new_error: Any, expected: float
) -> None:
    sampler = proportional(4, 2, exponent=1.0, batch_size=2, new_error=new_error)
    ring = ring_of(2, 4, 2, sampler)
    both = torch.tensor([[0, 1], [0, 1]])
    sampler.update_priorities(both, torch.tensor([[9.0, 1.0], [0.5, 0.1]]))
    sampler.update_priorities(both, torch.tensor([[3.0, 1.0], [0.5, 0.1]]))
    fill(ring, 1, sampler, first=2)
    stored = sampler._sums.get(torch.full((2, 1), 2)).flatten()
    other = {"max_seen": 1.0, "max_present": 0.5}.get(new_error, expected)
    torch.testing.assert_close(stored, torch.tensor([expected, other]).double(), rtol=1e-4, atol=1e-5)


def test_epsilon_enters_where_it_is_told_to() -> None:
    errors = torch.tensor([[4.0]]).double()
    assert Proportional(0.1, "error", True).priorities(errors, 0.5, None).item() == pytest.approx(
        4.1**0.5
    )
    assert Proportional(0.1, "priority", True).priorities(errors, 0.5, None).item() == pytest.approx(2.1)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_non_finite_error_counts_as_the_largest_and_stays_in_its_lane(kind: str, bad: float) -> None:
    sampler = MAKERS[kind](8, 2, exponent=1.0, batch_size=4)
    ring = ring_of(2, 8, 8, sampler)
    every = torch.arange(8).expand(2, -1)
    errors = torch.linspace(1, 8, 8).expand(2, -1).clone()
    sampler.update_priorities(every, errors)
    errors[0, 2] = bad
    sampler.update_priorities(every, errors)
    _, probabilities = sampler.sample(ring, bits_of(2, 4))
    assert probabilities.isfinite().all()
    shares = sampler.probabilities(ring, every)
    assert shares[0, 2] >= shares[0, 6]
    assert shares[1, 2] < shares[1, 6]


def test_zero_errors_can_still_be_drawn() -> None:
    sampler = proportional(8, batch_size=8)
    ring = ring_of(1, 8, 8, sampler)
    sampler.update_priorities(torch.arange(8).unsqueeze(0), torch.zeros(1, 8))
    assert sorted(sampler.sample(ring, bits_of(1, 8))[0][0].tolist()) == list(range(8))


def test_duplicates_in_a_batch_write_one_priority() -> None:
    sampler = proportional(8, exponent=1.0, batch_size=4)
    ring_of(1, 8, 8, sampler)
    sampler.update_priorities(torch.tensor([[5, 5, 5, 1]]), torch.tensor([[2.0, 2.0, 2.0, 3.0]]))
    assert sampler._sums.root.item() == pytest.approx(6 + 2 + 3, rel=1e-5)


def test_a_changing_exponent_reaches_every_item_at_the_next_refresh() -> None:
    scheme = Proportional(1e-6, "error", False)
    sampler = Prioritized(scheme, Draws(4, refresh_period=1), 1, 8)
    sampler.exponent = 1.0
    ring, errors = ring_of(1, 8, 8, sampler), errors_of(8)
    sampler.update_priorities(torch.arange(8).unsqueeze(0), errors)
    sampler.exponent = 0.3
    slots, probabilities = sampler.sample(ring, bits_of(1, 4))
    exact = exact_shares(errors, "proportional", 0.3)
    np.testing.assert_allclose(probabilities[0], exact[slots[0]], rtol=1e-9)


def test_between_sorts_an_item_takes_the_rank_that_its_error_would_have_had() -> None:
    sampler = ranked(4, exponent=1.0, batch_size=2, refresh_period=100)
    ring = ring_of(1, 4, 4, sampler)
    sampler.update_priorities(torch.arange(4).unsqueeze(0), torch.tensor([[4.0, 3.0, 2.0, 1.0]]))
    sampler.sample(ring, bits_of(1, 2))
    sampler.update_priorities(torch.tensor([[3]]), torch.tensor([[2.5]]))
    priorities = sampler._sums.get(torch.arange(4).unsqueeze(0))[0]
    torch.testing.assert_close(priorities, torch.tensor([1, 1 / 2, 1 / 3, 1 / 3]).double())


def test_a_power_has_the_same_bits_alone_and_among_others() -> None:
    base = torch.rand(997, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
    together = bitwise_pow(base, 0.6)
    alone = torch.cat([bitwise_pow(number.reshape(1), 0.6) for number in base])
    assert torch.equal(together, alone)
    torch.testing.assert_close(together, base**0.6, rtol=1e-15, atol=0)
