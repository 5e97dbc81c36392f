"""Storage, sums and samplers against naive twins and exact distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from ablation.memory import replay_bytes
from ablation.replay.ring import Field, Ring, storage_bytes
from ablation.replay.samplers import Proportional, Recent, Uniform
from ablation.replay.sum_tree import FAN_OUT, SumTree
from ablation.replay.weights import importance_weights
from ablation.streams import Stream, words

CPU = torch.device("cpu")


def _bits(lanes: int, width: int, step: int = 0) -> torch.Tensor:
    rows = [words(lane, Stream.REPLAY, step, 1, width)[0].astype(np.int64) for lane in range(lanes)]
    return torch.from_numpy(np.stack(rows))


def _filled(lanes: int, capacity: int, items: int) -> Ring:
    ring = Ring({"x": Field((2,), torch.float32)}, lanes, capacity, CPU)
    for item in range(items):
        lane = torch.arange(lanes)
        ring.append({"x": torch.stack([lane, torch.full_like(lane, item)], dim=1).float()})
    return ring


@pytest.mark.parametrize("items", [1, 4, 5, 6, 13])
def test_a_ring_keeps_the_newest_items_of_each_lane(items: int) -> None:
    ring = _filled(lanes=3, capacity=5, items=items)
    assert ring.size == min(items, 5)
    slots = torch.arange(ring.size).expand(3, -1)
    stored = ring.gather(slots)["x"]
    for lane in range(3):
        assert (stored[lane, :, 0] == lane).all()
        assert sorted(stored[lane, :, 1].tolist()) == list(range(max(0, items - 5), items))
    newest = torch.full((3, 1), ring.newest)
    assert ring.gather(newest)["x"][:, 0, 1].tolist() == [items - 1] * 3


def test_planned_bytes_are_the_bytes_allocated() -> None:
    from ablation.envs.spec import EnvSpec
    from ablation.train import transition_fields

    fields = transition_fields(EnvSpec(observation_size=4, actions=2))
    cell = {"replay": {"kind": "uniform", "capacity": 1000}, "agent": {"batch_size": 32}}
    assert replay_bytes(cell, 4, 10) == storage_bytes(fields, 10, 1000)
    ring = Ring(fields, 10, 1000, CPU)
    allocated = sum(values.nbytes for values in ring._values.values())
    assert replay_bytes(cell, 4, 10) == allocated


@pytest.mark.parametrize("leaves", [1, 2, FAN_OUT, FAN_OUT + 1, 1000, FAN_OUT**2 + 5])
def test_a_sum_tree_equals_a_naive_twin_under_random_operations(leaves: int) -> None:
    random = np.random.default_rng(leaves)
    lanes, batch = 3, 16
    tree, naive = SumTree(lanes, leaves, CPU), np.zeros((lanes, leaves))
    for _ in range(30):
        index = random.integers(leaves, size=(lanes, batch))
        value = np.where(random.random((lanes, leaves)) < 0.2, 0, random.random((lanes, leaves)))
        chosen = np.take_along_axis(value, index, 1)
        tree.set(torch.from_numpy(index), torch.from_numpy(chosen))
        np.put_along_axis(naive, index, chosen, 1)
        np.testing.assert_array_equal(tree.get(torch.arange(leaves).expand(lanes, -1)), naive)
        np.testing.assert_allclose(tree.total, naive.sum(1), rtol=1e-12)
        if (naive.sum(1) == 0).any():
            continue
        mass = random.random((lanes, batch)) * naive.sum(1, keepdims=True)
        found = tree.find(torch.from_numpy(mass)).numpy()
        for lane in range(lanes):
            expected = np.searchsorted(np.cumsum(naive[lane]), mass[lane], side="right")
            np.testing.assert_array_equal(found[lane], expected)
            assert (naive[lane, found[lane]] > 0).all()


def test_a_mass_at_the_very_top_finds_the_last_leaf_that_is_not_empty() -> None:
    tree = SumTree(1, 100, CPU)
    tree.set(torch.tensor([[3, 40]]), torch.tensor([[0.1, 0.2]], dtype=torch.float64))
    top = tree.total.unsqueeze(1)
    assert tree.find(torch.cat([torch.zeros_like(top), top, 2 * top], dim=1)).tolist() == [[3, 40, 40]]


def test_recent_draws_the_newest_in_order_and_uniform_every_item_alike() -> None:
    ring = _filled(lanes=2, capacity=8, items=11)
    slots, probabilities = Recent(2, 4, CPU).sample(ring, torch.zeros(2, 0))
    assert ring.gather(slots)["x"][0, :, 1].tolist() == [7, 8, 9, 10]
    assert probabilities.tolist() == [[0.25] * 4] * 2
    draws = [Uniform(64).sample(ring, _bits(2, 64, step))[0] for step in range(200)]
    counts = np.bincount(torch.cat(draws).flatten().numpy(), minlength=8)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_partly_filled_ring_is_sampled_only_where_it_is_filled() -> None:
    ring = _filled(lanes=2, capacity=100, items=3)
    slots, probabilities = Uniform(64).sample(ring, _bits(2, 64))
    assert slots.max() < 3
    assert probabilities.unique().tolist() == [1 / 3]


def _proportional(lanes: int, capacity: int, batch: int, exponent: float) -> Proportional:
    return Proportional(lanes, capacity, batch, exponent, 1e-6, CPU)


def test_proportional_draws_follow_the_exact_distribution() -> None:
    ring, sampler = _filled(1, 50, 0), _proportional(1, 50, 32, 0.7)
    errors = torch.linspace(0.01, 3, 50)
    for item in range(50):
        sampler.added(ring.append({"x": torch.tensor([[0.0, item]])}))
    sampler.learned(torch.arange(50).unsqueeze(0), errors.unsqueeze(0))
    exact = (errors.double() + 1e-6) ** 0.7
    exact = exact / exact.sum()
    slots, probabilities = sampler.sample(ring, _bits(1, 32))
    torch.testing.assert_close(probabilities[0], exact[slots[0]], rtol=1e-9, atol=0)
    draws = torch.cat([sampler.sample(ring, _bits(1, 32, step))[0] for step in range(1000)], 1)
    counts = np.bincount(draws.flatten().numpy(), minlength=50)
    # Stratified draws vary less than independent ones, so the test is conservative.
    assert stats.chisquare(counts, exact.numpy() * counts.sum()).pvalue > 1e-3


def test_new_items_start_with_the_largest_priority_their_own_lane_has_seen() -> None:
    ring, sampler = _filled(2, 4, 0), _proportional(2, 4, 4, 1.0)
    for _ in range(2):
        sampler.added(ring.append({"x": torch.zeros(2, 2)}))
    sampler.learned(torch.tensor([[0, 1], [0, 1]]), torch.tensor([[9.0, 1.0], [0.5, 0.1]]))
    sampler.added(ring.append({"x": torch.zeros(2, 2)}))
    stored = sampler._tree.get(torch.arange(3).expand(2, -1)).float()
    torch.testing.assert_close(stored[0], torch.tensor([9.0, 1.0, 9.0]))
    torch.testing.assert_close(stored[1], torch.tensor([0.5, 0.1, 1.0]))


def test_exponent_zero_draws_uniformly_and_weighs_nothing() -> None:
    ring, sampler = _filled(1, 10, 0), _proportional(1, 10, 5, 0.0)
    for _ in range(10):
        sampler.added(ring.append({"x": torch.zeros(1, 2)}))
    sampler.learned(torch.arange(5).unsqueeze(0), torch.rand(1, 5) * 10)
    _, probabilities = sampler.sample(ring, _bits(1, 5))
    torch.testing.assert_close(probabilities, torch.full((1, 5), 0.1, dtype=torch.float64))
    assert importance_weights(probabilities, 10, 0.7).tolist() == [[1.0] * 5]


def test_weights_are_exactly_one_without_correction_and_follow_the_paper_with_it() -> None:
    probabilities = torch.tensor([[0.1, 0.2, 0.4]], dtype=torch.float64)
    assert importance_weights(probabilities, 7, 0.0).tolist() == [[1.0, 1.0, 1.0]]
    expected = (7 * probabilities) ** -0.5
    expected = (expected / expected.max()).float()
    torch.testing.assert_close(importance_weights(probabilities, 7, 0.5), expected)
