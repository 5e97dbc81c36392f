"""C51: the distribution of returns on fixed atoms (Bellemare, Dabney & Munos 2017, algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor


def project(atoms: Tensor, probabilities: Tensor, reward: Tensor, discount: Tensor) -> Tensor:
    """Return the distribution of `reward + discount * Z` on the atoms of Z, `[B, atoms]`.

    `atoms [atoms]` are evenly spaced, `probabilities [B, atoms]`, `reward` and `discount` `[B]`. Each
    atom moves, and its probability is shared by the two nearest atoms; beyond the ends, it is the end's.
    """
    last = len(atoms) - 1
    spacing = (atoms[last] - atoms[0]) / last
    moved = reward.unsqueeze(1) + discount.unsqueeze(1) * atoms
    position = ((moved - atoms[0]) / spacing).clamp(0, last)
    lower = position.floor()
    share = position - lower
    below, above = lower.long(), (lower.long() + 1).clamp(max=last)
    result = torch.zeros_like(probabilities)
    result = result.scatter_add(1, below, probabilities * (1 - share))
    return result.scatter_add(1, above, probabilities * share)


def of_actions(values: Tensor, action: Tensor) -> Tensor:
    """Return the rows `[B, atoms]` of the actions `[B]` in `values [B, A, atoms]`."""
    index = action.view(-1, 1, 1).expand(-1, 1, values.shape[-1])
    return values.gather(1, index).squeeze(1)


def cross_entropy(logits: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    """Return cross-entropies of `logits [B, atoms]` to `goal [B, atoms]`, and KL divergences, `[B]`.

    Both have the same gradient. Rainbow's priorities are made of the divergence.
    """
    entropy = torch.special.entr(goal).sum(dim=1)
    losses = -(goal * logits.log_softmax(dim=1)).sum(dim=1)
    return losses, (losses - entropy).detach()
