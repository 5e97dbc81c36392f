"""Which items are drawn: samplers share one interface and take their randomness as an argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ablation.numerics.compiled import runs_compiled
from ablation.numerics.random_streams import integers
from ablation.replay import kernels
from ablation.replay.ring import Ring


class Sampler(Protocol):
    """Draws slots of a ring for all lanes at once."""

    width: int
    """Random words that one draw takes for each lane."""

    def added(self, slots: Tensor, lanes: Tensor | None) -> None:
        """Take note of new items at `slots`: `[L]`, or `[M]` of those lanes."""

    def sample(self, ring: Ring, bits: Tensor) -> tuple[Tensor, Tensor]:
        """Return drawn slots and each one's probability per draw, both `[L, B]`.

        `bits` has shape `[L, width]`.
        """

    def probabilities(self, ring: Ring, slots: Tensor) -> Tensor:
        """Return the probability per draw of the items at `slots [L, B]`, float64."""

    def smallest_probability(self, ring: Ring) -> Tensor:
        """Return the smallest probability per draw of each lane's items, `[L]`, float64."""

    def spread(self, ring: Ring) -> tuple[Tensor, Tensor]:
        """Return entropy in nats and effective size, one over the sum of squares, of a draw, `[L]`."""

    def learned(self, slots: Tensor, errors: Tensor) -> None:
        """Take note of the TD errors `[L, B]` of the items at `slots [L, B]`."""

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""


class PriorityFree:
    """What samplers have in common that do not look at items: equal probabilities, no memory."""

    def added(self, slots: Tensor, lanes: Tensor | None) -> None:
        """Ignore new items."""

    def probabilities(self, ring: Ring, slots: Tensor) -> Tensor:
        """Return one over the number of items."""
        return (1 / ring.size.double()).unsqueeze(1).expand(slots.shape)

    def smallest_probability(self, ring: Ring) -> Tensor:
        """Return one over the number of items."""
        return 1 / ring.size.double()

    def spread(self, ring: Ring) -> tuple[Tensor, Tensor]:
        """Return the logarithm of the number of items, and the number."""
        size = ring.size.double()
        return size.log(), size

    def learned(self, slots: Tensor, errors: Tensor) -> None:
        """Ignore errors."""

    def state(self) -> dict[str, Any]:
        """Return nothing: there is no state."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""


class Recent(PriorityFree):
    """The newest `batch_size` items, oldest of them first: no randomness, no decorrelation."""

    width = 0

    def __init__(self, lanes: int, batch_size: int, device: torch.device) -> None:
        self._ages = torch.arange(batch_size - 1, -1, -1, device=device).repeat(lanes, 1)

    def sample(self, ring: Ring, bits: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Return the newest slots."""
        slots = (ring.newest.unsqueeze(1) - self._ages) % ring.capacity
        return slots, self.probabilities(ring, slots)


class Uniform(PriorityFree):
    """Every stored item with the same probability, with replacement."""

    def __init__(self, batch_size: int) -> None:
        self.width = batch_size

    def sample(self, ring: Ring, bits: Tensor) -> tuple[Tensor, Tensor]:
        """Return independent uniform slots."""
        if not runs_compiled(bits.device):
            slots = integers(bits, ring.size.unsqueeze(1))
            return slots, self.probabilities(ring, slots)
        drawn, chances = np.empty(bits.shape, np.int64), np.empty(bits.shape)
        kernels.uniform(bits.numpy(), ring.size.numpy(), drawn, chances)
        return torch.from_numpy(drawn), torch.from_numpy(chances)


class UniformSubset(PriorityFree):
    """Every set of `batch_size` different items with the same probability.

    Floyd's algorithm (Bentley & Floyd 1987): one draw an item, whatever the size of the pool.
    """

    def __init__(self, batch_size: int) -> None:
        self.width = batch_size

    def sample(self, ring: Ring, bits: Tensor) -> tuple[Tensor, Tensor]:
        """Return different slots; needs at least `batch_size` items in every lane."""
        slots = torch.full_like(bits, -1)
        for draw in range(self.width):
            last = ring.size - self.width + draw
            candidate = integers(bits[:, draw], last + 1)
            taken = (slots == candidate.unsqueeze(1)).any(dim=1)
            slots[:, draw] = torch.where(taken, last, candidate)
        return slots, self.probabilities(ring, slots)


class Combined:
    """Another sampler's draws with the newest item added to them (Zhang & Sutton 2017)."""

    def __init__(self, others: Sampler) -> None:
        self._others = others
        self.width = others.width
        self.added = others.added
        self.probabilities = others.probabilities
        self.smallest_probability = others.smallest_probability
        self.spread = others.spread
        self.learned = others.learned
        self.state = others.state
        self.restore = others.restore

    def sample(self, ring: Ring, bits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the other sampler's slots and then the newest."""
        slots, probabilities = self._others.sample(ring, bits)
        newest = ring.newest.unsqueeze(1)
        extra = self.probabilities(ring, newest)
        return torch.cat([slots, newest], dim=1), torch.cat([probabilities, extra], dim=1)
