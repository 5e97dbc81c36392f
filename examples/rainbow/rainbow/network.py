"""Rainbow's network, whose components can each be left out: `agent.network: rainbow.network:rainbow`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from rainbow.distributional import cross_entropy, of_actions, project
from rainbow.dueling import combine
from rainbow.noisy import NoisyLinear


def rainbow(
    shape: Sequence[int],
    actions: int,
    distributional: bool = True,
    atoms: int = 51,
    support: Sequence[float] = (-10.0, 10.0),
    **options: Any,
) -> nn.Module:
    """Return a network for observations of `shape`; `options` are those of `Network`."""
    if distributional:
        return Distributional(shape, actions, torch.linspace(*support, atoms), **options)
    return Network(shape, actions, **options)


class Head(nn.Module):
    """A hidden layer and an output layer, both noisy or both not."""

    def __init__(self, inputs: int, hidden: int, outputs: int, noisy: bool) -> None:
        super().__init__()
        layer = NoisyLinear if noisy else nn.Linear
        self.hidden, self.output = layer(inputs, hidden), layer(hidden, outputs)
        self.sizes = [self.hidden.noise_size, self.output.noise_size] if noisy else []
        self.noise_size = sum(self.sizes)

    def forward(self, features: Tensor, noise: Tensor | None) -> Tensor:
        """Return outputs `[B, outputs]`; `noise [noise_size]` if it is noisy."""
        if noise is None:
            return self.output(self.hidden(features).relu())
        first, second = noise.split(self.sizes)
        return self.output(self.hidden(features, first).relu(), second)


class Network(nn.Module):
    """A trunk, and heads that give every action `outputs` numbers: its value, or a distribution.

    Images get the convolution of Young & Tian 2019 before the trunk's layer.
    """

    def __init__(
        self,
        shape: Sequence[int],
        actions: int,
        hidden: int = 64,
        dueling: bool = True,
        noisy: bool = True,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.actions, self.outputs, inputs, first = actions, outputs, prod(shape), []
        if len(shape) == 3:
            channels, height, width = shape
            first, inputs = [nn.Conv2d(channels, 16, 3), nn.ReLU()], 16 * (height - 2) * (width - 2)
        self.trunk = nn.Sequential(*first, nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU())
        self.advantage = Head(hidden, hidden, actions * outputs, noisy)
        self.value = Head(hidden, hidden, outputs, noisy) if dueling else None
        heads = [self.advantage] if self.value is None else [self.advantage, self.value]
        self.sizes = [head.noise_size for head in heads]
        self.noise_size = sum(self.sizes)

    def logits(self, observation: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return `[B, A, outputs]` for observations `[B, *shape]`."""
        features = self.trunk(observation)
        parts = [None, None] if noise is None else noise.split(self.sizes)
        advantage = self.advantage(features, parts[0]).unflatten(1, (self.actions, self.outputs))
        if self.value is None:
            return advantage
        return combine(self.value(features, parts[1]).unsqueeze(1), advantage)

    def forward(self, observation: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return action values `[B, A]`."""
        return self.logits(observation, noise).squeeze(-1)


class Distributional(Network):
    """The same with a distribution over atoms for each action, and the loss of C51."""

    def __init__(self, shape: Sequence[int], actions: int, atoms: Tensor, **options: Any) -> None:
        super().__init__(shape, actions, outputs=len(atoms), **options)
        self.register_buffer("atoms", atoms)

    def forward(self, observation: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return action values `[B, A]`, the means of the distributions."""
        return (self.logits(observation, noise).softmax(dim=-1) * self.atoms).sum(dim=-1)

    def loss(
        self,
        online: Any,
        target: Any,
        batch: Mapping[str, Tensor],
        weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return weighted cross-entropies and KL divergences `[B]`."""
        with torch.no_grad():
            following = of_actions(target.logits(batch["next_observation"]), batch["next_action"])
            goal = project(self.atoms, following.softmax(dim=1), batch["reward"], batch["discount"])
        logits = of_actions(online.logits(batch["observation"]), batch["action"])
        losses, errors = cross_entropy(logits, goal)
        return weights * losses, errors
