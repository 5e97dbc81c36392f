"""How functions are compiled: plain loops over NumPy arrays, by Numba.

Every operation is rounded by itself in the order that is written, so that results are the same bits on
every processor and whatever the neighbors of a lane; where a product and a sum are to be fused,
`numerics.scalars.fma` says so.
"""

from __future__ import annotations

import numba

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
