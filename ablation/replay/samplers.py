"""Samplers choose the items of a batch; their randomness is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ablation.config.schema import ReplayConfig
from ablation.numerics.random_streams import integers
from ablation.replay import kernels
from ablation.replay.item_usage import ItemUsage
from ablation.replay.new_item_kernels import new_items
from ablation.replay.powers import bitwise_log
from ablation.replay.ring import Ring


@dataclass(frozen=True)
class SamplerInputs:
    """Everything that a sampler may be made from.

    `options` are the values of the keys that its kind alone has. `learner` is the object that learns
    from the batches, for a sampler that looks at it; None where a task does not offer it.
    """

    config: ReplayConfig
    options: Mapping[str, Any]
    capacity: int
    batch_size: int
    lanes: int
    learner: Any = None

    def with_batch_size(self, batch_size: int) -> SamplerInputs:
        """Return the same inputs for batches of another size."""
        return replace(self, batch_size=batch_size)


class Sampler(Protocol):
    """Draws slots of a ring for all lanes at once."""

    width: int
    """Random words that one draw takes for each lane."""
    weighted: bool
    """Whether losses are weighted by the probabilities that items were drawn with."""

    def on_add(self, slots: Tensor, lanes: Tensor | None) -> None:
        """Register new items at `slots`: `[L]`, or `[M]` of those lanes."""

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return drawn slots and each one's probability per draw, both `[L, B]`.

        `words` has shape `[L, width]`.
        """

    def probabilities(self, ring: Ring, slots: Tensor) -> Tensor:
        """Return the probability per draw of the items at `slots [L, B]`, float64."""

    def smallest_probability(self, ring: Ring) -> Tensor:
        """Return the smallest probability per draw of each lane's items, `[L]`, float64."""

    def sampling_entropy(self, ring: Ring) -> tuple[Tensor, Tensor] | None:
        """Return the entropy in nats of a draw and its effective sample size 1 / sum P^2, `[L]` each.

        None where the probabilities are unknown.
        """

    def update_priorities(self, slots: Tensor, errors: Tensor) -> None:
        """Take the TD errors `[L, B]` that a gradient step found for the items at `slots [L, B]`."""

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""


class PriorityFree:
    """Base of the samplers that draw every item with the same probability; it has no state."""

    weighted = False

    def on_add(self, slots: Tensor, lanes: Tensor | None) -> None:
        """Ignore new items."""

    def probabilities(self, ring: Ring, slots: Tensor) -> Tensor:
        """Return one over the number of items."""
        return (1 / ring.size.double()).unsqueeze(1).expand(slots.shape)

    def smallest_probability(self, ring: Ring) -> Tensor:
        """Return one over the number of items."""
        return 1 / ring.size.double()

    def sampling_entropy(self, ring: Ring) -> tuple[Tensor, Tensor]:
        """Return the logarithm of the number of items, and the number."""
        size = ring.size.double()
        return bitwise_log(size), size

    def update_priorities(self, slots: Tensor, errors: Tensor) -> None:
        """Ignore errors."""

    def state(self) -> dict[str, Any]:
        """Return nothing: there is no state."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""


class Recent(PriorityFree):
    """The newest `batch_size` items, oldest of them first: no randomness, no decorrelation."""

    width = 0

    def __init__(self, lanes: int, batch_size: int) -> None:
        self._ages = torch.arange(batch_size - 1, -1, -1).repeat(lanes, 1)

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Return the newest slots."""
        slots = (ring.newest.unsqueeze(1) - self._ages) % ring.capacity
        return slots, self.probabilities(ring, slots)


class NewItems(PriorityFree):
    """Every item stored since the last gradient step, once, oldest first; no replay.

    Gradient steps that follow each other without an environment step between them have the same items.
    `ReplayBuffer` says which items are new: `sample_new` is its way to draw.
    """

    width = 0

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Raise: which items are new is not in the ring."""
        raise TypeError("new items are drawn by sample_new")

    def sample_new(self, ring: Ring, usage: ItemUsage, gradient_steps: int) -> tuple[Tensor, Tensor]:
        """Return slots and weights, `[L, B]` each, of the items stored after so many gradient steps.

        Each counts as drawn. The weights make a loss's mean over the batch the mean over the new items:
        where fewer than B are new, the newest item fills up with a weight of 0.
        """
        slots = np.empty((ring.lanes, self._batch_size), np.int64)
        weights = np.empty(slots.shape, np.float32)
        new_items(
            usage.table.numpy(), ring.size.numpy(), ring.newest.numpy(), gradient_steps, slots, weights
        )
        return torch.from_numpy(slots), torch.from_numpy(weights)


class Uniform(PriorityFree):
    """Every stored item with the same probability, with replacement."""

    def __init__(self, batch_size: int) -> None:
        self.width = batch_size

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return independent uniform slots."""
        slots, probabilities = np.empty(words.shape, np.int64), np.empty(words.shape)
        kernels.uniform(words.numpy(), ring.size.numpy(), slots, probabilities)
        return torch.from_numpy(slots), torch.from_numpy(probabilities)


class UniformSubset(PriorityFree):
    """Every set of `batch_size` different items with the same probability.

    Floyd's algorithm (Bentley & Floyd 1987): one draw an item, whatever the size of the buffer.
    """

    def __init__(self, batch_size: int) -> None:
        self.width = batch_size

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return different slots; needs at least `batch_size` items in every lane."""
        slots = torch.full_like(words, -1)
        for draw in range(self.width):
            last = ring.size - self.width + draw
            candidate = integers(words[:, draw], last + 1)
            taken = (slots == candidate.unsqueeze(1)).any(dim=1)
            slots[:, draw] = torch.where(taken, last, candidate)
        return slots, self.probabilities(ring, slots)


class Combined:
    """The draws of another sampler and the newest item (Zhang & Sutton 2017)."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self.width, self.weighted = sampler.width, sampler.weighted

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return the other sampler's slots and then the newest."""
        slots, probabilities = self.sampler.sample(ring, words)
        newest = ring.newest.unsqueeze(1)
        extra = self.probabilities(ring, newest)
        return torch.cat([slots, newest], dim=1), torch.cat([probabilities, extra], dim=1)

    def on_add(self, slots: Tensor, lanes: Tensor | None) -> None:
        """Register new items with the other sampler."""
        self.sampler.on_add(slots, lanes)

    def probabilities(self, ring: Ring, slots: Tensor) -> Tensor:
        """Return the other sampler's probabilities."""
        return self.sampler.probabilities(ring, slots)

    def smallest_probability(self, ring: Ring) -> Tensor:
        """Return the other sampler's smallest probability."""
        return self.sampler.smallest_probability(ring)

    def sampling_entropy(self, ring: Ring) -> tuple[Tensor, Tensor] | None:
        """Return the other sampler's entropy and effective sample size."""
        return self.sampler.sampling_entropy(ring)

    def update_priorities(self, slots: Tensor, errors: Tensor) -> None:
        """Hand the TD errors on to the other sampler."""
        self.sampler.update_priorities(slots, errors)

    def state(self) -> dict[str, Any]:
        """Return the other sampler's state."""
        return self.sampler.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self.sampler.restore(state)
