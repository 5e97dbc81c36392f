"""Noisy layers: exploration that is learned (Fortunato et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NoisyLinear(nn.Module):
    """A linear layer whose weights and biases are disturbed by factorized noise (equations 9 to 11).

    `y = (mu_w + sigma_w * f(e_out) f(e_in)^T) x + mu_b + sigma_b * f(e_out)`, f(e) = sgn(e) sqrt|e|.
    """

    def __init__(self, inputs: int, outputs: int, sigma: float = 0.5) -> None:
        super().__init__()
        self.inputs, self.noise_size = inputs, inputs + outputs
        bound = inputs**-0.5
        self.mean_weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.mean_bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.sigma_weight = nn.Parameter(torch.full((outputs, inputs), sigma * bound))
        self.sigma_bias = nn.Parameter(torch.full((outputs,), sigma * bound))

    def forward(self, inputs: Tensor, noise: Tensor) -> Tensor:
        """Return outputs `[B, outputs]`; `noise [inputs + outputs]` is standard normal, or 0."""
        factors = noise.sign() * noise.abs().sqrt()
        inner, outer = factors[: self.inputs], factors[self.inputs :]
        weight = self.mean_weight + self.sigma_weight * outer.unsqueeze(1) * inner
        return nn.functional.linear(inputs, weight, self.mean_bias + self.sigma_bias * outer)
