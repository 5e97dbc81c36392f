"""How much memory a job's replay and networks take, before anything is allocated, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablation.agent.layers import Layer, room_sizes, row_length
from ablation.config.schema import DIGITS, chain_length
from ablation.replay.frame_format import FrameFormat

FLOAT_BYTES = 4
ACTION_BYTES = LABEL_BYTES = 8
CHAIN_BYTES = 32
"""State, action, reward and discount of a Blind Cliffwalk's transition."""
PRIORITY_BYTES = 8
USAGE_BYTES = 12
DIAGNOSTICS_BYTES = 16_000
"""What diagnostics take for each number of an observation and each lane: 256 of a pool, sorted beside
a batch, and 512 of the run; as measured, docs/environments.md."""
PARAMETER_ROWS = 7
"""Of the online and target networks, the gradient and two moments; and what diagnostics keep of the
online network and the gradient before a step."""
FAN_OUT = 8
"""Children of a section of a prioritized sampler's trees."""


def replay_bytes(
    cell: Mapping[str, Any], observation_size: int, lanes: int, form: FrameFormat | None = None
) -> int:
    """Return the bytes of replay for `lanes` runs of a cell, given its canonical configuration.

    With `form`, observations are kept as frames.
    """
    # Kinds without a capacity keep just the batch that they learn from.
    items: int = cell["replay"].get("capacity", cell["agent"]["batch_size"])
    each = 2 * observation_size * FLOAT_BYTES + 2 * FLOAT_BYTES + ACTION_BYTES
    if cell.get("env", {}).get("id") == DIGITS:
        each = observation_size * FLOAT_BYTES + LABEL_BYTES
    elif chain_length(cell.get("env", {}).get("id", "")) is not None:
        each = CHAIN_BYTES
    priorities = PRIORITY_BYTES * _priority_values(cell["replay"], items)
    stored = items * each
    if form is not None:
        stored = form.storage_bytes(items, cell["replay"].get("n_step", 1))
    total: int = lanes * (stored + items * USAGE_BYTES + priorities)
    return total


def network_bytes(layers: Sequence[Layer], batch_size: int, lanes: int) -> int:
    """Return the bytes of the networks of `lanes` runs, and of the room that gradient steps work in."""
    rows = lanes * PARAMETER_ROWS * row_length(layers)
    return FLOAT_BYTES * (rows + sum(room_sizes(layers, batch_size)))


def diagnostics_bytes(observation_size: int, lanes: int) -> int:
    """Return the bytes that the diagnostics of `lanes` runs take at most."""
    return lanes * observation_size * DIAGNOSTICS_BYTES


def tree_values(leaves: int) -> int:
    """Return the values that a tree over `leaves` keeps: leaves and sums, in whole sections."""
    total, width = 0, leaves
    while not total or width > 1:
        width = -(-width // FAN_OUT)
        total += width * FAN_OUT
    return total


def _priority_values(replay: Mapping[str, Any], items: int) -> int:
    """Return the values that a kind that looks at TD errors keeps beside its items."""
    if replay["kind"] == "greedy":
        return tree_values(items)
    if replay["kind"] not in ("proportional", "rank"):
        return 0
    trees = 1 + (replay.get("new_priority") == "max_present")
    trees += replay.get("weight_normalisation") == "pool_max"
    arrays = ("priority_refresh_period" in replay) + (replay["kind"] == "rank")
    total: int = trees * tree_values(items) + arrays * items
    return total
