"""Loads items into the caches ahead of their use: reading a large buffer takes longer than learning.

`singles [L * C, W]` are the items' rows and `usage [L, C, 3]` their records of use, of `capacity` C.
"""

from __future__ import annotations

from ablation.numerics.compiled import merged
from ablation.numerics.scalars import address_of, prefetch
from ablation.replay.kernels import Counts, Integers, Singles


@merged
def prefetch_items(singles: Singles, usage: Counts, capacity: int, lane: int, slots: Integers) -> None:
    """Ask for the items at `slots [B]` of a lane."""
    for number in range(len(slots)):
        _prefetch(singles, usage, lane, lane * capacity + slots[number], slots[number])


@merged
def prefetch_uniform(
    singles: Singles, usage: Counts, capacity: int, lane: int, words: Integers, draws: int, size: int
) -> None:
    """Ask for the items that uniform draws will choose from `size` items by their random `words`."""
    for number in range(draws):
        slot = (words[number] * size) >> 32
        _prefetch(singles, usage, lane, lane * capacity + slot, slot)


@merged
def _prefetch(singles: Singles, usage: Counts, lane: int, row: int, slot: int) -> None:
    begin = address_of(singles) + row * singles.strides[0]
    prefetch(begin)
    prefetch(begin + singles.strides[0] - 1)
    prefetch(address_of(usage) + lane * usage.strides[0] + slot * usage.strides[1])
