"""n-step transitions against a naive twin: tails stored, nothing joined across an end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ablation.replay.n_step import NStep

LANES, GAMMA = 3, 0.9


def _walk(steps: int) -> list[tuple[dict[str, torch.Tensor], torch.Tensor]]:
    """Return random one-step transitions; observations count up, so that joins are visible."""
    random = np.random.default_rng(0)
    walk = []
    for step in range(steps):
        terminated, truncated = random.random(LANES) < 0.15, random.random(LANES) < 0.1
        lanes = torch.arange(LANES).float()
        here = torch.stack([lanes, torch.full((LANES,), float(step))], 1)
        transition = {
            "observation": here,
            "action": torch.from_numpy(random.integers(5, size=LANES)),
            "reward": torch.from_numpy(random.normal(size=LANES).astype(np.float32)),
            "discount": torch.from_numpy((GAMMA * ~terminated).astype(np.float32)),
            "next_observation": here + torch.tensor([0.0, 0.5]),
        }
        walk.append((transition, torch.from_numpy(terminated | truncated)))
    return walk


def _naive(walk: list[Any], n: int, lane: int) -> list[tuple[float, int, float, float, float]]:
    """Return what must be stored for a lane, computed from whole episodes."""
    rows = [({name: value[lane] for name, value in item.items()}, bool(end[lane])) for item, end in walk]
    stored: list[tuple[int, Any]] = []
    begin = 0
    for at, (_, ended) in enumerate(rows):
        if not ended and at + 1 < len(rows):
            continue
        for start in range(begin, at + 1):
            last = min(start + n - 1, at)
            if last - start + 1 < n and not ended:
                continue
            total = sum(GAMMA**k * rows[start + k][0]["reward"].item() for k in range(last - start + 1))
            discount = GAMMA ** (last - start) * rows[last][0]["discount"].item()
            first, final = rows[start][0], rows[last][0]
            item = (
                first["observation"][1].item(),
                int(first["action"]),
                total,
                discount,
                final["next_observation"][1].item(),
            )
            stored.append((last, item))
        begin = at + 1
    return [item for _, item in sorted(stored, key=lambda pair: (pair[0], pair[1][0]))]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_emitted_transitions_equal_a_naive_twins(n: int) -> None:
    walk = _walk(80)
    accumulator = NStep(n, GAMMA, walk[0][0])
    found: list[list[tuple[float, int, float, float, float]]] = [[] for _ in range(LANES)]
    for transition, ended in walk:
        for item, lanes in accumulator.push(transition, ended):
            for lane in range(LANES) if lanes is None else lanes.tolist():
                assert item["observation"][lane, 0] == lane
                found[lane].append(
                    (
                        item["observation"][lane, 1].item(),
                        int(item["action"][lane]),
                        item["reward"][lane].item(),
                        item["discount"][lane].item(),
                        item["next_observation"][lane, 1].item(),
                    )
                )
    for lane in range(LANES):
        expected = _naive(walk, n, lane)
        assert len(found[lane]) == len(expected) > 60
        np.testing.assert_allclose(found[lane], expected, rtol=1e-5, atol=1e-6)


def test_one_step_is_the_transition_itself() -> None:
    walk = _walk(5)
    accumulator = NStep(1, GAMMA, walk[0][0])
    for transition, ended in walk:
        ((item, lanes),) = accumulator.push(transition, ended)
        assert item is transition
        assert lanes is None


def test_a_restored_accumulator_goes_on_as_the_original() -> None:
    walk = _walk(40)
    original, restored = NStep(3, GAMMA, walk[0][0]), NStep(3, GAMMA, walk[0][0])
    for transition, ended in walk[:20]:
        list(original.push(transition, ended))
    restored.restore(original.state())
    for transition, ended in walk[20:]:
        ours = [item for item, _ in original.push(transition, ended)]
        theirs = [item for item, _ in restored.push(transition, ended)]
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert all(torch.equal(a[name], b[name]) for name in a)
