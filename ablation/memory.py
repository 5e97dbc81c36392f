"""How much memory a job's replay takes, known before anything is allocated (and without PyTorch)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FLOAT_BYTES = 4
ACTION_BYTES = 8
PRIORITY_BYTES = 8
TREE_OVERHEAD = 32 / 31
"""Leaves and all inner sums of a tree of fan-out 32, per leaf."""


def replay_bytes(cell: Mapping[str, Any], observation_size: int, lanes: int) -> int:
    """Return the bytes of replay for `lanes` runs of a cell, given its canonical configuration."""
    # Kinds without a capacity keep just the batch that they learn from.
    items: int = cell["replay"].get("capacity", cell["agent"]["batch_size"])
    scalars = 2 * FLOAT_BYTES + ACTION_BYTES
    each: float = 2 * observation_size * FLOAT_BYTES + scalars
    return round(lanes * items * (each + _priority_bytes(cell["replay"])))


def _priority_bytes(replay: Mapping[str, Any]) -> float:
    """Return the bytes that a prioritized kind keeps beside each item."""
    if replay["kind"] not in ("proportional", "rank"):
        return 0
    trees: int = 1 + (replay.get("new_priority") == "max_present")
    trees += replay.get("weight_normalisation") == "pool_max"
    errors = "priority_refresh_period" in replay
    ranks = replay["kind"] == "rank"
    total: float = PRIORITY_BYTES * (trees * TREE_OVERHEAD + errors + ranks)
    return total
