"""What pixels are worth: the numbers that image environments emit, and that their replay gives back."""

from __future__ import annotations

from typing import Literal

import numpy as np

Pixels = Literal["float", "byte", "bit"]
"""Any number; a byte, which is emitted as a 255th of it; 0 or 1."""

BYTE_VALUES = np.arange(256, dtype=np.float32) / np.float32(255)
"""What each byte is emitted as."""
