"""Powers and logarithms with the same bits on every processor, whatever is computed beside them."""

from __future__ import annotations

import torch
from torch import Tensor

from ablation.replay import kernels


def bitwise_pow(base: Tensor, exponent: float) -> Tensor:
    """Return `base ** exponent`, float64, elementwise.

    PyTorch computes the tail of a vector by another routine than its body: an element's last bit would
    depend on how many lanes there are.
    """
    base = base.contiguous()
    result = torch.empty_like(base)
    kernels.bitwise_pow(base.view(-1).numpy(), exponent, result.view(-1).numpy())
    return result


def bitwise_log(values: Tensor) -> Tensor:
    """Return natural logarithms of a vector, float64."""
    result = torch.empty(len(values), dtype=torch.float64)
    kernels.bitwise_log(values.double().numpy(), result.numpy())
    return result
