"""How functions are compiled: plain loops over NumPy arrays, by Numba.

A lane's numbers come from the same instructions whatever its neighbors, and additions happen in the
order in which they are written: only a product and the sum that takes it up may be fused.
"""

from __future__ import annotations

import numba

compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
exactly_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
"""The same without fusing: for what has to agree with other code to the last bit."""
