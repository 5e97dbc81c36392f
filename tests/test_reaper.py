"""ReaPER's priorities (examples/samplers) are those of the paper's definition, written out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from .sweeps import ROOT

CAPACITY, ALPHA, OMEGA = 17, 0.4, 0.7


def by_definition(stored: dict[int, list[Any]]) -> dict[int, float]:
    """Return R^omega |d|^alpha of `slot -> [episode, position, |d|, ended with it]`."""
    episodes: dict[int, list[tuple[int, int]]] = {}
    for slot, (episode, position, _, _) in stored.items():
        episodes.setdefault(episode, []).append((position, slot))
    sums = {name: sum(stored[slot][2] for _, slot in own) for name, own in episodes.items()}
    priorities = {}
    for name, own in episodes.items():
        ordered = [slot for _, slot in sorted(own)]
        so_far = 0.0
        for slot in ordered:
            error = stored[slot][2]
            so_far += error
            if stored[ordered[-1]][3]:
                reliability = 1 - (sums[name] - so_far) / sums[name]
            else:
                reliability = so_far / max(sums.values())
            priorities[slot] = reliability**OMEGA * error**ALPHA
    return priorities


def leave(stored: dict[int, list[Any]], slot: int) -> None:
    """Remove an item; if it ended its episode, the one before it now does."""
    episode, _, _, over = stored.pop(slot, (None, 0, 0.0, False))
    rest = [one for one in stored.values() if one[0] == episode]
    if over and rest:
        max(rest, key=lambda one: one[1])[3] = True


@pytest.mark.parametrize("truncation_ends", [True, False])
def test_priorities_follow_the_definition(
    truncation_ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples/samplers")
    from reaper import ReaPER  # type: ignore[import-not-found, unused-ignore]

    rng, stored, largest, episode, position = np.random.default_rng(0), {}, 1.0, 0, 0
    sampler = ReaPER(1, CAPACITY, 4, ALPHA, OMEGA, truncation_ends)
    for step in range(300):
        # First the oldest item is overwritten, then a random one.
        slot = step % CAPACITY if step < 150 else int(rng.integers(CAPACITY))
        terminated, truncated = rng.random(2) < 0.1
        leave(stored, slot)
        over = terminated or (truncated and truncation_ends)
        stored[slot] = [episode, position, largest, over]
        facts = {"slots": slot, "position": position, "terminated": terminated, "truncated": truncated}
        arrays = {name: np.array([value]) for name, value in facts.items()}
        sampler.added(SimpleNamespace(lanes=np.array([0]), **arrays))
        ended = terminated or truncated
        episode, position = (episode + 1, 0) if ended else (episode, position + 1)
        if step < 6:
            continue
        slots = rng.choice(sorted(stored), 4)
        errors = rng.exponential(size=4).astype(np.float32)
        sampler.update_priorities(slots[None], errors[None])
        for one, error in zip(slots, errors, strict=True):
            stored[one][2] = float(error)
            largest = max(largest, float(error))
        expected = by_definition(stored)
        learned = {stored[one][0] for one in slots}
        for one in stored:
            if stored[one][0] in learned:
                assert sampler.table.priority[0, one] == pytest.approx(expected[one])


def test_a_new_item_has_the_largest_error_seen_and_full_reliability(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples/samplers")
    from reaper import ReaPER

    sampler = ReaPER(1, CAPACITY, 1, ALPHA, OMEGA)
    for slot in range(3):
        new = {"lanes": 0, "slots": slot, "position": slot, "terminated": False, "truncated": False}
        sampler.added(SimpleNamespace(**{name: np.array([value]) for name, value in new.items()}))
    assert sampler.table.priority[0, :3].tolist() == [1, 1, 1]
    sampler.update_priorities(np.array([[1]]), np.array([[4.0]], np.float32))
    new = {"lanes": 0, "slots": 3, "position": 3, "terminated": False, "truncated": False}
    sampler.added(SimpleNamespace(**{name: np.array([value]) for name, value in new.items()}))
    assert sampler.table.priority[0, 3] == pytest.approx(4**ALPHA)
