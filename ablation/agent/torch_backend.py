"""Gradient steps by PyTorch: autograd over the stacked parameters of all lanes, on any device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablation.agent.backend import Parameters, Update
from ablation.agent.exploration import epsilon_greedy
from ablation.agent.losses import LOSSES, bootstrap_values
from ablation.agent.network import StackedNetwork
from ablation.agent.optimizers import make_optimizer, set_learning_rate
from ablation.config.schema import AgentConfig


class TorchBackend:
    """A `LearnerBackend` of batched products, with one optimizer over the parameters of all lanes.

    It computes where the parameters are. Tests judge the compiled backend by it. Devices other than
    the processor: nobody has run it on one yet.
    """

    def __init__(self, config: AgentConfig, network: StackedNetwork, parameters: Parameters) -> None:
        self._config, self._network, self._parameters = config, network, parameters
        parameters.online.grad = parameters.gradient
        self._optimizer = make_optimizer(config, parameters.online)

    def action_values(self, observation: Tensor) -> Tensor:
        """Return the online networks' values `[L, N, A]` for observations `[L, N, O]`."""
        return self._values(self._parameters.online, observation.to(self._network.device)).cpu()

    def layer_outputs(self, parameters: Tensor, observation: Tensor) -> list[Tensor]:
        """Return every layer's outputs `[L, N, size]` for observations `[L, N, O]`."""
        outputs = self._network.layer_outputs(parameters, observation.to(self._network.device))
        return [values.cpu() for values in outputs]

    def act(self, observation: Tensor, epsilon: float, draws: Tensor) -> Tensor:
        """Return epsilon-greedy actions `[L]`; see `epsilon_greedy`."""
        values = self.action_values(observation.unsqueeze(1)).squeeze(1)
        return epsilon_greedy(values, epsilon, draws)

    def step(
        self,
        batch: Mapping[str, Tensor],
        weights: Tensor,
        number: int,  # noqa: ARG002
        learning_rate: float,
    ) -> Update:
        """Take a run's gradient step; see `Learner.update`."""
        device = self._network.device
        batch = {name: values.to(device) for name, values in batch.items()}
        online = self._parameters.online.detach().requires_grad_()
        update = self._losses(online, batch, weights.to(device))
        (gradient,) = torch.autograd.grad(update.losses.mean(dim=1).sum(), online)
        self._parameters.gradient.copy_(gradient)
        self._clip_gradient()
        set_learning_rate(self._optimizer, learning_rate)
        self._optimizer.step()
        return Update(*(part.detach().cpu() for part in (update.errors, update.losses, update.values)))

    def state(self) -> dict[str, Any]:
        """Return the optimizer's state."""
        return self._optimizer.state_dict()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self._optimizer.load_state_dict(dict(state))

    def _losses(self, online: Tensor, batch: Mapping[str, Tensor], weights: Tensor) -> Update:
        """Return TD errors, losses and values of a batch, for autograd by `online [L, P]`."""
        values = self._values(online, batch["observation"])
        taken = values.gather(-1, batch["action"].unsqueeze(-1)).squeeze(-1)
        errors = taken - self._targets(batch)
        return Update(errors, weights * LOSSES[self._config.loss](errors, self._config), taken)

    def _values(self, parameters: Tensor, observation: Tensor) -> Tensor:
        return self._network.layer_outputs(parameters, observation)[-1]

    @torch.no_grad()
    def _targets(self, batch: Mapping[str, Tensor]) -> Tensor:
        following, parameters = batch["next_observation"], self._parameters
        next_values = self._values(parameters.target, following)
        selecting = self._values(parameters.online, following) if self._config.double_q else None
        return batch["reward"] + batch["discount"] * bootstrap_values(next_values, selecting)

    def _clip_gradient(self) -> None:
        largest, gradient = self._config.max_gradient_norm, self._parameters.gradient
        if largest is not None:
            norm = gradient.square().sum(dim=1, keepdim=True).sqrt()
            gradient.mul_((largest / (norm + 1e-6)).clamp_(max=1))
