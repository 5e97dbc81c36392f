"""Sums, maxima or minima over sections of a vector, for all lanes at once.

A tree of fan-out 8 instead of 2: a million leaves need seven levels instead of twenty. On the
processor its walks are compiled; elsewhere each level is a few wide tensor operations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ablation.numerics.compiled import runs_compiled
from ablation.numerics.random_streams import unit_interval
from ablation.replay import kernels
from ablation.replay.kernels import FAN_OUT, MAX, MIN, SUM

OPERATIONS: dict[int, tuple[Callable[[Tensor], Tensor], float]] = {
    SUM: (lambda values: values.sum(dim=-1), 0.0),
    MIN: (lambda values: values.amin(dim=-1), torch.inf),
    MAX: (lambda values: values.amax(dim=-1), -torch.inf),
}
"""What folds a section, and its neutral value, which unset leaves have."""


class SegmentTree:
    """For each of `lanes` lanes, `leaves` values and what an operation makes of their sections.

    Sections are recomputed from their children at every change, never adjusted by differences: no
    rounding error builds up, and a leaf named twice in one update is harmless.
    """

    def __init__(self, lanes: int, leaves: int, operation: int, device: torch.device) -> None:
        self._operation = operation
        self._reduce, empty = OPERATIONS[operation]
        widths = [-(-leaves // FAN_OUT)]
        while widths[-1] > 1:
            widths.append(-(-widths[-1] // FAN_OUT))
        sizes = [width * FAN_OUT for width in widths]
        self._starts = np.cumsum([0, *sizes[:-1]])
        shape = (lanes, sum(sizes))
        self.values = torch.full(shape, empty, dtype=torch.float64, device=device)
        self.levels = [
            self.values[:, start : start + size].view(lanes, -1, FAN_OUT)
            for start, size in zip(self._starts, sizes, strict=True)
        ]
        self._lanes = torch.arange(lanes, device=device)

    @property
    def root(self) -> Tensor:
        """Return what each lane's values reduce to, `[L]`."""
        return self._reduce(self.levels[-1][:, 0])

    def get(self, leaves: Tensor) -> Tensor:
        """Return the values at `leaves [L, B]`."""
        return self.values.gather(1, leaves)

    def set(self, leaves: Tensor, values: Tensor, lanes: Tensor | None = None) -> None:
        """Write `values [L, B]` at `leaves [L, B]`; of a leaf named twice the last value stays.

        Given `lanes`, int64 `[M]`, both are `[M, B]` and belong to those lanes.
        """
        rows = (self._lanes if lanes is None else lanes).unsqueeze(1)
        index = leaves
        for depth, level in enumerate(self.levels):
            level.flatten(1)[rows, index] = values
            if depth + 1 < len(self.levels):
                index = index // FAN_OUT
                values = self._reduce(level[rows, index])

    def fill(self, values: Tensor) -> None:
        """Write all leaves at once, `[L, leaves]`."""
        for level in self.levels:
            level.flatten(1)[:, : values.shape[1]] = values
            values = self._reduce(level)

    def draw(self, words: Tensor, stratified: bool) -> tuple[Tensor, Tensor]:
        """Return leaves `[L, B]` drawn in proportion to their values, and their shares of the sum.

        `words`, int64 `[L, B]`, are 32 random bits each. Stratified draws are one from each of B
        sections of equal mass, in order.
        """
        units, root = unit_interval(words), self.root.unsqueeze(1)
        if stratified:
            size = words.shape[1]
            units = (torch.arange(size, device=words.device) + units) / size
        leaves = self.find(units * root)
        return leaves, self.get(leaves) / root

    def find(self, mass: Tensor) -> Tensor:
        """Return the leaves at which the running sum first exceeds `mass [L, B]`, in [0, root).

        Only for sums. A leaf of value zero is never returned unless its lane's sum is zero.
        """
        index = torch.zeros_like(mass, dtype=torch.int64)
        for level in reversed(self.levels):
            children = level[self._lanes.unsqueeze(1), index]
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


class CompiledSegmentTree(SegmentTree):
    """The same on the processor."""

    def __init__(self, lanes: int, leaves: int, operation: int, device: torch.device) -> None:
        super().__init__(lanes, leaves, operation, device)
        self._array = self.values.numpy()

    @property
    def root(self) -> Tensor:
        """Return what each lane's values reduce to, `[L]`."""
        result = torch.empty(len(self._lanes), dtype=torch.float64)
        kernels.roots(self._array, self._starts, self._operation, result.numpy())
        return result

    def set(self, leaves: Tensor, values: Tensor, lanes: Tensor | None = None) -> None:
        """Write `values [L, B]` at `leaves [L, B]`, or `[M, B]` of those lanes."""
        rows = (self._lanes if lanes is None else lanes).numpy()
        kernels.write(self._array, self._starts, self._operation, rows, leaves.numpy(), values.numpy())

    def draw(self, words: Tensor, stratified: bool) -> tuple[Tensor, Tensor]:
        """Return leaves `[L, B]` drawn in proportion to their values, and their shares of the sum."""
        leaves, shares = np.empty(words.shape, np.int64), np.empty(words.shape)
        kernels.draw(self._array, self._starts, words.numpy(), stratified, leaves, shares)
        return torch.from_numpy(leaves), torch.from_numpy(shares)

    def find(self, mass: Tensor) -> Tensor:
        """Return the leaves at which the running sum first exceeds `mass [L, B]`."""
        found = torch.empty(mass.shape, dtype=torch.int64)
        kernels.find(self._array, self._starts, mass.clone().numpy(), found.numpy())
        return found


def segment_tree(lanes: int, leaves: int, operation: int, device: torch.device) -> SegmentTree:
    """Return a tree of empty leaves, compiled where that is possible."""
    kind = CompiledSegmentTree if runs_compiled(device) else SegmentTree
    return kind(lanes, leaves, operation, device)
