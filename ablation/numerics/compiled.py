"""How functions are compiled for the processor: plain loops over NumPy arrays, by Numba.

A lane's numbers come from the same instructions whatever its neighbours, and the order of additions
is the one that is written: only a product and the sum that takes it up may be fused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba

if TYPE_CHECKING:
    import torch

compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
exactly_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
"""The same without fusing: for what has to agree with other code to the last bit."""

COMPILED_ON = frozenset({"cpu"})
"""Types of device whose memory compiled loops can work on."""


def runs_compiled(device: torch.device) -> bool:
    """Return whether work on a device is done by compiled loops, not by PyTorch's operations."""
    return device.type in COMPILED_ON
