"""Counter-based random numbers: every draw is a pure function of (seed, stream, step, index).

A run may be trained alone or among others, at once or resumed, with any sampler: as long as it asks
for the same (seed, stream, step, index) it reads the same bits. The generator is NumPy's
Philox4x64-10 (Salmon et al. 2011), keyed by (seed, stream) and positioned by its counter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from ablation.numerics.compiled import runs_compiled
from ablation.philox import tensor_words

WORDS_PER_COUNT = 8
"""32-bit words that one increment of Philox's counter yields (four of 64 bits)."""

BLOCK_STEPS = 256
"""Steps drawn at once by `BlockStream`; no number depends on it."""


class Stream(IntEnum):
    """The independent streams of a run. Values are part of every run's numbers: never reuse one."""

    INIT = 1
    RESET = 2
    EXPLORE = 3
    REPLAY = 4
    EVALUATE = 5
    EVICT = 6
    DIAGNOSE = 7


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


def as_words(block: Tensor) -> Tensor:
    """Return a block as it is."""
    return block


class BlockStream:
    """The words of one stream for all lanes, drawn in blocks of steps and handed out step by step.

    `prepare` is what is done to a whole block of words at once, `[steps, L, width]`, to save doing it
    step by step.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        stream: Stream,
        width: int,
        device: torch.device,
        prepare: Callable[[Tensor], Tensor] = as_words,
    ) -> None:
        self._seeds = tuple(seeds)
        self._prepare = prepare
        self._stream = stream
        self._width = width
        self._device = device
        self._first_step = -1
        self._block: Sequence[Tensor] = ()
        self._current: Tensor | None = None

    @property
    def current(self) -> Tensor:
        """The part of the step last turned to; words are `[L, width]`, int64 holding 32-bit values.

        On accelerators always the same tensor, so that captured operations find the numbers there.
        """
        assert self._current is not None, "turn to a step first"
        return self._current

    def turn(self, step: int) -> None:
        """Make a step's part of the block the current one."""
        first_step = step - step % BLOCK_STEPS
        if first_step != self._first_step:
            self._block = self._draw(first_step)
            self._first_step = first_step
        part = self._block[step - first_step]
        if runs_compiled(self._device):
            self._current = part
        elif self._current is None:
            self._current = part.clone()
        else:
            self._current.copy_(part)

    def at(self, step: int) -> Tensor:
        """Turn to a step and return its part."""
        self.turn(step)
        return self.current

    def _draw(self, first_step: int) -> Sequence[Tensor]:
        place = self._stream, first_step, BLOCK_STEPS, self._width
        if not runs_compiled(self._device):
            return self._prepare(tensor_words(self._seeds, *place, self._device)).unbind()
        lanes = [words(seed, *place) for seed in self._seeds]
        return self._prepare(torch.from_numpy(np.stack(lanes, axis=1).astype(np.int64))).unbind()


def unit_interval(bits: Tensor) -> Tensor:
    """Map 32-bit words to multiples of 2^-32 in [0, 1), as float64 of the same shape."""
    return bits.double() * 2.0**-32


def integers(bits: Tensor, bounds: Tensor | int) -> Tensor:
    """Map 32-bit words to integers in [0, bounds), int64.

    By multiplication and shift (Lemire 2019, without its rejection step): a value's probability is
    off by less than `bounds / 2^32` of itself.
    """
    return (bits * bounds) >> 32
