"""The interface of what takes the gradient steps: compiled loops, or PyTorch on any device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class Update:
    """The numbers of one gradient step before it changed the parameters; every tensor is `[L, B]`.

    Valid until the next step: a backend may write the next one's numbers into the same tensors.
    """

    errors: Tensor
    losses: Tensor
    values: Tensor


@dataclass(frozen=True)
class Parameters:
    """The networks of all lanes, `[L, P]` each; backends change them in place."""

    online: Tensor
    target: Tensor
    gradient: Tensor


class LearnerBackend(Protocol):
    """Evaluates and trains the networks of all lanes.

    Tensors that go in and come out are in main memory, wherever the parameters are.
    """

    def action_values(self, observation: Tensor) -> Tensor:
        """Return the online networks' values `[L, N, A]` for observations `[L, N, O]`."""

    def layer_outputs(self, parameters: Tensor, observation: Tensor) -> list[Tensor]:
        """Return every layer's outputs `[L, N, size]` under `parameters [L, P]`, the values last."""

    def act(self, observation: Tensor, epsilon: float, draws: Tensor) -> Tensor:
        """Return epsilon-greedy actions `[L]`, int64, for observations `[L, O]`."""

    def step(
        self, batch: Mapping[str, Tensor], weights: Tensor, number: int, learning_rate: float
    ) -> Update:
        """Take a run's gradient step of this number, counted from 1; see `Learner.update`."""

    def td_errors(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the errors `[L, B]` that a gradient step on a batch would see now."""

    def state(self) -> dict[str, Any]:
        """Return the optimizer's state, all that `restore` needs beside the parameters."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
