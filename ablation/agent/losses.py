"""Temporal-difference targets and losses, as pure functions of batched tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ablation.config.schema import AgentConfig


def bootstrap_values(target_values: Tensor, selecting_values: Tensor | None) -> Tensor:
    """Return the value of the next state `[L, B]` from the target network's `[L, B, A]`.

    With `selecting_values` (the online network's, same shape) the action is theirs: double
    Q-learning (van Hasselt et al. 2016, equation 4). Without, it is the largest value (Mnih et al.
    2015, equation 2).
    """
    if selecting_values is None:
        return target_values.amax(dim=-1)
    actions = selecting_values.argmax(dim=-1, keepdim=True)
    return target_values.gather(-1, actions).squeeze(-1)


def huber(error: Tensor, threshold: float = 1.0) -> Tensor:
    """Return Huber's loss, elementwise: beyond the threshold it is linear."""
    clipped = error.clamp(-threshold, threshold)
    return clipped * (error - 0.5 * clipped)


def squared(error: Tensor) -> Tensor:
    """Return the squared error, elementwise (no factor of one half)."""
    return error.square()


def identity_loss(error: Tensor) -> Tensor:
    """Return the error itself: a loss without a minimum."""
    return error


def next_value_batch(
    batch: Mapping[str, Tensor], weights: Tensor, next_values: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Return a batch and weights on which `identity_loss` is the mean of (1 - done) max Q(s') - r.

    `next_values` are the online network's, `[L, B, A]`. The loss is 0 where an episode ended: that term
    of the mean does not depend on the network.
    """
    changed = {
        "observation": batch["next_observation"],
        "action": next_values.argmax(dim=-1),
        "discount": torch.zeros_like(batch["discount"]),
    }
    return {**batch, **changed}, weights * (batch["discount"] > 0)


LOSSES: dict[str, Callable[[Tensor, AgentConfig], Tensor]] = {
    "huber": lambda error, agent: huber(error, agent.huber_threshold),
    "squared": lambda error, _: squared(error),
    "next_value": lambda error, _: identity_loss(error),
}
BATCHES = {"next_value": next_value_batch}
"""Of losses that are computed on another batch than the sampled one: the function that makes it."""
