"""Gradient steps as PyTorch operations over all lanes at once, on any device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ablation.agent.backend import Parameters, Update
from ablation.agent.exploration import epsilon_greedy
from ablation.agent.losses import LOSSES, bootstrap_values, scatter_to_actions
from ablation.agent.network import StackedNetwork
from ablation.agent.optimizers import make_optimizer
from ablation.config.schema import AgentConfig


class TorchBackend:
    """A `LearnerBackend` of batched products, with one optimizer kernel over all lanes.

    It computes where the parameters are. Tests judge the compiled backend by it. Devices other than
    the processor: nobody has run it on one yet.
    """

    def __init__(self, config: AgentConfig, network: StackedNetwork, parameters: Parameters) -> None:
        self._config = config
        self._loss = LOSSES[config.loss]
        self._network = network
        self._gradient = parameters.gradient
        self._online = network.views(parameters.online)
        self._target = network.views(parameters.target)
        self._gradients = network.views(parameters.gradient)
        parameters.online.grad = parameters.gradient
        self._optimizer = make_optimizer(config, parameters.online)

    def action_values(self, observation: Tensor) -> Tensor:
        """Return the online networks' values `[L, N, A]` for observations `[L, N, O]`."""
        return self._values(observation.to(self._network.device)).cpu()

    def layer_outputs(self, parameters: Tensor, observation: Tensor) -> list[Tensor]:
        """Return every layer's outputs `[L, N, size]` for observations `[L, N, O]`."""
        network = self._network
        outputs = network.forward(network.views(parameters), observation.to(network.device))
        return [values.cpu() for values in outputs[1:]]

    def act(self, observation: Tensor, epsilon: float, draws: Tensor) -> Tensor:
        """Return epsilon-greedy actions `[L]`; see `epsilon_greedy`."""
        values = self.action_values(observation.unsqueeze(1)).squeeze(1)
        return epsilon_greedy(values, epsilon, draws)

    def step(self, batch: Mapping[str, Tensor], weights: Tensor) -> Update:
        """Take one gradient step; see `Learner.update`."""
        device = self._network.device
        batch = {name: values.to(device) for name, values in batch.items()}
        weights = weights.to(device)
        targets = self._targets(batch)
        activations = self._network.forward(self._online, batch["observation"])
        values = activations[-1]
        taken = values.gather(-1, batch["action"].unsqueeze(-1)).squeeze(-1)
        errors = taken - targets
        losses, derivatives = self._loss(errors)
        scaled = weights * derivatives / derivatives.shape[1]
        output_gradient = scatter_to_actions(scaled, batch["action"], values)
        self._network.backward(self._online, activations, output_gradient, self._gradients)
        self._clip_gradient()
        self._optimizer.step()
        return Update(errors.cpu(), (losses * weights).cpu(), taken.cpu())

    def took(self, steps: int) -> None:
        """Refuse: nothing but this takes its steps."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return the optimizer's state."""
        return self._optimizer.state_dict()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self._optimizer.load_state_dict(dict(state))

    def _values(self, observation: Tensor) -> Tensor:
        return self._network.forward(self._online, observation)[-1]

    def _targets(self, batch: Mapping[str, Tensor]) -> Tensor:
        next_values = self._network.forward(self._target, batch["next_observation"])[-1]
        selecting = self._values(batch["next_observation"]) if self._config.double_q else None
        return batch["reward"] + batch["discount"] * bootstrap_values(next_values, selecting)

    def _clip_gradient(self) -> None:
        largest = self._config.max_gradient_norm
        if largest is not None:
            norm = self._gradient.square().sum(dim=1, keepdim=True).sqrt()
            self._gradient.mul_((largest / (norm + 1e-6)).clamp_(max=1))
