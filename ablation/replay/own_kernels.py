"""Compiled kernels of a user's sampler: their signatures, and the loops that call them for all lanes.

A kernel is a Numba `cfunc` of one of the signatures below; `state [K]` is the lane's row of one float64
array that holds all that the sampler remembers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types

from ablation.numerics.compiled import borrowing, c_function
from ablation.replay.component import ComponentError
from ablation.replay.kernels import Doubles, Integers, Singles

_DOUBLES, _INTEGERS, _SINGLES = types.float64[::1], types.int64[::1], types.float32[::1]

ADDED = types.void(_DOUBLES, types.int64)
"""`added(state, slot)`: a new item lies at `slot`."""
SAMPLE = types.void(_DOUBLES, types.int64, types.int64, types.int64, _DOUBLES, _INTEGERS, _DOUBLES)
"""`sample(state, size, newest, capacity, random, slots, probabilities)`: write the slots `[B]` to draw
and, if the class has a method `probabilities`, each one's probability per draw."""
UPDATE_PRIORITIES = types.void(_DOUBLES, _INTEGERS, _SINGLES)
"""`update_priorities(state, slots, errors)`: the TD errors `[B]` of the items at `slots [B]`."""


class OwnKernels(NamedTuple):
    """The state `[L, K]` of a user's compiled sampler, its kernels, and workspace of each lane.

    `random [L, W]` are the numbers of a draw; `refused [L, 2]` the slot that was out of range and how
    many items the lane has, whose number is 0 as long as there is none.
    """

    state: Doubles
    added: Any
    sample: Any
    update_priorities: Any
    random: Doubles
    refused: Integers


@c_function(ADDED)
def no_added(state: Doubles, slot: int) -> None:
    """Ignore a new item."""


@c_function(SAMPLE)
def no_sample(
    state: Doubles,
    size: int,
    newest: int,
    capacity: int,
    random: Doubles,
    slots: Integers,
    probabilities: Doubles,
) -> None:
    """Draw nothing: in place of a kernel where a sampler of ours draws."""


@c_function(UPDATE_PRIORITIES)
def no_update(state: Doubles, slots: Integers, errors: Singles) -> None:
    """Ignore TD errors."""


NO_KERNELS = OwnKernels(
    np.zeros((0, 0)), no_added, no_sample, no_update, np.zeros((0, 0)), np.zeros((0, 2), np.int64)
)


def check_signatures(path: str, added: Any, sample: Any, update_priorities: Any) -> None:
    """Raise `ComponentError` for a kernel that is no `cfunc` of its signature."""
    given = {"ADDED": added, "SAMPLE": sample, "UPDATE_PRIORITIES": update_priorities}
    for name, kernel in given.items():
        signature = getattr(kernel, "_sig", None)
        if signature != globals()[name]:
            raise ComponentError(
                f"{path}: kernel {name.lower()} is {signature or type(kernel).__name__}; expected is "
                f"numba.cfunc(ablation.replay.own_kernels.{name})"
            )


@borrowing
def sample_lane(
    own: OwnKernels,
    lane: int,
    counts: tuple[int, int, int],
    words: Integers,
    slots: Integers,
    probabilities: Doubles,
) -> None:
    """Write the slots `[B]` that a lane draws; one out of range is noted and replaced by 0.

    `counts` are its number of items, the slot of the newest one, and the buffer's capacity.
    """
    random = own.random[lane]
    for number in range(len(random)):
        random[number] = words[number] * 2.0**-32
    own.sample(own.state[lane], counts[0], counts[1], counts[2], random, slots, probabilities)
    for number in range(len(slots)):
        if slots[number] < 0 or slots[number] >= counts[0]:
            own.refused[lane, 0], own.refused[lane, 1] = slots[number], counts[0]
            slots[number] = 0


@borrowing
def sample_lanes(
    own: OwnKernels,
    size: Integers,
    newest: Integers,
    capacity: int,
    words: Integers,
    slots: Integers,
    probabilities: Doubles,
) -> None:
    """Write the slots `[L, B]` that all lanes draw, given random words `[L, W]`."""
    for lane in range(len(size)):
        counts = size[lane], newest[lane], capacity
        sample_lane(own, lane, counts, words[lane], slots[lane], probabilities[lane])


@borrowing
def add_items(own: OwnKernels, lanes: Integers, slots: Integers) -> None:
    """Tell the kernels of new items at `slots [M]` of `lanes [M]`."""
    for row in range(len(lanes)):
        own.added(own.state[lanes[row]], slots[row])


@borrowing
def update_lanes(own: OwnKernels, slots: Integers, errors: Singles) -> None:
    """Tell the kernels the TD errors of the items at `slots [L, B]`."""
    for lane in range(len(slots)):
        own.update_priorities(own.state[lane], slots[lane], errors[lane])
