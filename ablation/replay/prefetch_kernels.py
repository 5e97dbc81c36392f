"""Loads a lane's next batch into the caches while the gradient step on this one computes."""

from __future__ import annotations

from ablation.numerics.compiled import merged
from ablation.numerics.scalars import address_of, prefetch
from ablation.replay.kernels import Integers
from ablation.replay.lane_kernels import UNIFORM, Buffer


@merged
def prefetch_uniform(buffer: Buffer, lane: int, words: Integers, new_items: int) -> None:
    """Load the items that the next batch of uniform draws will read, while something else is computed.

    A buffer larger than the caches takes longer to read than to learn from. `words [B]` are those of
    the next draw, `new_items` the items that will be added before it.
    """
    items = buffer.items
    if buffer.sampling.sampler == UNIFORM:
        size = min(items.size[lane] + new_items, items.capacity)
        rows, usage = items.singles[lane * items.capacity :], items.usage[lane]
        for number in range(buffer.sampling.draws):
            slot = (words[number] * size) >> 32
            row = address_of(rows) + slot * rows.strides[0]
            prefetch(row)
            prefetch(row + rows.strides[0] - 1)
            prefetch(address_of(usage) + slot * usage.strides[0])
