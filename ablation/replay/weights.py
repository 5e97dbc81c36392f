"""Importance-sampling weights, the same function for every sampler."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ablation.replay import kernels


def importance_weights(
    probabilities: Tensor,
    size: Tensor,
    exponent: float,
    smallest_probability: Tensor | None = None,
    normalized: bool = True,
) -> Tensor:
    """Return `(size * P)^-exponent`, divided by its largest value if normalized: `[L, B]`, float32.

    `probabilities` are those of the drawn items, `[L, B]`, `size` the number of stored items, `[L]`. The
    largest value is the batch's, or the buffer's given the smallest probability in it, `[L]`. An
    exponent of 0, or uniform draws, give weights of exactly 1. Schaul et al. 2016, section 3.4.
    """
    by_batch = normalized and smallest_probability is None
    lowest = torch.ones(len(size), dtype=torch.float64)
    if normalized and smallest_probability is not None:
        lowest = size * smallest_probability
    weights = np.empty(probabilities.shape, np.float32)
    kernels.weights(probabilities.numpy(), size.numpy(), lowest.numpy(), by_batch, exponent, weights)
    return torch.from_numpy(weights)
