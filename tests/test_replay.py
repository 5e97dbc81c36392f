"""Storage, trees and samplers against naive twins and exact distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from ablation.envs.spec import EnvSpec
from ablation.experience import transition_fields
from ablation.memory import replay_bytes
from ablation.replay.priorities import Draws, Prioritized, Proportional, Rank
from ablation.replay.ring import Field, Ring, storage_bytes
from ablation.replay.samplers import Combined, Recent, Sampler, Uniform, UniformSubset
from ablation.replay.section_tree import FAN_OUT, max_tree, min_tree, sum_tree
from ablation.replay.weights import importance_weights
from ablation.streams import Stream, words

CPU = torch.device("cpu")
SIGNIFICANT = 1e-3
"""Frequencies are compared by a chi-squared test on fixed seeds; p-values below this fail."""


def bits_of(lanes: int, width: int, step: int = 0) -> Tensor:
    rows = [words(lane, Stream.REPLAY, step, 1, width)[0].astype(np.int64) for lane in range(lanes)]
    return torch.from_numpy(np.stack(rows)) if width else torch.zeros(lanes, 0, dtype=torch.int64)


def fill(ring: Ring, items: int, sampler: Sampler | None = None, first: int = 0) -> Ring:
    """Append items `(lane, number)` to every lane."""
    for number in range(first, first + items):
        lane = torch.arange(ring.lanes)
        item = {"x": torch.stack([lane, torch.full_like(lane, number)], dim=1).float()}
        slots = ring.append(item)
        if sampler is not None:
            sampler.added(slots, None)
    return ring


def ring_of(lanes: int, capacity: int, items: int = 0, sampler: Sampler | None = None) -> Ring:
    return fill(Ring({"x": Field((2,), torch.float32)}, lanes, capacity, CPU), items, sampler)


def proportional(capacity: int, lanes: int = 1, exponent: float = 0.7, **draws: Any) -> Prioritized:
    draws = {"batch_size": 32} | draws
    sampler = Prioritized(Proportional(1e-6, "error", True), Draws(**draws), lanes, capacity, CPU)
    sampler.exponent = exponent
    return sampler


def ranked(capacity: int, lanes: int = 1, exponent: float = 0.7, **draws: Any) -> Prioritized:
    draws = {"batch_size": 32} | draws
    sampler = Prioritized(Rank(lanes, capacity, CPU), Draws(**draws), lanes, capacity, CPU)
    sampler.exponent = exponent
    return sampler


def frequencies(sampler: Sampler, ring: Ring, draws: int = 1000) -> np.ndarray:
    slots = [sampler.sample(ring, bits_of(ring.lanes, sampler.width, step))[0] for step in range(draws)]
    return np.bincount(torch.cat(slots, 1).flatten().numpy(), minlength=int(ring.size.max()))


def assert_follows(counts: np.ndarray, exact: np.ndarray) -> None:
    assert stats.chisquare(counts, exact / exact.sum() * counts.sum()).pvalue > SIGNIFICANT


# Storage.


@pytest.mark.parametrize("items", [1, 4, 5, 6, 13])
def test_a_ring_keeps_the_newest_items_of_each_lane(items: int) -> None:
    ring = ring_of(lanes=3, capacity=5, items=items)
    assert ring.size.tolist() == [min(items, 5)] * 3
    stored = ring.gather(torch.arange(min(items, 5)).expand(3, -1))["x"]
    for lane in range(3):
        assert (stored[lane, :, 0] == lane).all()
        assert sorted(stored[lane, :, 1].tolist()) == list(range(max(0, items - 5), items))
    assert ring.gather(ring.newest.unsqueeze(1))["x"][:, 0, 1].tolist() == [items - 1] * 3


def test_lanes_that_store_different_numbers_of_items_equal_a_naive_twin() -> None:
    random = np.random.default_rng(0)
    ring = Ring({"x": Field((), torch.int64)}, 4, 7, CPU)
    naive: list[list[int]] = [[] for _ in range(4)]
    for number in range(60):
        lanes = np.flatnonzero(random.random(4) < 0.4)
        if not len(lanes):
            continue
        values = torch.full((4,), number)
        ring.append({"x": values}, torch.from_numpy(lanes))
        for lane in lanes:
            naive[lane] = [*naive[lane], number][-7:]
        assert ring.size.tolist() == [len(items) for items in naive]
        stored = ring.gather(torch.arange(7).expand(4, -1))["x"]
        for lane, items in enumerate(naive):
            assert sorted(stored[lane, : len(items)].tolist()) == items
            if items:
                assert stored[lane, ring.newest[lane]] == items[-1]


def test_random_eviction_replaces_every_slot_alike_and_only_when_full() -> None:
    ring, counts = ring_of(lanes=1, capacity=8, items=0), np.zeros(8)
    for number in range(4000):
        item = {"x": torch.tensor([[0.0, number]])}
        slot = ring.append(item, bits=bits_of(1, 1, number)[:, 0])
        if number < 8:
            assert slot.tolist() == [number]
        else:
            counts[slot] += 1
        assert ring.newest.tolist() == slot.tolist()
    assert_follows(counts, np.ones(8))


KINDS_OF_CELLS: list[dict[str, Any]] = [
    {"kind": "uniform", "capacity": 1000},
    {"kind": "proportional", "capacity": 1024},
    {"kind": "rank", "capacity": 1024, "priority_refresh_period": 1},
    {"kind": "proportional", "capacity": 1024, "new_priority": "max_present"},
    {"kind": "proportional", "capacity": 1024, "weight_normalisation": "pool_max"},
]


@pytest.mark.parametrize("replay", KINDS_OF_CELLS)
def test_planned_bytes_are_the_bytes_allocated(replay: dict[str, Any]) -> None:
    fields = transition_fields(EnvSpec(observation_size=4, actions=2))
    lanes, capacity = 3, replay["capacity"]
    ring = Ring(fields, lanes, capacity, CPU)
    allocated = sum(values.nbytes for values in ring._values.values())
    assert allocated == storage_bytes(fields, lanes, capacity)
    if replay["kind"] != "uniform":
        make = ranked if replay["kind"] == "rank" else proportional
        sampler = make(
            capacity,
            lanes,
            new_error=replay.get("new_priority", "max_seen"),
            pool_minimum="weight_normalisation" in replay,
        )
        trees = [tree for tree in (sampler._sums, sampler._minima, sampler._maxima) if tree]
        allocated += sum(level.nbytes for tree in trees for level in tree.levels)
        allocated += sampler._errors.nbytes
        allocated += getattr(sampler._weighing, "sorted", torch.empty(0)).nbytes
    planned = replay_bytes({"replay": replay, "agent": {"batch_size": 32}}, 4, lanes)
    assert planned == pytest.approx(allocated, rel=1e-3)


# Trees.


@pytest.mark.parametrize("leaves", [1, 2, FAN_OUT, FAN_OUT + 1, 1000, FAN_OUT**2 + 5])
def test_trees_equal_naive_twins_under_random_operations(leaves: int) -> None:
    random = np.random.default_rng(leaves)
    lanes, batch = 3, 16
    sums, largest = sum_tree(lanes, leaves, CPU), max_tree(lanes, leaves, CPU)
    smallest, naive = min_tree(lanes, leaves, CPU), np.zeros((lanes, leaves))
    for tree in (sums, largest, smallest):
        tree.fill(torch.from_numpy(naive))
    for turn in range(30):
        index = random.integers(leaves, size=(lanes, batch))
        value = np.where(random.random((lanes, leaves)) < 0.2, 0, random.random((lanes, leaves)))
        chosen = np.take_along_axis(value, index, 1)
        some = np.array([0, 2]) if turn % 2 else np.arange(lanes)
        only = torch.from_numpy(some) if turn % 2 else None
        for tree in (sums, largest, smallest):
            tree.set(torch.from_numpy(index[some]), torch.from_numpy(chosen[some]), only)
        np.put_along_axis(naive[some], index[some], chosen[some], 1)
        for row in some:
            naive[row, index[row]] = chosen[row]
        np.testing.assert_array_equal(sums.get(torch.arange(leaves).expand(lanes, -1)), naive)
        np.testing.assert_allclose(sums.root, naive.sum(1), rtol=1e-12)
        np.testing.assert_array_equal(largest.root, naive.max(1))
        np.testing.assert_array_equal(smallest.root, naive.min(1))
        if (naive.sum(1) == 0).any():
            continue
        mass = random.random((lanes, batch)) * naive.sum(1, keepdims=True)
        found = sums.find(torch.from_numpy(mass)).numpy()
        for lane in range(lanes):
            expected = np.searchsorted(np.cumsum(naive[lane]), mass[lane], side="right")
            np.testing.assert_array_equal(found[lane], expected)
            assert (naive[lane, found[lane]] > 0).all()


def test_a_mass_at_the_very_top_finds_the_last_leaf_that_is_not_empty() -> None:
    tree = sum_tree(1, 100, CPU)
    tree.set(torch.tensor([[3, 40]]), torch.tensor([[0.1, 0.2]], dtype=torch.float64))
    top = tree.root.unsqueeze(1)
    assert tree.find(torch.cat([torch.zeros_like(top), top, 2 * top], dim=1)).tolist() == [[3, 40, 40]]


# Samplers that do not look at errors.


def test_recent_draws_the_newest_in_order_and_uniform_every_item_alike() -> None:
    ring = ring_of(lanes=2, capacity=8, items=11)
    slots, probabilities = Recent(2, 4, CPU).sample(ring, bits_of(2, 0))
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


# Prioritized samplers.


def errors_of(items: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).exponential(size=(1, items))).float()


def exact_shares(errors: Tensor, kind: str, exponent: float) -> np.ndarray:
    values = errors[0].double().numpy()
    if kind == "proportional":
        mass = (np.abs(values) + 1e-6) ** exponent
    else:
        mass = stats.rankdata(-values) ** -exponent
    return mass / mass.sum()


MAKERS = {"proportional": proportional, "rank": ranked}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("stratified", [True, False])
def test_draws_follow_the_exact_distribution(kind: str, stratified: bool) -> None:
    sampler = MAKERS[kind](50, stratified=stratified)
    ring, errors = ring_of(1, 50, 50, sampler), errors_of(50)
    sampler.learned(torch.arange(50).unsqueeze(0), errors)
    exact = exact_shares(errors, kind, 0.7)
    slots, probabilities = sampler.sample(ring, bits_of(1, 32))
    np.testing.assert_allclose(probabilities[0], exact[slots[0]], rtol=1e-9)
    # Stratified draws vary less than independent ones, so the test is conservative.
    assert_follows(frequencies(sampler, ring), exact)


@pytest.mark.parametrize("kind", MAKERS)
def test_one_stratified_draw_falls_in_each_section(kind: str) -> None:
    sampler = MAKERS[kind](64, exponent=0.0, batch_size=8)
    ring = ring_of(1, 64, 64, sampler)
    sampler.learned(torch.arange(64).unsqueeze(0), errors_of(64))
    for step in range(20):
        slots, _ = sampler.sample(ring, bits_of(1, 8, step))
        assert (slots[0] // 8).tolist() == list(range(8))


@pytest.mark.parametrize("kind", MAKERS)
def test_draws_without_replacement_have_no_duplicates_and_leave_priorities_as_they_were(
    kind: str,
) -> None:
    sampler = MAKERS[kind](10, stratified=False, replacement=False, batch_size=4)
    ring, errors = ring_of(1, 10, 10, sampler), errors_of(10)
    sampler.learned(torch.arange(10).unsqueeze(0), errors)
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
    sampler.learned(torch.arange(20).unsqueeze(0), errors)
    exact = 0.7 * exact_shares(errors, kind, 0.7) + 0.3 / 20
    slots, probabilities = sampler.sample(ring, bits_of(1, sampler.width))
    np.testing.assert_allclose(probabilities[0], exact[slots[0]], rtol=1e-9)
    assert_follows(frequencies(sampler, ring), exact)


@pytest.mark.parametrize("kind", MAKERS)
def test_exponent_zero_is_uniform_and_weighs_nothing(kind: str) -> None:
    sampler = MAKERS[kind](10, exponent=0.0, batch_size=5)
    ring = ring_of(1, 10, 10, sampler)
    sampler.learned(torch.arange(5).unsqueeze(0), errors_of(5))
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
    sampler.learned(both, torch.tensor([[9.0, 1.0], [0.5, 0.1]]))
    sampler.learned(both, torch.tensor([[3.0, 1.0], [0.5, 0.1]]))
    fill(ring, 1, sampler, first=2)
    stored = sampler._sums.get(torch.full((2, 1), 2)).flatten()
    other = {"max_seen": 1.0, "max_present": 0.5}.get(new_error, expected)
    torch.testing.assert_close(stored, torch.tensor([expected, other]).double(), rtol=1e-4, atol=1e-5)


def test_epsilon_enters_where_it_is_told_to() -> None:
    errors = torch.tensor([[4.0]]).double()
    assert Proportional(0.1, "error", True).masses(errors, 0.5, None).item() == pytest.approx(4.1**0.5)
    assert Proportional(0.1, "priority", True).masses(errors, 0.5, None).item() == pytest.approx(2.1)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_non_finite_error_counts_as_the_largest_and_stays_in_its_lane(kind: str, bad: float) -> None:
    sampler = MAKERS[kind](8, 2, exponent=1.0, batch_size=4)
    ring = ring_of(2, 8, 8, sampler)
    every = torch.arange(8).expand(2, -1)
    errors = torch.linspace(1, 8, 8).expand(2, -1).clone()
    sampler.learned(every, errors)
    errors[0, 2] = bad
    sampler.learned(every, errors)
    _, probabilities = sampler.sample(ring, bits_of(2, 4))
    assert probabilities.isfinite().all()
    shares = sampler.probabilities(ring, every)
    assert shares[0, 2] >= shares[0, 6]
    assert shares[1, 2] < shares[1, 6]


def test_zero_errors_can_still_be_drawn() -> None:
    sampler = proportional(8, batch_size=8)
    ring = ring_of(1, 8, 8, sampler)
    sampler.learned(torch.arange(8).unsqueeze(0), torch.zeros(1, 8))
    assert sorted(sampler.sample(ring, bits_of(1, 8))[0][0].tolist()) == list(range(8))


def test_duplicates_in_a_batch_write_one_priority() -> None:
    sampler = proportional(8, exponent=1.0, batch_size=4)
    ring_of(1, 8, 8, sampler)
    sampler.learned(torch.tensor([[5, 5, 5, 1]]), torch.tensor([[2.0, 2.0, 2.0, 3.0]]))
    assert sampler._sums.root.item() == pytest.approx(6 + 2 + 3, rel=1e-5)


def test_a_changing_exponent_reaches_every_item_at_the_next_refresh() -> None:
    weighing = Proportional(1e-6, "error", False)
    sampler = Prioritized(weighing, Draws(4, refresh_period=1), 1, 8, CPU)
    sampler.exponent = 1.0
    ring, errors = ring_of(1, 8, 8, sampler), errors_of(8)
    sampler.learned(torch.arange(8).unsqueeze(0), errors)
    sampler.exponent = 0.3
    slots, probabilities = sampler.sample(ring, bits_of(1, 4))
    exact = exact_shares(errors, "proportional", 0.3)
    np.testing.assert_allclose(probabilities[0], exact[slots[0]], rtol=1e-9)


def test_between_sorts_an_item_takes_the_rank_that_its_error_would_have_had() -> None:
    sampler = ranked(4, exponent=1.0, batch_size=2, refresh_period=100)
    ring = ring_of(1, 4, 4, sampler)
    sampler.learned(torch.arange(4).unsqueeze(0), torch.tensor([[4.0, 3.0, 2.0, 1.0]]))
    sampler.sample(ring, bits_of(1, 2))
    sampler.learned(torch.tensor([[3]]), torch.tensor([[2.5]]))
    masses = sampler._sums.get(torch.arange(4).unsqueeze(0))[0]
    torch.testing.assert_close(masses, torch.tensor([1, 1 / 2, 1 / 3, 1 / 3]).double())


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
    plain = importance_weights(probabilities, size, 0.5, normalised=False)
    torch.testing.assert_close(plain, raw.float())


def test_the_smallest_probability_is_that_of_the_pool() -> None:
    sampler = proportional(8, pool_minimum=True)
    ring, errors = ring_of(1, 8, 5, sampler), errors_of(5)
    sampler.learned(torch.arange(5).unsqueeze(0), errors)
    exact = exact_shares(errors, "proportional", 0.7)
    assert sampler.smallest_probability(ring).item() == pytest.approx(exact.min(), rel=1e-9)
