"""Frames packed and unpacked, compiled for the processor; see `frames` for what they are.

Rows are the lanes' frames, `[L * F, bytes]`: bits, lowest first, or bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ablation.numerics.compiled import compiled

Bytes = NDArray[np.uint8]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

AGE_BITS = 8
"""A frame's handle is its number in its lane, and in so many lowest bits its place in its episode."""


@compiled
def _pack(numbers: Singles, bits: bool, packed: Bytes) -> None:
    """Write a frame's numbers as bits or bytes."""
    if bits:
        for place in range(len(packed)):
            byte = 0
            for bit in range(min(8, len(numbers) - 8 * place)):
                byte |= (numbers[8 * place + bit] != 0) << bit
            packed[place] = byte
    else:
        for place in range(len(packed)):
            packed[place] = np.uint8(numbers[place] * np.float32(255) + np.float32(0.5))


@compiled
def _unpack(packed: Bytes, bits: bool, bit_values: Singles, numbers: Singles) -> None:
    """Write a frame's numbers, `bit_values [256, 8]` being those of each byte of bits."""
    if bits:
        whole = len(numbers) // 8
        for place in range(whole):
            values = bit_values[packed[place]]
            for bit in range(8):
                numbers[8 * place + bit] = values[bit]
        for bit in range(len(numbers) - 8 * whole):
            numbers[8 * whole + bit] = bit_values[packed[whole], bit]
    else:
        for place in range(len(numbers)):
            numbers[place] = np.float32(packed[place]) / np.float32(255)


@compiled
def store(
    rows: Bytes,
    bits: bool,
    size: int,
    observation: Singles,
    following: Singles,
    begins: Flags,
    follows: Flags,
    count: Integers,
    age: Integers,
    oldest_age: int,
    handles: Integers,
) -> None:
    """Store the new frames of a step and write the handles `[2, L]` of both observations."""
    kept = len(rows) // len(count)
    for lane in range(len(count)):
        if begins[lane]:
            row = rows[lane * kept + count[lane] % kept]
            _pack(observation[lane, observation.shape[1] - size :], bits, row)
            count[lane] += 1
            age[lane] = 0
        handles[0, lane] = (count[lane] - 1) << AGE_BITS | age[lane]
        if follows[lane]:
            row = rows[lane * kept + count[lane] % kept]
            _pack(following[lane, following.shape[1] - size :], bits, row)
            count[lane] += 1
            age[lane] = min(age[lane] + 1, oldest_age)
        handles[1, lane] = (count[lane] - 1) << AGE_BITS | age[lane]


@compiled
def load(
    rows: Bytes,
    bits: bool,
    size: int,
    bit_values: Singles,
    places: Integers,
    ages: Integers,
    numbers: Singles,
) -> None:
    """Write the observations `[L, B, O]` whose newest frames lie at `places [L, B]`."""
    lanes, draws, length = numbers.shape
    kept, stack = len(rows) // lanes, length // size
    for lane in range(lanes):
        for draw in range(draws):
            for back in range(stack):
                end = length - back * size
                frame = numbers[lane, draw, end - size : end]
                if back > ages[lane, draw]:
                    frame[:] = 0
                else:
                    place = (places[lane, draw] - back) % kept
                    _unpack(rows[lane * kept + place], bits, bit_values, frame)
