"""Sums, maxima or minima over sections of a vector, for all lanes at once.

A tree of fan-out 32 instead of 2: with a batch of lanes and draws each level is a few wide tensor
operations, and a million leaves need four levels instead of twenty.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

FAN_OUT = 32

Reduce = Callable[[Tensor], Tensor]


class SectionTree:
    """For each of `lanes` lanes, `leaves` values and what `reduce` makes of their sections.

    `reduce` folds the last axis; `empty` is its neutral value, which unset leaves have. Sections are
    recomputed from their children at every change, never adjusted by differences: no rounding error
    builds up, and a leaf named twice in one update is harmless.
    """

    def __init__(
        self, lanes: int, leaves: int, reduce: Reduce, empty: float, device: torch.device
    ) -> None:
        self._reduce = reduce
        self.levels: list[Tensor] = []
        width = leaves
        while True:
            width = -(-width // FAN_OUT)
            shape = (lanes, width, FAN_OUT)
            self.levels.append(torch.full(shape, empty, dtype=torch.float64, device=device))
            if width == 1:
                break
        self._lanes = torch.arange(lanes, device=device).unsqueeze(1)

    @property
    def root(self) -> Tensor:
        """Return what each lane's values reduce to, `[L]`."""
        return self._reduce(self.levels[-1][:, 0])

    def get(self, leaves: Tensor) -> Tensor:
        """Return the values at `leaves [L, B]`."""
        return self.levels[0].flatten(1).gather(1, leaves)

    def set(self, leaves: Tensor, values: Tensor, lanes: Tensor | None = None) -> None:
        """Write `values [L, B]` at `leaves [L, B]`; of a leaf named twice the last value stays.

        Given `lanes`, int64 `[M]`, both are `[M, B]` and belong to those lanes.
        """
        rows = self._lanes if lanes is None else lanes.unsqueeze(1)
        index = leaves
        for depth, level in enumerate(self.levels):
            flat = level.flatten(1)
            if lanes is None:
                flat.scatter_(1, index, values)
            else:
                flat[rows, index] = values
            if depth + 1 < len(self.levels):
                index = index // FAN_OUT
                values = self._reduce(level[rows, index])

    def fill(self, values: Tensor) -> None:
        """Write all leaves at once, `[L, leaves]`."""
        for level in self.levels:
            level.flatten(1)[:, : values.shape[1]] = values
            values = self._reduce(level)

    def find(self, mass: Tensor) -> Tensor:
        """Return the leaves at which the running sum first exceeds `mass [L, B]`, in [0, root).

        Only for sums. A leaf of value zero is never returned unless its lane's sum is zero.
        """
        index = torch.zeros_like(mass, dtype=torch.int64)
        for level in reversed(self.levels):
            children = level[self._lanes, index]
            running = children.cumsum(dim=-1)
            # Rounding may leave `mass` at or above the section's own sum; its last non-empty child
            # is the one that was meant.
            limit = torch.nextafter(running[..., -1], torch.zeros_like(mass))
            mass = torch.minimum(mass, limit).clamp_(min=0)
            child = (running <= mass.unsqueeze(-1)).sum(dim=-1).clamp_(max=FAN_OUT - 1)
            chosen = child.unsqueeze(-1)
            before = running.gather(-1, chosen) - children.gather(-1, chosen)
            mass = mass - before.squeeze(-1)
            index = index * FAN_OUT + child
        return index


def sum_tree(lanes: int, leaves: int, device: torch.device) -> SectionTree:
    """Return a tree of sums over zeros."""
    return SectionTree(lanes, leaves, lambda values: values.sum(dim=-1), 0.0, device)


def max_tree(lanes: int, leaves: int, device: torch.device) -> SectionTree:
    """Return a tree of maxima over leaves that are all negative infinity."""
    return SectionTree(lanes, leaves, lambda values: values.amax(dim=-1), -torch.inf, device)


def min_tree(lanes: int, leaves: int, device: torch.device) -> SectionTree:
    """Return a tree of minima over leaves that are all infinity."""
    return SectionTree(lanes, leaves, lambda values: values.amin(dim=-1), torch.inf, device)
