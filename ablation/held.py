"""Numbers that change from step to step, where operations that are captured once find them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ablation.numerics.compiled import runs_compiled

Number = Any
"""A Python number on the processor, elsewhere a scalar on the device that holds one."""


class Held:
    """A number; on an accelerator always in the same float64 scalar."""

    def __init__(self, device: torch.device) -> None:
        self._cell: Tensor | None = None
        if not runs_compiled(device):
            self._cell = torch.zeros((), dtype=torch.float64, device=device)
        self.value: Number = 0.0 if self._cell is None else self._cell

    def set(self, number: float) -> None:
        """Hold another number, without waiting for the device."""
        if self._cell is None:
            self.value = number
        else:
            self._cell.fill_(number)
