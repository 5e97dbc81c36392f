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
from ablation.agent.own_loss import losses_of_lanes, own_loss
from ablation.agent.stacked_module import StackedModule, same_kernels
from ablation.config.schema import AgentConfig
from ablation.numerics.random_streams import Stream


class TorchBackend:
    """A `LearnerBackend` of batched products, with one optimizer over the parameters of all lanes.

    It computes where the parameters are. Tests judge the compiled backend by it. Devices other than
    the processor: nobody has run it on one yet.
    """

    def __init__(
        self, config: AgentConfig, network: StackedNetwork | StackedModule, parameters: Parameters
    ) -> None:
        self._config, self._network, self._parameters = config, network, parameters
        parameters.online.grad = parameters.gradient
        self._optimizer = make_optimizer(config, parameters.online)
        self._own_loss = own_loss(config, network)
        self._acts = 0

    def action_values(self, observation: Tensor) -> Tensor:
        """Return the online networks' values `[L, N, A]` for observations `[L, N, O]`."""
        values = self._network.values(self._parameters.online, observation.to(self._network.device))
        return values.detach().cpu()

    def layer_outputs(self, parameters: Tensor, observation: Tensor) -> list[Tensor]:
        """Return every layer's outputs `[L, N, size]` for observations `[L, N, O]`."""
        outputs = self._network.layer_outputs(parameters, observation.to(self._network.device))
        return [values.cpu() for values in outputs]

    def act(self, observation: Tensor, epsilon: float, draws: Tensor) -> Tensor:
        """Return epsilon-greedy actions `[L]`; see `epsilon_greedy`."""
        network, there = self._network, observation.unsqueeze(1).to(self._network.device)
        (noise,) = network.noise(Stream.ACT_NOISE, self._acts, 1)
        self._acts += 1
        values = network.values(self._parameters.online, there, noise).squeeze(1).cpu()
        return epsilon_greedy(values, epsilon, draws)

    @same_kernels()
    def step(
        self, batch: Mapping[str, Tensor], weights: Tensor, number: int, learning_rate: float
    ) -> Update:
        """Take a run's gradient step of this number, counted from 1; see `Learner.update`."""
        online = self._parameters.online.detach().requires_grad_()
        noise = self._network.noise(Stream.NOISE, number, 2)
        update = self._losses(online, self._there(batch), weights.to(online.device), noise)
        (gradient,) = torch.autograd.grad(update.losses.mean(dim=1).sum(), online)
        self._parameters.gradient.copy_(gradient)
        self._clip_gradient()
        set_learning_rate(self._optimizer, learning_rate)
        self._optimizer.step()
        return Update(*(part.detach().cpu() for part in (update.errors, update.losses, update.values)))

    @torch.no_grad()
    def td_errors(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the errors `[L, B]` that a gradient step on a batch would see now, without noise."""
        online = self._parameters.online
        weights = torch.ones(batch["action"].shape, device=online.device)
        noise = [torch.zeros_like(one) for one in self._network.noise(Stream.NOISE, 0, 2)]
        return self._losses(online, self._there(batch), weights, noise).errors.cpu()

    def state(self) -> dict[str, Any]:
        """Return the optimizer's state, and how many actions were chosen, which noise depends on."""
        return {"optimizer": self._optimizer.state_dict(), "acts": self._acts}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self._optimizer.load_state_dict(state["optimizer"])
        self._acts = state["acts"]

    def _losses(
        self, online: Tensor, batch: Mapping[str, Tensor], weights: Tensor, noise: list[Tensor]
    ) -> Update:
        """Return errors, losses and values of a batch, for autograd by `online [L, P]`.

        `noise` is that of the online and of the target network.
        """
        network, target, double_q = self._network, self._parameters.target, self._config.double_q
        if self._own_loss is not None:
            both = online, target
            return losses_of_lanes(self._own_loss, network, double_q, both, noise, batch, weights)
        values = network.values(online, batch["observation"], noise[0])
        taken = values.gather(-1, batch["action"].unsqueeze(-1)).squeeze(-1)
        with torch.no_grad():
            following = batch["next_observation"]
            next_values = network.values(target, following, noise[1])
            selecting = network.values(online, following, noise[0]) if double_q else None
            targets = batch["reward"] + batch["discount"] * bootstrap_values(next_values, selecting)
        errors = taken - targets
        return Update(errors, weights * LOSSES[self._config.loss](errors, self._config), taken)

    def _there(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: values.to(self._network.device) for name, values in batch.items()}

    def _clip_gradient(self) -> None:
        largest, gradient = self._config.max_gradient_norm, self._parameters.gradient
        if largest is not None:
            norm = gradient.square().sum(dim=1, keepdim=True).sqrt()
            gradient.mul_((largest / (norm + 1e-6)).clamp_(max=1))
