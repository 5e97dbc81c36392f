"""Which items are drawn: samplers share one interface and take their randomness as an argument."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from ablation.replay.ring import Ring
from ablation.replay.sum_tree import SumTree
from ablation.streams import integers, unit_interval


class Sampler(Protocol):
    """Draws slots of a ring for all lanes at once."""

    width: int
    """Random words that one draw takes for each lane."""

    def added(self, slot: int) -> None:
        """Take note that every lane has a new item at `slot`."""

    def sample(self, ring: Ring, bits: Tensor) -> tuple[Tensor, Tensor]:
        """Return drawn slots and each one's probability per draw, both `[L, B]`.

        `bits` has shape `[L, width]`.
        """

    def learned(self, slots: Tensor, errors: Tensor) -> None:
        """Take note of the TD errors `[L, B]` of the items at `slots [L, B]`."""


class Recent:
    """The newest `batch_size` items, oldest of them first: no randomness, no decorrelation."""

    width = 0

    def __init__(self, lanes: int, batch_size: int, device: torch.device) -> None:
        self._ages = torch.arange(batch_size - 1, -1, -1, device=device).repeat(lanes, 1)

    def added(self, slot: int) -> None:
        """Ignore the new item: the ring already knows which are newest."""

    def sample(self, ring: Ring, bits: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Return the newest slots, each with probability one over their number."""
        slots = (ring.newest - self._ages) % ring.capacity
        return slots, torch.full_like(slots, 1 / slots.shape[1], dtype=torch.float64)

    def learned(self, slots: Tensor, errors: Tensor) -> None:
        """Ignore the errors."""


class Uniform:
    """Every stored item with the same probability, with replacement."""

    def __init__(self, batch_size: int) -> None:
        self.width = batch_size

    def added(self, slot: int) -> None:
        """Ignore the new item: its slot alone decides."""

    def sample(self, ring: Ring, bits: Tensor) -> tuple[Tensor, Tensor]:
        """Return uniform slots, each with probability one over the ring's size."""
        slots = integers(bits, ring.size)
        return slots, torch.full_like(slots, 1 / ring.size, dtype=torch.float64)

    def learned(self, slots: Tensor, errors: Tensor) -> None:
        """Ignore the errors."""


class Proportional:
    """Items in proportion to `(|TD error| + epsilon)^exponent` (Schaul et al. 2016, equation 1).

    New items start with the largest priority their lane has seen, at least 1. Draws are stratified:
    one from each of `batch_size` equal sections of the lane's total (appendix B.2.1).
    """

    def __init__(
        self,
        lanes: int,
        capacity: int,
        batch_size: int,
        exponent: float,
        epsilon: float,
        device: torch.device,
    ) -> None:
        self.width = batch_size
        self._tree = SumTree(lanes, capacity, device)
        self._exponent = exponent
        self._epsilon = epsilon
        self._largest = torch.ones((lanes, 1), dtype=torch.float64, device=device)
        self._slot = torch.zeros((lanes, 1), dtype=torch.int64, device=device)
        self._sections = torch.arange(batch_size, device=device).double()

    def added(self, slot: int) -> None:
        """Give the new item at `slot` its lane's largest priority."""
        self._tree.set(self._slot.fill_(slot), self._largest)

    def sample(self, ring: Ring, bits: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Return one slot from each section of the lane's total priority."""
        total = self._tree.total.unsqueeze(1)
        mass = (self._sections + unit_interval(bits)) / self.width * total
        slots = self._tree.find(mass)
        return slots, self._tree.get(slots) / total

    def learned(self, slots: Tensor, errors: Tensor) -> None:
        """Set the items' priorities from their new TD errors."""
        priorities = (errors.abs().double() + self._epsilon) ** self._exponent
        self._tree.set(slots, priorities)
        torch.maximum(self._largest, priorities.amax(1, keepdim=True), out=self._largest)
