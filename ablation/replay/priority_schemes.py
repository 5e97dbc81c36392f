"""How TD errors become priorities, the unnormalized probabilities of draws (Schaul et al. 2016)."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from ablation.replay import kernels
from ablation.replay.powers import bitwise_pow


class PriorityScheme(Protocol):
    """Maps |TD error| to p^alpha, to which the probability of a draw is proportional (equation 1).

    All errors and priorities are float64, `exponent` is alpha.
    """

    refreshes: bool
    """Whether priorities change though errors do not: all are then computed anew periodically."""

    def priorities(self, errors: Tensor, exponent: float, lanes: Tensor | None) -> Tensor:
        """Return the priorities for `errors [L, B]`, or `[M, B]` of the lanes `[M]`."""

    def all_priorities(self, errors: Tensor, exponent: float) -> Tensor:
        """Return the priorities of whole buffers, `[L, C]`; empty slots: error negative, priority 0."""


class Proportional:
    """Priorities `(|e| + epsilon)^alpha` (section 3.3), or `|e|^alpha + epsilon`."""

    def __init__(
        self, epsilon: float, epsilon_enters: Literal["error", "priority"], fixed: bool
    ) -> None:
        """Add `epsilon` inside or outside of the power; `fixed` says that alpha never changes."""
        self.inside = epsilon if epsilon_enters == "error" else 0.0
        self.outside = epsilon if epsilon_enters == "priority" else 0.0
        self.refreshes = not fixed

    def priorities(self, errors: Tensor, exponent: float, lanes: Tensor | None) -> Tensor:  # noqa: ARG002
        """Return the priorities for `errors [L, B]`, each from its own error alone."""
        priorities = np.empty(errors.shape)
        kernels.priorities(errors.numpy(), self.inside, exponent, self.outside, priorities)
        return torch.from_numpy(priorities)

    def all_priorities(self, errors: Tensor, exponent: float) -> Tensor:
        """Return the priorities `[L, C]` of whole buffers, 0 where a slot is empty."""
        return torch.where(errors >= 0, self.priorities(errors.clamp(min=0), exponent, None), 0.0)


class Rank:
    """Priorities `rank^-alpha`, the item of largest error having rank 1 (section 3.3).

    Ranks are exact when the buffer was just sorted; until it is sorted again, an item whose error
    changes takes the rank that its new error would have had then.
    """

    refreshes = True

    def __init__(self, lanes: int, capacity: int) -> None:
        # Negated errors in rising order; those of empty slots are infinite, so they come last.
        self.sorted = torch.full((lanes, capacity), torch.inf, dtype=torch.float64)

    def priorities(self, errors: Tensor, exponent: float, lanes: Tensor | None) -> Tensor:
        """Return the priorities for `errors [L, B]`, by their ranks among the errors last sorted."""
        table = self.sorted if lanes is None else self.sorted[lanes]
        return bitwise_pow(torch.searchsorted(table, -errors).double() + 1, -exponent)

    def all_priorities(self, errors: Tensor, exponent: float) -> Tensor:
        """Sort whole buffers, ties by slot; return the priorities `[L, C]`, 0 where a slot is empty."""
        stored = errors >= 0
        ranked, order = torch.where(stored, -errors, torch.inf).sort(dim=1, stable=True)
        self.sorted.copy_(ranked)
        by_rank = bitwise_pow(torch.arange(1, errors.shape[1] + 1).double(), -exponent)
        priorities = torch.zeros_like(errors).scatter_(1, order, by_rank.expand_as(errors))
        return torch.where(stored, priorities, 0.0)
