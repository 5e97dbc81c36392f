"""Importance-sampling weights, the same function for every sampler."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ablation.held import Number
from ablation.numerics.compiled import runs_compiled
from ablation.replay import kernels


def importance_weights(
    probabilities: Tensor,
    size: Tensor,
    exponent: Number,
    smallest_probability: Tensor | None = None,
    normalised: bool = True,
) -> Tensor:
    """Return `(size * P)^-exponent`, over its largest value if normalised: `[L, B]`, float32.

    `probabilities` are those of the drawn items, `[L, B]`, `size` the items they were drawn from,
    `[L]`. The largest value is the batch's, or the pool's given the smallest probability in it,
    `[L]`. An exponent of 0, or uniform draws, give weights of exactly 1. Schaul et al. 2016,
    section 3.4.
    """
    by_batch = normalised and smallest_probability is None
    lowest = torch.ones(len(size), dtype=torch.float64, device=size.device)
    if normalised and smallest_probability is not None:
        lowest = size * smallest_probability
    if not runs_compiled(size.device):
        relative = size.unsqueeze(1) * probabilities
        lowest = relative.amin(dim=-1) if by_batch else lowest
        return (relative / lowest.unsqueeze(1)).pow(-exponent).float()
    found = np.empty(probabilities.shape, np.float32)
    chances, sizes = probabilities.numpy(), size.numpy()
    kernels.weights(chances, sizes, lowest.numpy(), by_batch, exponent, found)
    return torch.from_numpy(found)
