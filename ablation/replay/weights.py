"""Importance-sampling weights, the same function for every sampler."""

from __future__ import annotations

from torch import Tensor

from ablation.replay.powers import power


def importance_weights(
    probabilities: Tensor,
    size: Tensor,
    exponent: float,
    smallest_probability: Tensor | None = None,
    normalised: bool = True,
) -> Tensor:
    """Return `(size * P)^-exponent`, over its largest value if normalised: `[L, B]`, float32.

    `probabilities` are those of the drawn items, `[L, B]`, `size` the items they were drawn from,
    `[L]`. The largest value is the batch's, or the pool's given the smallest probability in it,
    `[L]`. An exponent of 0, or uniform draws, give weights of exactly 1. Schaul et al. 2016,
    section 3.4.
    """
    relative = size.unsqueeze(1) * probabilities
    if not normalised:
        return power(relative, -exponent).float()
    if smallest_probability is None:
        lowest = relative.amin(dim=-1, keepdim=True)
    else:
        lowest = (size * smallest_probability).unsqueeze(1)
    return power(relative / lowest, -exponent).float()
