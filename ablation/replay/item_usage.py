"""What became of each stored item: when it was stored and how often it was drawn since."""

from __future__ import annotations

import torch
from torch import Tensor

from ablation.held import Number
from ablation.numerics.compiled import runs_compiled
from ablation.replay import kernels
from ablation.replay.ring import Ring

STORED, LEARNED, DRAWN = range(3)
"""Columns of an item's record: environment and gradient steps taken when it was stored, times drawn."""


class Usage:
    """A record beside every slot of a ring, `[L, C, 3]` in 32 bits; a new item's begins anew."""

    def __init__(self, lanes: int, capacity: int, device: torch.device) -> None:
        self.table = torch.zeros((lanes, capacity, 3), dtype=torch.int32, device=device)
        self._array = self.table.numpy() if runs_compiled(device) else None
        self._lanes = torch.arange(lanes, device=device)

    def added(
        self, slots: Tensor, lanes: Tensor | None, env_step: Number, gradient_step: Number
    ) -> None:
        """Begin the records of new items at `slots`: `[L]`, or `[M]` of those lanes."""
        rows = self._lanes if lanes is None else lanes
        if self._array is not None:
            kernels.begin(self._array, rows.numpy(), slots.numpy(), env_step, gradient_step)
        else:
            for column, value in ((STORED, env_step), (LEARNED, gradient_step), (DRAWN, 0)):
                self.table[rows, slots, column] = value.int() if isinstance(value, Tensor) else value

    def drawn(self, slots: Tensor) -> None:
        """Count the draws `[L, B]`; a slot named twice was drawn twice."""
        if self._array is not None:
            kernels.count(self._array, slots.numpy())
        else:
            ones = torch.ones((), dtype=torch.int32, device=slots.device).expand(slots.shape)
            self.table[..., DRAWN].scatter_add_(1, slots, ones)

    def stored(self, slots: Tensor) -> Tensor:
        """Return the environment step at which each item `[L, B]` was stored, int64."""
        return self.table[..., STORED].gather(1, slots).long()

    def ages(self, slots: Tensor, env_step: int, gradient_step: int) -> tuple[Tensor, Tensor]:
        """Return how many environment and gradient steps the items `[L, B]` lie back, float64."""
        records = self.table.gather(1, slots.unsqueeze(-1).expand(*slots.shape, 3)).double()
        return env_step - records[..., STORED], gradient_step - records[..., LEARNED]

    def replays(self, ring: Ring) -> dict[str, Tensor]:
        """Return the share of stored items never drawn, and the mean and most draws of one, `[L]`."""
        used = int(ring.size.max())
        drawn = self.table[:, :used, DRAWN]
        there = torch.arange(used, device=drawn.device) < ring.size.unsqueeze(1)
        size = ring.size.double()
        return {
            "never": ((drawn == 0) & there).sum(dim=1) / size,
            "mean": (drawn * there).sum(dim=1) / size,
            "most": (drawn * there).amax(dim=1).double(),
        }

    def state(self, ring: Ring) -> Tensor:
        """Return the records of the slots that are in use; shares memory with this."""
        return self.table[:, : int(ring.size.max())]

    def restore(self, state: Tensor) -> None:
        """Take over what `state` returned."""
        self.table[:, : state.shape[1]] = state
