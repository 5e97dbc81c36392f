"""Behavior policies: epsilon-greedy actions."""

from __future__ import annotations

import torch
from torch import Tensor

from ablation.numerics.random_streams import integers, unit_interval

EXPLORE_WIDTH = 2
"""Random words that one epsilon-greedy action takes: whether to explore, and which action."""


def exploration_draws(words: Tensor, actions: int) -> Tensor:
    """Return the draws for `epsilon_greedy`, float64, from words `[..., EXPLORE_WIDTH]`.

    Of the same shape: a number in [0, 1) that decides whether to explore, and a uniform action.
    """
    uniform = integers(words[..., 1], actions).double()
    return torch.stack((unit_interval(words[..., 0]), uniform), dim=-1)


def epsilon_greedy(action_values: Tensor, epsilon: float, draws: Tensor) -> Tensor:
    """Return actions `[L]`: the uniform one with probability epsilon, else the first greedy one.

    `action_values` has shape `[L, A]`, `draws` `[L, EXPLORE_WIDTH]`; see `exploration_draws`.
    """
    explores, uniform = draws.unbind(dim=1)
    return torch.where(explores < epsilon, uniform.long(), action_values.argmax(dim=1))
