"""Settings that numerical libraries read from the environment; programs make them, imports never do."""

from __future__ import annotations

import os

DEFAULTS = {
    # Intel's matrix library picks its kernels by the memory alignment of each matrix, so a lane's last
    # bits would depend on its place in the batch. With this setting (no measurable cost) a product
    # depends on nothing but its operands.
    "MKL_CBWR": "AUTO,STRICT",
    # A lane's products are small: threads cost more than they give, and jobs run side by side.
    "OPENBLAS_NUM_THREADS": "1",
    # Replay buffers are read at random places, which large pages make quicker.
    "THP_MEM_ALLOC_ENABLE": "1",
}


def library_settings() -> dict[str, str]:
    """Return the variables that a program sets; what its user has set stays.

    NumPy and PyTorch read them when they are loaded: a program sets them before it imports either.
    """
    return {name: os.environ.get(name, default) for name, default in DEFAULTS.items()}
