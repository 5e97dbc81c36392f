"""Uniform sampling twice, to measure what a sampler of one's own costs: in NumPy, and as kernels."""

import numpy as np
from numba import cfunc

from ablation.replay.own import CompiledSampler
from ablation.replay.own_kernels import ADDED, SAMPLE, UPDATE_PRIORITIES


class Uniform:
    """Every stored item with the same probability."""

    def __init__(self, lanes, capacity, batch_size):
        """Keep nothing."""

    def added(self, items):
        """Do nothing."""

    def sample(self, items, random):
        """Return slots `[L, B]`."""
        return (random * items.size[:, None]).astype(np.int64)

    def update_priorities(self, slots, errors):
        """Do nothing."""


@cfunc(ADDED, cache=True)
def added(state, slot):
    """Do nothing."""


@cfunc(SAMPLE, cache=True)
def sample(state, size, newest, capacity, random, slots, probabilities):
    """Write slots `[B]` of one lane."""
    for draw in range(len(slots)):
        slots[draw] = int(random[draw] * size)


@cfunc(UPDATE_PRIORITIES, cache=True)
def update_priorities(state, slots, errors):
    """Do nothing."""


class CompiledUniform:
    """The same as kernels, which become part of the compiled training loop."""

    def __init__(self, lanes, capacity, batch_size):
        self.memory = np.zeros((lanes, 1))

    def compiled(self):
        """Return the kernels, and the memory `[L, K]` of which each is given its lane's row."""
        return CompiledSampler(self.memory, added, sample, update_priorities)
