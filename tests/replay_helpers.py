"""What the tests of replay share: filled rings, samplers, random words, exact shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from ablation.numerics.random_streams import Stream, words
from ablation.replay.prioritized import Draws, Prioritized
from ablation.replay.priority_schemes import Proportional, Rank
from ablation.replay.ring import Field, Ring
from ablation.replay.samplers import Sampler

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
            sampler.on_add(slots, None)
    return ring


def ring_of(lanes: int, capacity: int, items: int = 0, sampler: Sampler | None = None) -> Ring:
    return fill(Ring({"x": Field((2,), torch.float32)}, lanes, capacity), items, sampler)


def proportional(capacity: int, lanes: int = 1, exponent: float = 0.7, **draws: Any) -> Prioritized:
    draws = {"batch_size": 32} | draws
    sampler = Prioritized(Proportional(1e-6, "error", True), Draws(**draws), lanes, capacity)
    sampler.exponent = exponent
    return sampler


def ranked(capacity: int, lanes: int = 1, exponent: float = 0.7, **draws: Any) -> Prioritized:
    draws = {"batch_size": 32} | draws
    sampler = Prioritized(Rank(lanes, capacity), Draws(**draws), lanes, capacity)
    sampler.exponent = exponent
    return sampler


def frequencies(sampler: Sampler, ring: Ring, draws: int = 1000) -> np.ndarray:
    slots = [sampler.sample(ring, bits_of(ring.lanes, sampler.width, step))[0] for step in range(draws)]
    return np.bincount(torch.cat(slots, 1).flatten().numpy(), minlength=int(ring.size.max()))


def assert_follows(counts: np.ndarray, exact: np.ndarray) -> None:
    assert stats.chisquare(counts, exact / exact.sum() * counts.sum()).pvalue > SIGNIFICANT


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
