"""When each stored item was stored, and how often it was drawn since."""

from __future__ import annotations

import torch
from torch import Tensor

from ablation.replay import kernels
from ablation.replay.ring import Ring

STORED, LEARNED, DRAWN = range(3)
"""Columns of an item's record: environment and gradient steps taken when it was stored, times drawn."""


class ItemUsage:
    """One record for every slot of a ring, `[L, C, 3]`, int32; a new item's record begins anew."""

    def __init__(self, lanes: int, capacity: int) -> None:
        self.table = torch.zeros((lanes, capacity, 3), dtype=torch.int32)
        self._array = self.table.numpy()
        self._lanes = torch.arange(lanes)

    def on_add(self, slots: Tensor, lanes: Tensor | None, env_step: int, gradient_step: int) -> None:
        """Begin the records of new items at `slots`: `[L]`, or `[M]` of those lanes."""
        rows = self._lanes if lanes is None else lanes
        kernels.begin(self._array, rows.numpy(), slots.numpy(), env_step, gradient_step)

    def on_draw(self, slots: Tensor) -> None:
        """Count the draws `[L, B]`; a slot named twice was drawn twice."""
        kernels.count(self._array, slots.numpy())

    def stored_at(self, slots: Tensor) -> Tensor:
        """Return the environment step at which each item `[L, B]` was stored, int64."""
        return self.table[..., STORED].gather(1, slots).long()

    def ages(self, slots: Tensor, env_step: int, gradient_step: int) -> tuple[Tensor, Tensor]:
        """Return the items' ages `[L, B]` in environment and in gradient steps, float64."""
        records = self.table.gather(1, slots.unsqueeze(-1).expand(*slots.shape, 3)).double()
        return env_step - records[..., STORED], gradient_step - records[..., LEARNED]

    def draw_counts(self, ring: Ring) -> dict[str, Tensor]:
        """Return the share of stored items never drawn, and the mean and maximum of draws, `[L]`."""
        counts = torch.empty((3, len(ring.size)), dtype=torch.float64)
        kernels.draw_counts(self._array, ring.size.numpy(), counts.numpy())
        return dict(zip(("never", "mean", "max"), counts, strict=True))

    def state(self, ring: Ring) -> Tensor:
        """Return the records of the slots that are in use; shares memory with this."""
        return self.table[:, : int(ring.size.max())]

    def restore(self, state: Tensor) -> None:
        """Go on from a state that `state` returned."""
        self.table[:, : state.shape[1]] = state
