"""How functions are compiled for the processor: plain loops over NumPy arrays, by Numba.

A lane's numbers come from the same instructions whatever its neighbours, and the order of additions
is the one that is written: only a product and the sum that takes it up may be fused.
"""

from __future__ import annotations

import numba

compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
exactly_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
"""The same without fusing: for what has to agree with other code to the last bit."""
