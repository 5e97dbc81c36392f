"""Behaviour policies: epsilon-greedy actions and the schedules of their parameters."""

from __future__ import annotations

import torch
from torch import Tensor

from ablation.streams import integers, unit_interval

EXPLORE_WIDTH = 2
"""Random words that one epsilon-greedy action takes: whether to explore, and which action."""


def epsilon_greedy(action_values: Tensor, epsilon: float, bits: Tensor) -> Tensor:
    """Return actions `[L]`: a uniform one with probability epsilon, else the first greedy one.

    `action_values` has shape `[L, A]`, `bits` `[L, EXPLORE_WIDTH]`.
    """
    explore = unit_interval(bits[:, 0]) < epsilon
    uniform = integers(bits[:, 1], action_values.shape[-1])
    return torch.where(explore, uniform, action_values.argmax(dim=-1))
