"""Counter-based random numbers: every draw is a pure function of (seed, stream, step, index).

Whether a run is trained alone or among others, at once or resumed, and with whichever sampler, it reads
the same bits for the same (seed, stream, step, index). The generator is NumPy's Philox4x64-10 (Salmon et
al. 2011), keyed by (seed, stream) and positioned by its counter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

WORDS_PER_COUNT = 8
"""32-bit words that one increment of Philox's counter yields (four of 64 bits)."""

BLOCK_STEPS = 256
"""Steps that `BlockStream` draws at once; no number depends on it."""


class Stream(IntEnum):
    """The independent streams of a run. Values are part of every run's numbers: never reuse one."""

    INIT = 1
    RESET = 2
    EXPLORE = 3
    REPLAY = 4
    EVALUATE = 5
    EVICT = 6
    DIAGNOSE = 7
    NOISE = 8
    ACT_NOISE = 9


def words(seed: int, stream: Stream, first_step: int, steps: int, width: int) -> np.ndarray:
    """Return the random words of `steps` consecutive steps of one run.

    Shape `[steps, width]`, dtype uint32, uniform over all 32-bit values. Row `i` belongs to step
    `first_step + i` and depends on nothing but (seed, stream, step) and its own index.
    """
    counts = -(-width // WORDS_PER_COUNT)
    # NumPy raises the counter before it generates, so position p is read by starting from p - 1;
    # the second counter word keeps streams of different width apart from one another.
    position = first_step * counts
    generator = np.random.Philox(key=np.array([seed, stream], np.uint64), counter=[0, counts, 0, 0])
    generator.advance(position)
    raw = generator.random_raw(steps * counts * 4)
    return raw.view(np.uint32).reshape(steps, counts * WORDS_PER_COUNT)[:, :width]


def identity(block: Tensor) -> Tensor:
    """Return a block as it is."""
    return block


class BlockStream:
    """The words of one stream for all lanes, drawn in blocks of steps.

    `transform` maps a whole block of words `[steps, L, width]` at once, instead of step by step.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        stream: Stream,
        width: int,
        transform: Callable[[Tensor], Tensor] = identity,
    ) -> None:
        self._seeds, self._stream, self._width = tuple(seeds), stream, width
        self._transform = transform
        self._first_step = -1
        self._block = torch.empty(0)

    def words_at(self, step: int) -> Tensor:
        """Return a step's words, `[L, width]`, int64 holding 32-bit values, or their transform."""
        self._draw(step - step % BLOCK_STEPS)
        return self._block[step - self._first_step]

    def words_from(self, step: int) -> np.ndarray:
        """Return the words of this step and those that follow in its block, `[steps, L, width]`."""
        self._draw(step - step % BLOCK_STEPS)
        return self._block[step - self._first_step :].numpy()

    def _draw(self, first_step: int) -> None:
        if first_step != self._first_step:
            position = self._stream, first_step, BLOCK_STEPS, self._width
            lanes = [words(seed, *position) for seed in self._seeds]
            self._block = self._transform(torch.from_numpy(np.stack(lanes, axis=1).astype(np.int64)))
            self._first_step = first_step


def unit_interval(bits: Tensor) -> Tensor:
    """Map 32-bit words to multiples of 2^-32 in [0, 1), as float64 of the same shape."""
    return bits.double() * 2.0**-32


def normal_words(numbers: int) -> int:
    """Return how many words `standard_normal` makes so many numbers of."""
    return numbers + numbers % 2


def standard_normal(bits: Tensor) -> Tensor:
    """Map an even number of 32-bit words in the last axis to as many normal numbers, float64.

    By the polar form of Box & Muller (1958).
    """
    first, second = bits.chunk(2, dim=-1)
    radius = (-2 * (unit_interval(first) + 2.0**-33).log()).sqrt()
    angle = 2 * torch.pi * unit_interval(second)
    return torch.cat((radius * angle.cos(), radius * angle.sin()), dim=-1)


def integers(bits: Tensor, bounds: Tensor | int) -> Tensor:
    """Map 32-bit words to integers in [0, bounds), int64.

    By multiplication and shift (Lemire 2019, without its rejection step): a value's probability is
    off by less than `bounds / 2^32` of itself.
    """
    return (bits * bounds) >> 32
