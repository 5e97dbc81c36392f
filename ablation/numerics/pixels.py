"""Pixel encodings, shared by the environments that emit pixels and the replay that stores them."""

from __future__ import annotations

from typing import Literal

import numpy as np

Pixels = Literal["float", "byte", "bit"]
"""Any number; a byte, emitted as byte / 255; 0 or 1."""

BYTE_VALUES = np.arange(256, dtype=np.float32) / np.float32(255)
"""The number that each byte is emitted as."""
