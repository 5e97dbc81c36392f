"""Rings and trees against naive twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablation.config.cell import Cell
from ablation.config.parse import parse
from ablation.envs.spec import EnvSpec
from ablation.replay.buffer import ReplayBuffer, transition_fields
from ablation.replay.kernels import FAN_OUT, MAX, MIN, SUM
from ablation.replay.ring import Field, Ring, storage_bytes
from ablation.replay.segment_tree import SegmentTree
from ablation.sweep.estimates.memory import replay_bytes

from .conftest import values
from .replay_helpers import (
    assert_follows,
    bits_of,
    ring_of,
)

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
    ring = Ring({"x": Field((), torch.int64)}, 4, 7)
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
        slot = ring.append(item, words=bits_of(1, 1, number)[:, 0])
        if number < 8:
            assert slot.tolist() == [number]
        else:
            counts[slot] += 1
        assert ring.newest.tolist() == slot.tolist()
    assert_follows(counts, np.ones(8))


@pytest.mark.parametrize("evicts_at_random", [True, False])
def test_fields_of_any_shape_and_type_come_back_as_a_naive_twin_keeps_them(
    evicts_at_random: bool,
) -> None:
    fields = {"x": Field((3,), torch.float32), "y": Field((), torch.int64), "z": Field((), torch.uint8)}
    ring, capacity = Ring(fields, 4, 6), 6
    naive: list[dict[int, dict[str, Tensor]]] = [{} for _ in range(4)]
    newest = [-1] * 4
    random = torch.Generator().manual_seed(0)
    for number in range(60):
        item = {
            "x": torch.rand((4, 3), generator=random),
            "y": torch.randint(-5, 5, (4,), generator=random),
            "z": torch.randint(0, 256, (4,), generator=random, dtype=torch.uint8),
        }
        lanes = None if number % 3 else (torch.rand(4, generator=random) < 0.5).nonzero().flatten()
        words = bits_of(4, 1, number)[:, 0]
        for lane in range(4) if lanes is None else lanes.tolist():
            full = len(naive[lane]) == capacity
            chosen = int(words[lane]) * capacity >> 32 if full else len(naive[lane])
            newest[lane] = chosen if evicts_at_random else (newest[lane] + 1) % capacity
            naive[lane][newest[lane]] = {name: values[lane] for name, values in item.items()}
        ring.append(item, lanes, words if evicts_at_random else None)
    assert ring.newest.tolist() == newest
    slots = bits_of(4, 5) % capacity
    for batch in (ring.gather(slots), ring.copy_of(slots)):
        for lane, row in enumerate(slots.tolist()):
            for draw, slot in enumerate(row):
                for name, items in batch.items():
                    assert torch.equal(items[lane, draw], naive[lane][slot][name])


KINDS_OF_CELLS: list[dict[str, Any]] = [
    {"kind": "uniform", "capacity": 1000},
    {"kind": "proportional", "capacity": 1024},
    {"kind": "rank", "capacity": 1024, "priority_refresh_period": 1},
    {"kind": "proportional", "capacity": 1024, "new_priority": "max_present"},
    {"kind": "proportional", "capacity": 1024, "weight_normalisation": "pool_max"},
]


@pytest.mark.parametrize("replay", KINDS_OF_CELLS)
def test_planned_bytes_are_the_bytes_allocated(replay: dict[str, Any]) -> None:
    changes = {f"replay__{key}": value for key, value in replay.items()}
    cell = Cell(parse(values(**changes, train__env_steps=2000)))
    fields = transition_fields(EnvSpec(observation_shape=(4,), actions=2))
    buffer = ReplayBuffer(cell.config, cell.schedule, fields, [0, 1, 2])
    assert isinstance(buffer.ring, Ring)
    allocated = buffer.ring._items.nbytes
    assert allocated == storage_bytes(fields, 3, replay["capacity"])
    allocated += buffer.usage.table.nbytes
    sampler = buffer.prioritized
    if sampler is not None:
        trees = [tree for tree in (sampler._sums, sampler._minima, sampler._maxima) if tree]
        allocated += sum(tree.values.nbytes for tree in trees)
        allocated += sampler._errors.nbytes
        allocated += getattr(sampler._scheme, "sorted", torch.empty(0)).nbytes
    assert replay_bytes(cell, 4, 3) == allocated


# Trees.


@pytest.mark.parametrize("leaves", [1, 2, FAN_OUT, FAN_OUT + 1, 1000, FAN_OUT**2 + 5])
def test_trees_equal_naive_twins_under_random_operations(leaves: int) -> None:
    random = np.random.default_rng(leaves)
    lanes, batch = 3, 16
    sums, largest, smallest = (SegmentTree(lanes, leaves, what) for what in (SUM, MAX, MIN))
    naive = np.zeros((lanes, leaves))
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
    tree = SegmentTree(1, 100, SUM)
    tree.set(torch.tensor([[3, 40]]), torch.tensor([[0.1, 0.2]], dtype=torch.float64))
    top = tree.root.unsqueeze(1)
    assert tree.find(torch.cat([torch.zeros_like(top), top, 2 * top], dim=1)).tolist() == [[3, 40, 40]]
