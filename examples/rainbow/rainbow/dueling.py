"""Dueling heads: a state's value apart from its actions' advantages (Wang et al. 2016)."""

from __future__ import annotations

from torch import Tensor


def combine(value: Tensor, advantage: Tensor) -> Tensor:
    """Return `V + A - mean A` (their equation 9), `[B, A, N]`, from `[B, 1, N]` and `[B, A, N]`."""
    return value + advantage - advantage.mean(dim=1, keepdim=True)
