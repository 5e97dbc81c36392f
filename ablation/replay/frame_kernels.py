"""Compiled loops of `FrameStore`: frames are packed and unpacked.

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
"""Lowest bits of an observation's handle, which hold its age; those above hold its newest frame's number
in its lane."""


@compiled
def _pack(numbers: Singles, bits: bool, packed: Bytes) -> None:
    """Write a frame's numbers as bits or bytes."""
    if bits:
        for index in range(len(packed)):
            byte = 0
            for bit in range(min(8, len(numbers) - 8 * index)):
                byte |= (numbers[8 * index + bit] != 0) << bit
            packed[index] = byte
    else:
        for index in range(len(packed)):
            packed[index] = np.uint8(numbers[index] * np.float32(255) + np.float32(0.5))


@compiled
def _unpack(packed: Bytes, bits: bool, bit_values: Singles, numbers: Singles) -> None:
    """Write a frame's numbers, `bit_values [256, 8]` being those of each byte of bits."""
    if bits:
        whole = len(numbers) // 8
        for index in range(whole):
            values = bit_values[packed[index]]
            for bit in range(8):
                numbers[8 * index + bit] = values[bit]
        for bit in range(len(numbers) - 8 * whole):
            numbers[8 * whole + bit] = bit_values[packed[whole], bit]
    else:
        for index in range(len(numbers)):
            numbers[index] = np.float32(packed[index]) / np.float32(255)


@compiled
def store(
    rows: Bytes,
    bits: bool,
    size: int,
    observation: Singles,
    next_observation: Singles,
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
            _pack(next_observation[lane, next_observation.shape[1] - size :], bits, row)
            count[lane] += 1
            age[lane] = min(age[lane] + 1, oldest_age)
        handles[1, lane] = (count[lane] - 1) << AGE_BITS | age[lane]


@compiled
def load(
    rows: Bytes,
    bits: bool,
    size: int,
    bit_values: Singles,
    newest: Integers,
    ages: Integers,
    numbers: Singles,
) -> None:
    """Write the observations `[L, B, O]` whose newest frames lie at `newest [L, B]`."""
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
                    row = (newest[lane, draw] - back) % kept
                    _unpack(rows[lane * kept + row], bits, bit_values, frame)
