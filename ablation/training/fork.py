"""The state with which a forked run goes on; states of several runs, from those of single ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ablation.config.cell import Cell
from ablation.config.schema import CellConfig
from ablation.config.tasks import options_of, settings_of
from ablation.envs.spec import env_spec
from ablation.replay.fork import forked_buffer
from ablation.replay.frame_format import frame_format

State = Mapping[str, Any]

LISTS_OF_LANES = frozenset({"lanes", "return", "length", "returns", "env_steps", "episode", "actions"})
"""The lists of a `DQNTrainer`'s state that have an entry for each lane; its tensors have lanes first."""


def forked_state(config: CellConfig, state: State) -> dict[str, Any]:
    """Return the state in which a fork begins, from its parent's after the step of the fork.

    Without a target network the targets are the online network's from here on.
    """
    learner = dict(state["learner"])
    if not config.agent.target_network:
        learner["target_parameters"] = learner["parameters"].clone()
    env = config.env
    form = frame_format(env_spec(env.id, options_of(env)), settings_of(env).get("time_limit"))
    buffer = forked_buffer(Cell(config), state["buffer"], state["env_step"], form)
    return dict(state) | {"learner": learner, "buffer": buffer}


def can_be_split(state: State) -> bool:
    """Return whether single lanes can be taken out of a state: not out of a class of the user's."""
    return state["buffer"]["items"] is None


def lane_of(value: Any, lane: int, name: str = "") -> Any:
    """Return a state of one lane, taken out of that of several."""
    if isinstance(value, torch.Tensor):
        return value[lane : lane + 1].clone() if value.dim() else value
    if isinstance(value, Mapping):
        return {key: lane_of(part, lane, str(key)) for key, part in value.items()}
    if isinstance(value, list) and name in LISTS_OF_LANES:
        return [value[lane]]
    if isinstance(value, list | tuple):
        return type(value)(lane_of(part, lane) for part in value)
    return value


def joined(states: Sequence[Any], name: str = "") -> Any:
    """Return a state of several lanes, made of states of fewer.

    Raises `ValueError` where they differ in what all lanes of a state share.
    """
    first = states[0]
    if isinstance(first, torch.Tensor) and first.dim():
        return _joined_tensors(states)
    if isinstance(first, Mapping):
        return {key: joined([state[key] for state in states], str(key)) for key in first}
    if isinstance(first, list) and name in LISTS_OF_LANES:
        return [entry for state in states for entry in state]
    if isinstance(first, list | tuple):
        return type(first)(joined(parts) for parts in zip(*states, strict=True))
    if any(state != first for state in states):
        raise ValueError(f"{name} differs between runs: {first}, {states[-1]}")
    return first


def _joined_tensors(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return tensors `[L, C, ...]` one after the other, those with fewer slots filled up with zeros."""
    slots = max(tensor.shape[1] if tensor.dim() > 1 else 0 for tensor in tensors)
    parts = []
    for tensor in tensors:
        if tensor.dim() > 1 and tensor.shape[1] < slots:
            lacking = tensor.new_zeros((len(tensor), slots - tensor.shape[1], *tensor.shape[2:]))
            tensor = torch.cat([tensor, lacking], dim=1)  # noqa: PLW2901
        parts.append(tensor)
    return torch.cat(parts)
