"""Prioritized sampling (Schaul et al. 2016): draws in proportion to priorities from past TD errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ablation.numerics.random_streams import integers, unit_interval
from ablation.replay import kernels
from ablation.replay.kernels import MAX, MIN, SUM
from ablation.replay.lane_kernels import Priorities
from ablation.replay.priority_schemes import PriorityScheme, Proportional, Rank
from ablation.replay.ring import Ring
from ablation.replay.segment_tree import SegmentTree

NO_TREE = np.empty((0, 0))


@dataclass(frozen=True)
class Draws:
    """How a batch is drawn and how new items start; the defaults are the paper's."""

    batch_size: int
    new_error: float | Literal["max_seen", "max_present"] = "max_seen"
    stratified: bool = True
    replacement: bool = True
    uniform_share: float = 0.0
    refresh_period: int = 1
    buffer_minimum: bool = False


class Prioritized:
    """Draws items in proportion to the priorities that a `PriorityScheme` gives to their latest errors.

    `exponent` (alpha) is set from outside as its schedule goes on. A non-finite error counts as the
    largest that its lane has seen.
    """

    def __init__(
        self,
        scheme: PriorityScheme,
        draws: Draws,
        lanes: int,
        capacity: int,
    ) -> None:
        self.weighted = True
        self.exponent = 0.0
        self._scheme, self._draws = scheme, draws
        self.width = draws.batch_size * (3 if draws.uniform_share else 1)
        self._sums = SegmentTree(lanes, capacity, SUM)
        self._minima = SegmentTree(lanes, capacity, MIN) if draws.buffer_minimum else None
        present = draws.new_error == "max_present"
        self._maxima = SegmentTree(lanes, capacity, MAX) if present else None
        shape = (lanes, capacity) if scheme.refreshes else (lanes, 0)
        self._errors = torch.full(shape, -1.0, dtype=torch.float64)
        self._largest = torch.ones((lanes, 1), dtype=torch.float64)
        self.drawn = 0
        """Batches drawn."""

    @property
    def draws_to_refresh(self) -> float:
        """Batches that can be drawn before all priorities are computed anew."""
        return -self.drawn % self._draws.refresh_period if self._scheme.refreshes else np.inf

    def on_add(self, slots: Tensor, lanes: Tensor | None) -> None:
        """Give new items the priority that new items start with."""
        largest = self._largest
        if self._maxima is not None:
            present = self._maxima.root.unsqueeze(1)
            largest = torch.where(present > -torch.inf, present, torch.ones_like(present))
        elif isinstance(self._draws.new_error, float):
            largest = torch.full_like(largest, self._draws.new_error)
        self._write(slots.unsqueeze(1), largest if lanes is None else largest[lanes], lanes)

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return slots drawn by priority, a share of them uniformly if configured; see `Sampler`."""
        if self.draws_to_refresh == 0:
            self._refresh()
        self.drawn += 1
        words, mixing_words = words.tensor_split([self._draws.batch_size], dim=1)
        if not self._draws.replacement:
            return self._sample_subset(ring, unit_interval(words))
        slots, shares = self._sums.draw(words, self._draws.stratified)
        if self._draws.uniform_share:
            slots = self._mix(ring, slots, mixing_words)
            return slots, self.probabilities(ring, slots)
        return slots, shares

    def probabilities(self, ring: Ring, slots: Tensor) -> Tensor:
        """Return the probability per draw of the items at `slots [L, B]`."""
        shares = self._sums.get(slots) / self._sums.root.unsqueeze(1)
        return self._mixed(ring, shares)

    def smallest_probability(self, ring: Ring) -> Tensor:
        """Return the smallest probability per draw of any stored item, `[L]`."""
        assert self._minima is not None, "made without buffer_minimum"
        shares = (self._minima.root / self._sums.root).unsqueeze(1)
        return self._mixed(ring, shares).squeeze(1)

    def sampling_entropy(self, ring: Ring) -> tuple[Tensor, Tensor]:
        """Return the entropy in nats of a draw and its effective sample size 1 / sum P^2, `[L]` each."""
        result = np.empty((2, len(ring.size)))
        priorities, roots = self._sums.leaves.numpy(), self._sums.root.numpy()
        share = self._draws.uniform_share
        kernels.entropies(priorities, ring.size.numpy(), roots, share, result)
        entropy, effective = torch.from_numpy(result)
        return entropy, effective

    def staleness(self, slots: Tensor, errors: Tensor) -> Tensor:
        """Return |new - old| / (new + old) of the priorities of the items at `slots [L, B]`.

        The old priorities are those in use, the new ones those of `errors [L, B]`.
        """
        new = self._scheme.priorities(errors.abs().double(), self.exponent, None)
        old = self._sums.get(slots)
        return (new - old).abs() / (new + old)

    def update_priorities(self, slots: Tensor, errors: Tensor) -> None:
        """Set the priorities of the items at `slots [L, B]` by their TD errors `[L, B]`, float32."""
        self._write(slots, self._absolute(errors), None)

    def arrays(self) -> Priorities | None:
        """Return trees and tables for compiled loops; None: they do not know the priority scheme."""
        if type(self._scheme) not in (Proportional, Rank):
            return None
        new_error, scheme = self._draws.new_error, self._scheme
        return Priorities(
            starts=self._sums.starts,
            sums=self._sums.values.numpy(),
            minima=NO_TREE if self._minima is None else self._minima.values.numpy(),
            maxima=NO_TREE if self._maxima is None else self._maxima.values.numpy(),
            errors=self._errors.numpy(),
            ranked=scheme.sorted.numpy() if isinstance(scheme, Rank) else NO_TREE,
            largest=self._largest.numpy(),
            inside=scheme.inside if isinstance(scheme, Proportional) else 0.0,
            outside=scheme.outside if isinstance(scheme, Proportional) else 0.0,
            new_error=new_error if isinstance(new_error, float) else -1.0,
        )

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`: trees by their leaves, which determine the rest."""
        trees = (self._sums, self._minima, self._maxima)
        return {
            "trees": [None if tree is None else tree.leaves for tree in trees],
            "errors": self._errors,
            "sorted": getattr(self._scheme, "sorted", None),
            "largest": self._largest,
            "drawn": self.drawn,
            "exponent": self.exponent,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        for tree, leaves in zip((self._sums, self._minima, self._maxima), state["trees"], strict=True):
            if tree is not None:
                tree.fill(leaves)
        self._errors.copy_(state["errors"])
        self._largest.copy_(state["largest"])
        self.drawn = state["drawn"]
        self.exponent = state["exponent"]
        if isinstance(self._scheme, Rank):
            self._scheme.sorted.copy_(state["sorted"])

    def _write(self, slots: Tensor, errors: Tensor, lanes: Tensor | None) -> None:
        priorities = self._scheme.priorities(errors, self.exponent, lanes)
        self._sums.set(slots, priorities, lanes)
        if self._minima is not None:
            self._minima.set(slots, priorities, lanes)
        if self._maxima is not None:
            self._maxima.set(slots, errors, lanes)
        if self._scheme.refreshes:
            if lanes is None:
                self._errors.scatter_(1, slots, errors)
            else:
                self._errors[lanes.unsqueeze(1), slots] = errors

    def _absolute(self, errors: Tensor) -> Tensor:
        """Return absolute errors, float64, and note the largest."""
        absolute = np.empty(errors.shape)
        kernels.note(errors.numpy(), self._largest.numpy(), absolute)
        return torch.from_numpy(absolute)

    def _refresh(self) -> None:
        priorities = self._scheme.all_priorities(self._errors, self.exponent)
        self._sums.fill(priorities)
        if self._minima is not None:
            self._minima.fill(torch.where(self._errors >= 0, priorities, torch.inf))

    def _sample_subset(self, ring: Ring, units: Tensor) -> tuple[Tensor, Tensor]:
        """Draw one by one without replacement; the probabilities are those of a first draw."""
        drawn, priorities = [], []
        for draw in range(units.shape[1]):
            prefix_sums = units[:, draw : draw + 1] * self._sums.root.unsqueeze(1)
            drawn.append(self._sums.find(prefix_sums))
            priorities.append(self._sums.get(drawn[-1]))
            self._sums.set(drawn[-1], torch.zeros_like(priorities[-1]))
        slots = torch.cat(drawn, dim=1)
        self._sums.set(slots, torch.cat(priorities, dim=1))
        return slots, self.probabilities(ring, slots)

    def _mix(self, ring: Ring, slots: Tensor, words: Tensor) -> Tensor:
        """Replace a share of the slots by uniform ones; a draw takes two words: whether, and which."""
        whether, which = words.chunk(2, dim=1)
        uniform = integers(which, ring.size.unsqueeze(1))
        return torch.where(unit_interval(whether) < self._draws.uniform_share, uniform, slots)

    def _mixed(self, ring: Ring, shares: Tensor) -> Tensor:
        """Return probabilities from shares of the sum of priorities and the uniform share."""
        share = self._draws.uniform_share
        if not share:
            return shares
        return (1 - share) * shares + share / ring.size.double().unsqueeze(1)
