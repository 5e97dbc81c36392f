"""Networks, losses and optimizers as a user would write them, for `tests/test_own_networks.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

Evaluate = Callable[[Tensor], Tensor]


class Plain(nn.Sequential):
    """The layers of the built-in network."""

    def __init__(self, shape: Sequence[int], actions: int, hidden: int = 16) -> None:
        inputs = int(np.prod(shape))
        super().__init__(
            nn.Flatten(),
            nn.Linear(inputs, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, actions),
        )


class Images(nn.Sequential):
    """A convolution, layer normalization and a smooth activation."""

    def __init__(self, shape: Sequence[int], actions: int) -> None:
        channels, height, width = shape
        size = 6 * (height - 2) * (width - 2)
        super().__init__(
            nn.Conv2d(channels, 6, 3),
            nn.Flatten(),
            nn.LayerNorm(size),
            nn.GELU(),
            nn.Linear(size, actions),
        )


class Noisy(nn.Module):
    """A linear network whose biases are disturbed, with constants that differ between seeds."""

    def __init__(self, shape: Sequence[int], actions: int) -> None:
        super().__init__()
        self.noise_size = actions
        self.linear = nn.Linear(int(np.prod(shape)), actions)
        self.scale = nn.Parameter(torch.full((actions,), 0.5))
        self.register_buffer("shift", torch.rand(actions))
        self.shift: Tensor

    def forward(self, observation: Tensor, noise: Tensor) -> Tensor:
        values: Tensor = self.linear(observation) + self.scale * noise + self.shift
        return values


class OwnLoss(Plain):
    """Squared TD errors, written by hand."""

    def loss(
        self, online: Evaluate, target: Evaluate, batch: Mapping[str, Tensor], weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        return squared_loss(online, target, batch, weights)


def squared_loss(
    online: Evaluate, target: Evaluate, batch: Mapping[str, Tensor], weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return weighted squared TD errors, and the errors."""
    values = online(batch["observation"]).gather(1, batch["action"].unsqueeze(1)).squeeze(1)
    following = target(batch["next_observation"])
    best = following.gather(1, batch["next_action"].unsqueeze(1)).squeeze(1)
    errors = values - (batch["reward"] + batch["discount"] * best).detach()
    return weights * errors.square(), errors


class Normalized(nn.Sequential):
    """Has batch normalization."""

    def __init__(self, shape: Sequence[int], actions: int) -> None:
        super().__init__(nn.Linear(shape[0], 8), nn.BatchNorm1d(8), nn.Linear(8, actions))


class Dropped(nn.Sequential):
    """Has dropout."""

    def __init__(self, shape: Sequence[int], actions: int) -> None:
        super().__init__(nn.Linear(shape[0], 8), nn.Dropout(0.1), nn.Linear(8, actions))


class Counting(nn.Linear):
    """Counts its calls in a buffer."""

    def __init__(self, shape: Sequence[int], actions: int) -> None:
        super().__init__(shape[0], actions)
        self.register_buffer("calls", torch.zeros(()))
        self.calls: Tensor

    def forward(self, observation: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(observation)


class Drawing(nn.Linear):
    """Draws from the global generator in its forward pass."""

    def __init__(self, shape: Sequence[int], actions: int) -> None:
        super().__init__(shape[0], actions)

    def forward(self, observation: Tensor) -> Tensor:
        return super().forward(observation) + torch.rand(())


class Unseeded(nn.Linear):
    """Takes its initial parameters from a generator that nobody seeds."""

    def __init__(self, shape: Sequence[int], actions: int) -> None:
        super().__init__(shape[0], actions)
        self.weight.data.fill_(np.random.default_rng().random())


class TooMany(nn.Linear):
    """Gives a value too many."""

    def __init__(self, shape: Sequence[int], actions: int) -> None:
        super().__init__(shape[0], actions + 1)


class NoArguments(nn.Linear):
    """Does not take what factories are given."""

    def __init__(self) -> None:
        super().__init__(4, 2)


class Lazy(nn.LazyLinear):
    """Learns its sizes from what it sees first."""

    def __init__(self, _shape: Sequence[int], actions: int) -> None:
        super().__init__(actions)


class Broken(nn.Linear):
    """Raises in its forward pass."""

    def __init__(self, shape: Sequence[int], actions: int) -> None:
        super().__init__(shape[0], actions)

    def forward(self, observation: Tensor) -> Tensor:
        raise ValueError("nothing comes out")


def no_module(_shape: Sequence[int], _actions: int) -> str:
    """Return what is no module."""
    return "Q"


def one_result(
    online: Evaluate, _target: Evaluate, batch: Mapping[str, Tensor], _weights: Tensor
) -> Tensor:
    """Return losses alone."""
    return online(batch["observation"]).sum(1)


def mean_loss(
    online: Evaluate, target: Evaluate, batch: Mapping[str, Tensor], weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the mean, not the losses."""
    losses, errors = squared_loss(online, target, batch, weights)
    return losses.mean(), errors


def constant_loss(
    online: Evaluate, target: Evaluate, batch: Mapping[str, Tensor], weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return losses that no parameter changes."""
    losses, errors = squared_loss(online, target, batch, weights)
    return losses.detach(), errors


def misspelled(
    online: Evaluate, _target: Evaluate, batch: Mapping[str, Tensor], _weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Ask for a field that batches do not have."""
    return batch["rewards"], online(batch["observation"])


class Mixing(torch.optim.SGD):
    """Steps by the mean gradient of all lanes."""

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad.copy_(parameter.grad.mean(dim=0, keepdim=True).expand_as(parameter))
        super().step(closure)
