"""The memory of a job's buffers, networks and diagnostics, before anything is allocated."""

from __future__ import annotations

from collections.abc import Sequence

from ablation.agent.layers import Layer, layers_of_agent, padded, row_length, workspace_sizes
from ablation.config.cell import Cell
from ablation.config.schema import AgentConfig
from ablation.config.tasks import FLOAT_BYTES
from ablation.replay.frame_format import FrameFormat

PRIORITY_BYTES = 8
USAGE_BYTES = 12
"""Of an item's age and draw counts."""
DIAGNOSTICS_BYTES = 16_000
"""Of diagnostics for each number of an observation and each lane: 256 observations of the buffer, sorted
beside a batch, and 512 of the run; as measured, docs/environments.md."""
PARAMETER_ROWS = 8
"""Online and target network, gradient and two moments; the copies that diagnostics take of the online
network and the gradient before a step; and the network of the best evaluation."""

OWN_PASSES = 4
"""Copies of a batch's activations that a network of the user's is taken to need: three forward passes
and gradients."""


def replay_bytes(cell: Cell, observation_size: int, lanes: int, form: FrameFormat | None = None) -> int:
    """Return the bytes of the buffers of `lanes` runs; with `form`, observations are kept as frames."""
    replay, items = cell.config.replay, cell.schedule.capacity
    stored = items * cell.task.item_bytes(observation_size)
    if form is not None:
        stored = form.storage_bytes(items, replay.n_step)
    priorities = PRIORITY_BYTES * cell.kind.priority_values(replay, items)
    return lanes * (stored + items * USAGE_BYTES + priorities)


def network_bytes(layers: Sequence[Layer], batch_size: int, lanes: int) -> int:
    """Return the bytes of the networks of `lanes` runs, and of the workspace of gradient steps."""
    rows = lanes * PARAMETER_ROWS * row_length(layers)
    return FLOAT_BYTES * (rows + sum(workspace_sizes(layers, batch_size)))


def agent_bytes(
    agent: AgentConfig, shape: Sequence[int], actions: int, batch_size: int, lanes: int
) -> int:
    """Return the bytes of an agent's networks in `lanes` runs; those of the user's are made to see."""
    if agent.network is None:
        return network_bytes(layers_of_agent(agent, shape, actions), batch_size, lanes)
    from ablation.agent.own_size import own_network_size

    parameters, outputs = own_network_size(agent, tuple(shape), actions)
    rows = PARAMETER_ROWS * padded(parameters)
    return FLOAT_BYTES * lanes * (rows + OWN_PASSES * batch_size * outputs)


def diagnostics_bytes(observation_size: int, lanes: int) -> int:
    """Return the bytes that the diagnostics of `lanes` runs take at most."""
    return lanes * observation_size * DIAGNOSTICS_BYTES
