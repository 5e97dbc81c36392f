"""The code of each environment that compiled loops step; planning reads them without Numba."""

from __future__ import annotations

CART_POLE, MOUNTAIN_CAR, ACROBOT, GRID_WORLD = range(4)
