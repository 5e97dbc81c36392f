"""Dueling heads: a state's value apart from its actions' advantages (Wang et al. 2016)."""

from __future__ import annotations

from torch import Tensor


def combine(value: Tensor, advantage: Tensor) -> Tensor:
    """Return `V + A - mean A` (their equation 9), `[B, A, atoms]`, from `[B, 1, atoms]` and `[B, A, atoms]`."""
    return value + advantage - advantage.mean(dim=1, keepdim=True)
