"""Where replay's distribution is known to matter: a table with exact values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from benchmarks.cliffwalk import exact_values, transitions, updates_needed


@pytest.mark.parametrize("n", [2, 5])
def test_the_exact_values_solve_bellmans_equation_on_the_memorys_transitions(n: int) -> None:
    values, item = exact_values(n), transitions(n)
    assert len(item["state"]) == 2 ** (n + 1) - 2
    assert item["reward"].sum() == 1
    ahead = torch.cat([values, torch.zeros(1, 2)])[item["state"] + 1].amax(dim=1)
    target = item["reward"] + item["discount"] * ahead
    torch.testing.assert_close(values[item["state"], item["action"]], target)


@pytest.mark.parametrize("kind", ["proportional", "rank"])
def test_prioritized_needs_fewer_updates_than_uniform_ever_more_so_with_n(kind: str) -> None:
    _assert_growing_gain(kind, [3, 5, 7])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["proportional", "rank"])
def test_prioritized_gains_all_the_way_to_twelve_states(kind: str) -> None:
    _assert_growing_gain(kind, [2, 4, 8, 12])


def _assert_growing_gain(kind: str, sizes: list[int]) -> None:
    gains = []
    for n in sizes:
        uniform, prioritized = (updates_needed(name, n, seeds=10) for name in ("uniform", kind))
        gains.append(np.median(uniform) / np.median(prioritized))
    assert all(gain > 1 for gain in gains[1:])
    assert all(later > earlier for earlier, later in itertools.pairwise(gains)), gains
