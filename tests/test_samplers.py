"""Samplers that do not look at errors, and weights: exact distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ablation.replay.greedy import Greedy
from ablation.replay.ring import Field, Ring
from ablation.replay.samplers import Combined, Recent, Uniform, UniformSubset
from ablation.replay.weights import importance_weights

from .replay_helpers import (
    assert_follows,
    bits_of,
    errors_of,
    exact_shares,
    fill,
    frequencies,
    proportional,
    ring_of,
)

# Samplers that do not look at errors.


def test_recent_draws_the_newest_in_order_and_uniform_every_item_alike() -> None:
    ring = ring_of(lanes=2, capacity=8, items=11)
    slots, probabilities = Recent(2, 4).sample(ring, bits_of(2, 0))
    assert ring.gather(slots)["x"][0, :, 1].tolist() == [7, 8, 9, 10]
    assert probabilities.tolist() == [[0.125] * 4] * 2
    assert_follows(frequencies(Uniform(64), ring, 200), np.ones(8))


def test_a_partly_filled_ring_is_sampled_only_where_it_is_filled() -> None:
    ring = ring_of(lanes=2, capacity=100, items=3)
    slots, probabilities = Uniform(64).sample(ring, bits_of(2, 64))
    assert slots.max() < 3
    assert probabilities.unique().tolist() == [1 / 3]


@pytest.mark.parametrize("size", [8, 9, 40])
def test_a_uniform_subset_has_no_duplicates_and_holds_every_item_alike(size: int) -> None:
    ring, sampler = ring_of(lanes=2, capacity=size, items=size + 3), UniformSubset(8)
    for step in range(50):
        for row in sampler.sample(ring, bits_of(2, 8, step))[0].tolist():
            assert len(set(row)) == 8
    assert_follows(frequencies(sampler, ring), np.ones(size))


def test_a_capacity_of_one_batch_without_replacement_is_the_whole_pool() -> None:
    ring = ring_of(lanes=1, capacity=8, items=20)
    slots, _ = UniformSubset(8).sample(ring, bits_of(1, 8))
    assert sorted(slots[0].tolist()) == list(range(8))


@pytest.mark.parametrize("make", [lambda: Uniform(7), lambda: proportional(50, 2, batch_size=7)])
def test_combined_has_the_newest_item_in_every_batch(make: Any) -> None:
    sampler = Combined(make())
    ring = ring_of(2, 50, 0)
    for step in range(60):
        fill(ring, 1, sampler, first=step)
        slots, probabilities = sampler.sample(ring, bits_of(2, sampler.width, step))
        assert slots.shape == probabilities.shape == (2, 8)
        assert torch.equal(slots[:, -1], ring.newest)


# Weights.


def test_weights_are_exactly_one_without_correction_and_follow_the_paper_with_it() -> None:
    probabilities = torch.tensor([[0.1, 0.2, 0.4]], dtype=torch.float64)
    size = torch.tensor([7])
    assert importance_weights(probabilities, size, 0.0).tolist() == [[1.0, 1.0, 1.0]]
    raw = (7 * probabilities) ** -0.5
    batch = importance_weights(probabilities, size, 0.5)
    torch.testing.assert_close(batch, (raw / raw.max()).float())
    pool = importance_weights(probabilities, size, 0.5, torch.tensor([0.05]).double())
    torch.testing.assert_close(pool, (raw / (7 * 0.05) ** -0.5).float())
    plain = importance_weights(probabilities, size, 0.5, normalized=False)
    torch.testing.assert_close(plain, raw.float())


def test_the_smallest_probability_is_that_of_the_pool() -> None:
    sampler = proportional(8, buffer_minimum=True)
    ring, errors = ring_of(1, 8, 5, sampler), errors_of(5)
    sampler.update_priorities(torch.arange(5).unsqueeze(0), errors)
    exact = exact_shares(errors, "proportional", 0.7)
    assert sampler.smallest_probability(ring).item() == pytest.approx(exact.min(), rel=1e-9)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_greedy_draws_the_largest_errors_and_first_what_was_never_drawn(batch_size: int) -> None:
    """Against a naive twin, over additions of some lanes, wrap-arounds, ties and non-finite errors."""
    random, lanes, capacity = np.random.default_rng(batch_size), 3, 11
    ring = Ring({"value": Field((), torch.float32)}, lanes, capacity)
    sampler = Greedy(batch_size, lanes, capacity)
    naive = np.full((lanes, capacity), -np.inf)
    for turn in range(60):
        some = torch.tensor([0, 2]) if turn % 3 else torch.arange(lanes)
        for _ in range(batch_size if turn == 0 else 1):
            slots = ring.append({"value": torch.zeros(lanes)}, some)
            sampler.on_add(slots, some)
            naive[some, slots] = np.inf
        drawn, probabilities = sampler.sample(ring, torch.empty(lanes, 0))
        expected = np.argsort(-naive, axis=1, kind="stable")[:, :batch_size]
        np.testing.assert_array_equal(drawn, expected)
        assert (probabilities == 1 / batch_size).all()
        errors = random.choice([-2.0, -1.0, 0.0, 0.5, 1.0, np.nan], size=(lanes, batch_size))
        sampler.update_priorities(drawn, torch.from_numpy(errors))
        noted = np.where(np.isnan(errors), np.inf, np.abs(errors))
        np.put_along_axis(naive, drawn.numpy(), noted, axis=1)


def test_divided_by_the_pools_largest_weight_a_gradient_keeps_its_direction() -> None:
    """Its expectation is the unprioritized one times size * smallest P, whatever the priorities."""
    values = np.random.default_rng(3)
    priorities, gradients = values.exponential(size=(2, 50)), values.normal(size=(2, 50)) + 0.3
    chances = torch.from_numpy(priorities / priorities.sum(axis=1, keepdims=True))
    size, smallest = torch.tensor([50, 50]), chances.amin(dim=1)
    weights = importance_weights(chances, size, 1.0, smallest)
    expected = (chances * weights * torch.from_numpy(gradients)).sum(dim=1)
    factor = 50 * smallest.numpy()
    assert (factor < 0.2).all()
    assert expected.numpy() == pytest.approx(factor * gradients.mean(axis=1), rel=1e-5)
