"""Greedy prioritization (Schaul et al. 2016, section 3.2): always the items of largest TD error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablation.replay.kernels import FAN_OUT, MAX
from ablation.replay.powers import bitwise_log
from ablation.replay.ring import Ring
from ablation.replay.segment_tree import SegmentTree


class Greedy:
    """The `batch_size` items whose absolute TD errors were largest when last seen; ties by slot.

    New items come first, so that each is learned from once. Nothing is random, and importance weights
    have no meaning: the batch is drawn for certain.
    """

    width, weighted = 0, False

    def __init__(self, batch_size: int, lanes: int, capacity: int) -> None:
        self._batch_size = batch_size
        self._errors = SegmentTree(lanes, capacity, MAX)
        self._lanes = torch.arange(lanes)

    def on_add(self, slots: Tensor, lanes: Tensor | None) -> None:
        """Put new items before all others."""
        unseen = torch.full_like(slots, torch.inf, dtype=torch.float64).unsqueeze(1)
        self._errors.set(slots.unsqueeze(1), unseen, lanes)

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Return the slots of the largest errors, the largest first."""
        drawn, errors = [], []
        for _ in range(self._batch_size):
            drawn.append(self._largest())
            errors.append(self._errors.get(drawn[-1]))
            if self._batch_size > 1:
                self._errors.set(drawn[-1], torch.full_like(errors[-1], -torch.inf))
        slots = torch.cat(drawn, dim=1)
        if self._batch_size > 1:
            self._errors.set(slots, torch.cat(errors, dim=1))
        return slots, self.probabilities(ring, slots)

    def probabilities(self, ring: Ring, slots: Tensor) -> Tensor:  # noqa: ARG002
        """Return an equal share of the batch for each item; that of one that is not in it is 0."""
        return torch.full(slots.shape, 1 / self._batch_size, dtype=torch.float64)

    def smallest_probability(self, ring: Ring) -> Tensor:
        """Return zeros: most items cannot be drawn."""
        return torch.zeros_like(ring.size, dtype=torch.float64)

    def sampling_entropy(self, ring: Ring) -> tuple[Tensor, Tensor]:
        """Return those of equal probabilities within the batch: log B nats, and B."""
        size = torch.full_like(ring.size, self._batch_size, dtype=torch.float64)
        return bitwise_log(size), size

    def update_priorities(self, slots: Tensor, errors: Tensor) -> None:
        """Remember the items' new errors; one that is not finite counts as infinite."""
        errors = errors.abs().double()
        self._errors.set(slots, torch.where(errors.isfinite(), errors, torch.inf))

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        return {"errors": self._errors.leaves}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self._errors.fill(state["errors"])

    def _largest(self) -> Tensor:
        """Return the slot of each lane's largest error, `[L, 1]`."""
        index = torch.zeros_like(self._lanes)
        for level in reversed(self._errors.levels):
            index = index * FAN_OUT + level[self._lanes, index].argmax(dim=-1)
        return index.unsqueeze(1)
