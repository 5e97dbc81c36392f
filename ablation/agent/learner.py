"""One learner for all lanes: action values, one gradient step, the target network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.agent.network import StackedMLP
from ablation.agent.targets import LOSSES, bootstrap_values, scatter_to_actions
from ablation.config import AgentConfig
from ablation.streams import Stream, unit_interval, words


@dataclass(frozen=True)
class Update:
    """What one gradient step saw, before it changed the parameters; every tensor is `[L, B]`."""

    errors: Tensor
    losses: Tensor
    values: Tensor


class Learner:
    """Online and target networks of every lane, and the optimiser between them."""

    def __init__(
        self,
        config: AgentConfig,
        seeds: Sequence[int],
        observation_size: int,
        actions: int,
        device: torch.device,
    ) -> None:
        self._config = config
        self._loss = LOSSES[config.loss]
        sizes = (observation_size, *config.hidden_sizes, actions)
        self._network = StackedMLP(len(seeds), sizes, device)
        count = self._network.parameters_per_lane
        bits = torch.from_numpy(
            np.concatenate([words(seed, Stream.INIT, 0, 1, count) for seed in seeds]).astype(np.int64)
        )
        self._parameters = self._network.initial(unit_interval(bits).to(device))
        self._parameters.grad = self._network.zeros()
        self._target_parameters = self._parameters.clone()
        self._online = self._network.views(self._parameters)
        self._target = self._network.views(self._target_parameters)
        self._gradients = self._network.views(self._parameters.grad)
        self._optimiser = torch.optim.Adam(
            [self._parameters], lr=config.learning_rate, eps=config.adam_epsilon, fused=True
        )
        self.gradient_steps = 0

    def action_values(self, observation: Tensor) -> Tensor:
        """Return the online network's values `[L, N, A]` for observations `[L, N, O]`."""
        return self._network.forward(self._online, observation)[-1]

    def update(self, batch: dict[str, Tensor], weights: Tensor) -> Update:
        """Take one gradient step on a batch and return what it saw.

        The batch holds `observation` and `next_observation` `[L, B, O]`, `action`, `reward` and
        `discount` `[L, B]`; `weights [L, B]` multiply each transition's loss. The loss is the mean
        over the batch.
        """
        targets = self._targets(batch)
        activations = self._network.forward(self._online, batch["observation"])
        values = activations[-1]
        taken = values.gather(-1, batch["action"].unsqueeze(-1)).squeeze(-1)
        errors = taken - targets
        losses, slopes = self._loss(errors)
        scaled = weights * slopes / slopes.shape[1]
        output_gradient = scatter_to_actions(scaled, batch["action"], values)
        self._network.backward(self._online, activations, output_gradient, self._gradients)
        self._clip_gradient()
        self._optimiser.step()
        self.gradient_steps += 1
        self._refresh_by_gradient_steps()
        return Update(errors, losses * weights, taken)

    def end_of_step(self, env_step: int) -> None:
        """Refresh the target network if its period, counted in environment steps, ends here."""
        config = self._config
        in_env_steps = config.target_network and config.target_update_unit == "env_steps"
        if in_env_steps and env_step % config.target_update_period == 0:
            self.refresh_target()

    def refresh_target(self) -> None:
        """Copy the online parameters to the target network."""
        self._target_parameters.copy_(self._parameters)

    def gradient_norm(self) -> Tensor:
        """Return the Euclidean norm `[L]` of each lane's gradient in the last update."""
        squares = [gradient.square().sum(dim=(1, 2)) for gradient in self._gradients]
        # Lanes first: a sum over the first axis adds in another order at the tail of the lanes.
        return torch.stack(squares, dim=1).sum(dim=1).sqrt()

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs; shares memory with the learner."""
        return {
            "parameters": self._parameters,
            "target_parameters": self._target_parameters,
            "optimiser": self._optimiser.state_dict(),
            "gradient_steps": self.gradient_steps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self._parameters.copy_(state["parameters"])
        self._target_parameters.copy_(state["target_parameters"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.gradient_steps = state["gradient_steps"]

    def _refresh_by_gradient_steps(self) -> None:
        config = self._config
        in_gradient_steps = config.target_update_unit == "gradient_steps"
        due = in_gradient_steps and self.gradient_steps % config.target_update_period == 0
        if due or not config.target_network:
            self.refresh_target()

    def _targets(self, batch: dict[str, Tensor]) -> Tensor:
        next_values = self._network.forward(self._target, batch["next_observation"])[-1]
        selecting = self.action_values(batch["next_observation"]) if self._config.double_q else None
        return batch["reward"] + batch["discount"] * bootstrap_values(next_values, selecting)

    def _clip_gradient(self) -> None:
        largest = self._config.max_gradient_norm
        if largest is None:
            return
        scale = (largest / (self.gradient_norm() + 1e-6)).clamp_(max=1).view(-1, 1, 1)
        for gradient in self._gradients:
            gradient.mul_(scale)
