"""Compares how often a sampler draws each item with the probabilities that it states."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ablation.checks.outcome import Counterexample
from ablation.checks.play import Play
from ablation.numerics.random_streams import Stream, words

LEVEL = 0.001
"""Probability that a sampler as it should be fails one of all tests."""
TESTS = 24
"""At most so many are made of one sampler; each has its share of the level (Bonferroni)."""
BATCHES = 1000
LEAST = 5
"""Items that are expected to be drawn less often than this are counted together."""


def compare_frequencies(play: Play, when: str) -> int:
    """Draw many batches from a buffer as it is and return how many tests were made, one a lane.

    Raises `Counterexample` with the item that is farthest off.
    """
    ring, sampler = play.buffer.ring, play.buffer.sampler
    play.buffer.items.at(play.step)
    stored = int(ring.size.min())
    slots = torch.arange(stored).repeat(ring.lanes, 1)
    stated = sampler.probabilities(ring, slots).numpy()
    drawn = np.zeros((ring.lanes, ring.capacity), np.int64)
    at = Stream.REPLAY, 10**6, BATCHES, sampler.width
    bits = np.stack([words(lane, *at) for lane in range(ring.lanes)], axis=1).astype(np.int64)
    for batch in torch.from_numpy(bits):
        chosen = sampler.sample(ring, batch)[0].numpy()
        for lane in range(ring.lanes):
            drawn[lane] += np.bincount(chosen[lane], minlength=ring.capacity)
    for lane in range(ring.lanes):
        if int(ring.size[lane]) == stored:
            _compare(stated[lane], drawn[lane, :stored], f"lane {lane} {when}")
    return ring.lanes


def _compare(stated: NDArray[np.float64], drawn: NDArray[np.int64], where: str) -> None:
    from scipy.stats import chisquare

    if not np.isclose(stated.sum(), 1, atol=1e-6):
        raise Counterexample(f"{where}: the probabilities of all items add up to {stated.sum():.6g}")
    expected = stated * drawn.sum()
    often = expected >= LEAST
    observed, hoped = (np.append(counts[often], counts[~often].sum()) for counts in (drawn, expected))
    if hoped[-1] == 0:
        if observed[-1]:
            slot = int(np.flatnonzero(~often & (drawn > 0))[0])
            raise Counterexample(f"{where}: slot {slot} of probability 0 was drawn")
        observed, hoped = observed[:-1], hoped[:-1]
    p_value = chisquare(observed, hoped * observed.sum() / hoped.sum()).pvalue if len(hoped) > 1 else 1
    if p_value < LEVEL / TESTS:
        worst = int(np.argmax(np.abs(drawn - expected) / np.sqrt(expected + 1)))
        raise Counterexample(
            f"{where}: slot {worst} has probability {stated[worst]:.4g} and was drawn {drawn[worst]} "
            f"times in {drawn.sum()} (chi-squared p = {p_value:.1g})"
        )
