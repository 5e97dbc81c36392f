"""The order in which runs see a stream's examples: turn after turn, each equally long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TURNS = 5
"""Turns of a run."""

Integers = NDArray[np.int64]


def drawn(turns: Integers, seeds: Sequence[int], steps: int) -> Integers:
    """Return which example each run sees at each step, `[L, steps]`, uniform over those of the turn.

    `turns [N]` are those of the examples. A function of (seed, step) alone.
    """
    # It imports PyTorch, which a plan does without.
    from ablation.numerics.random_streams import Stream, words

    order, first, sizes, turn = _by_turn(turns, steps)
    random = np.stack([words(seed, Stream.RESET, 0, steps, 1)[:, 0] for seed in seeds]).astype(np.int64)
    return order[first[turn] + ((random * sizes[turn]) >> 32)]


def in_sequence(turns: Integers, seeds: Sequence[int], steps: int) -> Integers:
    """Return which example each run sees at each step, `[L, steps]`: those of a turn in their order.

    `turns [N]` are those of the examples; all runs see the same. Raises `ValueError` where a turn has
    fewer examples than steps.
    """
    order, first, sizes, turn = _by_turn(turns, steps)
    position = np.arange(steps) - np.searchsorted(turn, turn)
    if (position >= sizes[turn]).any():
        raise ValueError(f"{steps} steps are more than the examples of the data set")
    return np.tile(order[first[turn] + position], (len(seeds), 1))


def _by_turn(turns: Integers, steps: int) -> tuple[Integers, Integers, Integers, Integers]:
    """Return the examples sorted by turn, each turn's first place and size, and each step's turn."""
    sizes = np.bincount(turns, minlength=TURNS)
    turn = np.arange(steps) * TURNS // steps
    return np.argsort(turns, kind="stable"), np.cumsum(sizes) - sizes, sizes, turn
