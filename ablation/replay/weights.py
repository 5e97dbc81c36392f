"""Importance-sampling weights, the same function for every sampler."""

from __future__ import annotations

from torch import Tensor


def importance_weights(probabilities: Tensor, size: int, exponent: float) -> Tensor:
    """Return `(size * P)^-exponent` over its largest value in the batch, shape `[L, B]`, float32.

    `probabilities` are those of the drawn items, `[L, B]`; an exponent of 0, or uniform draws,
    give weights of exactly 1. Schaul et al. 2016, section 3.4.
    """
    weights = (size * probabilities).pow(-exponent)
    return (weights / weights.amax(dim=-1, keepdim=True)).float()
