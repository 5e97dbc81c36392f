"""Which items of a buffer no gradient step has seen, compiled."""

from __future__ import annotations

import numpy as np

from ablation.numerics.compiled import borrowing, compiled
from ablation.replay.kernels import Counts, Integers, Singles


@compiled
def new_items(
    table: Counts,
    size: Integers,
    newest: Integers,
    gradient_steps: int,
    slots: Integers,
    weights: Singles,
) -> None:
    """Write slots and weights `[L, B]` of the new items of all lanes; see `lane_new_items`."""
    for lane in range(len(slots)):
        lane_new_items(table, size, newest, lane, gradient_steps, slots[lane], weights[lane])


@borrowing
def lane_new_items(
    table: Counts,
    size: Integers,
    newest: Integers,
    lane: int,
    gradient_steps: int,
    slots: Integers,
    weights: Singles,
) -> None:
    """Write a lane's slots of items stored after so many gradient steps, oldest first; count the draws.

    `table [L, C, 3]` is that of `ItemUsage`. Of B slots with k new items, these have the weight B / k;
    the newest item fills up with a weight of 0.
    """
    records, new = table[lane], 0
    while new < min(size[lane], len(slots)):
        if records[(newest[lane] - new) % len(records), 1] != gradient_steps:
            break
        new += 1
    for number in range(len(slots)):
        slots[number] = (newest[lane] - max(new - 1 - number, 0)) % len(records)
        weights[number] = np.float32(0)
        if number < new:
            weights[number] = np.float32(len(slots)) / np.float32(new)
            records[slots[number], 2] += 1
