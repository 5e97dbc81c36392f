"""Sums over sections of a vector of priorities, for drawing in proportion to them.

A tree of fan-out 32 instead of 2: with a batch of lanes and draws each level is a few wide tensor
operations, and a million leaves need four levels instead of twenty.
"""

from __future__ import annotations

import torch
from torch import Tensor

FAN_OUT = 32


class SumTree:
    """For each of `lanes` lanes, `leaves` non-negative values and the sums of their sections.

    Sums are recomputed from the children at every change, never adjusted by differences: no rounding
    error builds up, and a leaf named twice in one update is harmless.
    """

    def __init__(self, lanes: int, leaves: int, device: torch.device) -> None:
        self._levels: list[Tensor] = []
        width = leaves
        while True:
            width = -(-width // FAN_OUT)
            level = torch.zeros((lanes, width, FAN_OUT), dtype=torch.float64, device=device)
            self._levels.append(level)
            if width == 1:
                break
        self._lanes = torch.arange(lanes, device=device).unsqueeze(1)

    @property
    def total(self) -> Tensor:
        """Return the sum of each lane's values, `[L]`."""
        return self._levels[-1][:, 0].sum(dim=-1)

    def get(self, leaves: Tensor) -> Tensor:
        """Return the values at `leaves [L, B]`."""
        return self._levels[0].flatten(1).gather(1, leaves)

    def set(self, leaves: Tensor, values: Tensor) -> None:
        """Write `values [L, B]` (or `[L, 1]`) at `leaves [L, B]`; equal leaves need equal values."""
        index, values = leaves, values.expand_as(leaves)
        for level, parents in zip(self._levels, [*self._levels[1:], None], strict=True):
            level.flatten(1).scatter_(1, index, values)
            if parents is None:
                return
            index = index // FAN_OUT
            values = level[self._lanes, index].sum(dim=-1)

    def find(self, mass: Tensor) -> Tensor:
        """Return the leaves at which the running sum first exceeds `mass [L, B]`, in [0, total).

        A leaf of value zero is never returned unless its lane's total is zero.
        """
        index = torch.zeros_like(mass, dtype=torch.int64)
        for level in reversed(self._levels):
            children = level[self._lanes, index]
            running = children.cumsum(dim=-1)
            # Rounding may leave `mass` at or above the section's own sum; its last non-empty child
            # is the one that was meant.
            limit = torch.nextafter(running[..., -1], torch.zeros_like(mass))
            mass = torch.minimum(mass, limit).clamp_(min=0)
            child = (running <= mass.unsqueeze(-1)).sum(dim=-1).clamp_(max=FAN_OUT - 1)
            before = running.gather(-1, child.unsqueeze(-1)) - children.gather(-1, child.unsqueeze(-1))
            mass = mass - before.squeeze(-1)
            index = index * FAN_OUT + child
        return index
