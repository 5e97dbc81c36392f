"""Sums, minima or maxima over sections of a vector, for all lanes at once.

A tree of fan-out 8 instead of 2: a million leaves need seven levels instead of twenty.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ablation.replay import kernels
from ablation.replay.kernels import FAN_OUT, MAX, MIN, SUM

EMPTY = {SUM: 0.0, MIN: torch.inf, MAX: -torch.inf}
"""The neutral value of each way to reduce a section: unset leaves have it."""


class SegmentTree:
    """For each of `lanes` lanes, `leaves` float64 values and the reductions of their sections.

    Sections are recomputed from their children at every change, never adjusted by differences: no
    rounding error builds up, and a leaf named twice in one update is harmless.
    """

    def __init__(self, lanes: int, leaves: int, operation: int) -> None:
        self._operation = operation
        widths = [-(-leaves // FAN_OUT)]
        while widths[-1] > 1:
            widths.append(-(-widths[-1] // FAN_OUT))
        sizes = [width * FAN_OUT for width in widths]
        self.starts = np.cumsum([0, *sizes[:-1]])
        self.values = torch.full((lanes, sum(sizes)), EMPTY[operation], dtype=torch.float64)
        self.levels = [
            self.values[:, start : start + size].view(lanes, -1, FAN_OUT)
            for start, size in zip(self.starts, sizes, strict=True)
        ]
        self._array = self.values.numpy()
        self._lanes = np.arange(lanes)

    @property
    def leaves(self) -> Tensor:
        """Return the leaves and their padding, `[L, >= leaves]`; shares memory with the tree."""
        return self.levels[0].flatten(1)

    @property
    def root(self) -> Tensor:
        """Return the reduction of each lane's leaves, `[L]`."""
        result = torch.empty(len(self._lanes), dtype=torch.float64)
        kernels.roots(self._array, self.starts, self._operation, result.numpy())
        return result

    def get(self, leaves: Tensor) -> Tensor:
        """Return the values at `leaves [L, B]`."""
        return self.values.gather(1, leaves)

    def set(self, leaves: Tensor, values: Tensor, lanes: Tensor | None = None) -> None:
        """Write `values [L, B]` at `leaves [L, B]`; of a leaf named twice the last value stays.

        Given `lanes`, int64 `[M]`, both are `[M, B]` and belong to those lanes.
        """
        rows = self._lanes if lanes is None else lanes.numpy()
        kernels.write(self._array, self.starts, self._operation, rows, leaves.numpy(), values.numpy())

    def fill(self, values: Tensor) -> None:
        """Write all leaves at once, `[L, leaves]`."""
        self.leaves[:, : values.shape[1]] = values
        kernels.renew(self._array, self.starts, self._operation)

    def draw(self, words: Tensor, stratified: bool) -> tuple[Tensor, Tensor]:
        """Return leaves `[L, B]` drawn in proportion to their values, and their shares of the sum.

        `words`, int64 `[L, B]`, are 32 random bits each. Stratified draws are one from each of B
        sections of equal sum, in order. Only for sums.
        """
        leaves, shares = np.empty(words.shape, np.int64), np.empty(words.shape)
        kernels.draw(self._array, self.starts, words.numpy(), stratified, leaves, shares)
        return torch.from_numpy(leaves), torch.from_numpy(shares)

    def find(self, prefix_sums: Tensor) -> Tensor:
        """Return the leaves at which the running sum first exceeds `prefix_sums [L, B]`, in [0, root).

        Only for sums. A leaf of value zero is never returned unless its lane's sum is zero.
        """
        leaves = np.empty(prefix_sums.shape, np.int64)
        kernels.find(self._array, self.starts, prefix_sums.clone().numpy(), leaves)
        return torch.from_numpy(leaves)
