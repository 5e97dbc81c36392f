"""The oracle of Schaul et al. (2016, section 3.1): it knows which update is the best."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.replay.ring import Ring
from ablation.replay.samplers import PriorityFree, SamplerInputs
from ablation.tasks.cliffwalk.chain import Tables


class Oracle(PriorityFree):
    """Draws the transition whose update lowers a table's squared error the most."""

    width = 0

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._slots: NDArray[np.int64] | None = None

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Return the slot `[L, 1]` of that transition, and its probability, 1.

        The buffer must be full: where each state and action lie in it is read once.
        """
        if self._slots is None:
            self._slots = _slots_of_pairs(ring, self._tables.n)
        change = self._tables.losses_after().reshape(self._slots.shape)
        best = change.argmin(axis=1)[:, None]
        slots = torch.from_numpy(np.take_along_axis(self._slots, best, axis=1))
        return slots, torch.ones(slots.shape, dtype=torch.float64)


def oracle(inputs: SamplerInputs) -> Oracle:
    """Return the sampler of the kind `oracle`; the learner is the `Tables` that it looks at."""
    return Oracle(inputs.learner)


def _slots_of_pairs(ring: Ring, n: int) -> NDArray[np.int64]:
    """Return the last slot of each state and action in a full ring, `[L, n * 2]`."""
    slots = torch.arange(ring.capacity).expand(ring.lanes, -1)
    items = ring.copy_of(slots)
    pairs = (2 * items["state"] + items["action"]).numpy()
    last = np.zeros((ring.lanes, 2 * n), np.int64)
    for lane in range(ring.lanes):
        np.maximum.at(last[lane], pairs[lane], slots[lane].numpy())
    return last
