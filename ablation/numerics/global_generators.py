"""The random generators that a whole process shares; components must not draw from them.

A run that draws from one depends on whatever else draws from it: on neighbors, on order, on resumptions.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np


def seed_all(seed: int) -> dict[str, Any]:
    """Seed every global generator and return their states, by name; PyTorch's only if it is loaded."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  It is the generator that nothing should use.
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    return states()


def used_since(before: dict[str, Any]) -> str:
    """Return the names of the generators that were drawn from since `states`, empty for none."""
    now = states()
    return " and ".join(name for name, state in before.items() if now[name] != state)


def states() -> dict[str, Any]:
    """Return the state of each global generator, comparable, by its name."""
    _, keys, position, *rest = np.random.get_state()  # noqa: NPY002
    found = {
        "NumPy's global generator": (np.asarray(keys).tobytes(), position, *rest),
        "Python's global generator": random.getstate(),
    }
    if "torch" in sys.modules:
        found["PyTorch's global generator"] = sys.modules["torch"].get_rng_state().numpy().tobytes()
    return found
