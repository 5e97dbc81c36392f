"""Powers whose bits do not depend on what is computed beside them."""

from __future__ import annotations

import torch
from torch import Tensor

from ablation.held import Number
from ablation.numerics.compiled import runs_compiled
from ablation.replay import kernels


def bitwise_pow(base: Tensor, exponent: Number) -> Tensor:
    """Return `base ** exponent`, float64, elementwise.

    PyTorch takes the tail of a vector by another routine than its body on the processor: an element's
    last bit would depend on how many lanes there are.
    """
    if not runs_compiled(base.device):
        return base.pow(exponent)
    base = base.contiguous()
    result = torch.empty_like(base)
    kernels.bitwise_pow(base.view(-1).numpy(), exponent, result.view(-1).numpy())
    return result
