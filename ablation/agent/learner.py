"""One learner for all lanes: action values, one gradient step, the target network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ablation.agent.backend import LearnerBackend, Parameters, Update
from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.losses import BATCHES
from ablation.agent.make_network import make_network
from ablation.agent.torch_backend import TorchBackend
from ablation.config.schema import AgentConfig
from ablation.config.training_path import TrainedBy, trained_by

MakeBackend = Callable[[AgentConfig, Any, Parameters], LearnerBackend]
"""(agent, its stacked network, its parameters) -> what trains it."""


BACKENDS: dict[TrainedBy, MakeBackend] = {"compiled": CompiledBackend, "torch": TorchBackend}


def choose_backend(config: AgentConfig, device: torch.device) -> MakeBackend:
    """Return the backend that trains an agent on a device."""
    return BACKENDS[trained_by(config, device.type)]


class Learner:
    """Online and target networks of every lane, and the backend that trains them.

    Only parameters and gradients are on the device: every other tensor that goes in or comes out is in
    main memory. Observations are flat; `observation_shape` is `(C, H, W)` or `(O,)`.
    """

    def __init__(
        self,
        config: AgentConfig,
        seeds: Sequence[int],
        observation_shape: Sequence[int],
        actions: int,
        device: torch.device,
        make_backend: MakeBackend | None = None,
    ) -> None:
        self._config = config
        network, online = make_network(config, seeds, observation_shape, actions, device)
        self._network = network
        self.parameters = Parameters(online, online.clone(), network.zeros())
        make_backend = make_backend or choose_backend(config, device)
        self.backend = make_backend(config, network, self.parameters)
        self.target_tau = config.target_tau if config.target_network else 1.0
        self.gradient_steps = 0

    def action_values(self, observation: Tensor) -> Tensor:
        """Return the online network's values `[L, N, A]` for observations `[L, N, O]`."""
        return self.backend.action_values(observation)

    def act(self, observation: Tensor, epsilon: float, draws: Tensor) -> Tensor:
        """Return actions `[L]` for observations `[L, O]`: random with probability epsilon, else greedy.

        `draws`, float64 `[L, EXPLORE_WIDTH]`, are those of `exploration_draws`.
        """
        return self.backend.act(observation, epsilon, draws)

    def update(
        self, batch: Mapping[str, Tensor], weights: Tensor, learning_rate: float | None = None
    ) -> Update:
        """Change the online parameters by one gradient step on a batch and return what it computed.

        The batch holds `observation` and `next_observation` `[L, B, O]`, `action`, `reward` and
        `discount` `[L, B]`; `weights [L, B]` multiply each transition's loss. The loss is the mean
        over the batch. The target network is refreshed if its period in gradient steps ends here.
        `learning_rate` is this step's, None for the one that a run begins with.
        """
        if self._config.loss in BATCHES:
            next_values = self.action_values(batch["next_observation"])
            batch, weights = BATCHES[self._config.loss](batch, weights, next_values)
        rate = self._rate(learning_rate)
        update = self.backend.step(batch, weights, self.gradient_steps + 1, rate)
        self._after_gradient_step()
        return update

    def activations(self, parameters: Tensor, observation: Tensor) -> list[Tensor]:
        """Return every layer's activations for observations `[L, N, O]` under parameters `[L, P]`.

        The inputs come first, the action values `[L, N, A]` last, hidden layers as `[L, N, units]`. A
        filter of a convolution is one unit: its positions in an image count as further rows.
        """
        outputs = self.backend.layer_outputs(parameters, observation)
        return self._network.by_unit([observation, *outputs])

    def td_errors(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the TD errors `[L, B]` that a gradient step on a batch would see now."""
        return self.backend.td_errors(batch)

    def layers(self, flat: Tensor) -> list[Tensor]:
        """Return each layer's part, weights and biases together, of parameters or gradients `[L, P]`."""
        return self._network.layer_parts(flat)

    def after_env_step(self, env_step: int) -> None:
        """Refresh the target network if its period, counted in environment steps, ends here."""
        config = self._config
        in_env_steps = config.target_network and config.target_update_unit == "env_steps"
        if in_env_steps and env_step % config.target_update_period == 0:
            self.refresh_target()

    def refresh_target(self) -> None:
        """Move the target network by the share `target_tau` towards the online one; 1 copies it.

        Polyak averaging as in Lillicrap et al. 2016, algorithm 1.
        """
        online, target = self.parameters.online, self.parameters.target
        if self.target_tau == 1:
            target.copy_(online)
        else:
            # Each operation by itself, as the compiled loop over steps rounds them.
            target.add_((online - target).mul_(self.target_tau))

    def took(self, gradient_steps: int) -> None:
        """Count gradient steps that a compiled loop over steps took in the backend's arrays."""
        self.gradient_steps += gradient_steps

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`; shares memory with the learner."""
        return {
            "parameters": self.parameters.online,
            "target_parameters": self.parameters.target,
            "gradient": self.parameters.gradient,
            "optimizer": self.backend.state(),
            "gradient_steps": self.gradient_steps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self.parameters.online.copy_(state["parameters"])
        self.parameters.target.copy_(state["target_parameters"])
        self.parameters.gradient.copy_(state["gradient"])
        self.backend.restore(state["optimizer"])
        self.gradient_steps = state["gradient_steps"]

    def _rate(self, given: float | None) -> float:
        return self._config.learning_rate.start if given is None else given

    def _after_gradient_step(self) -> None:
        """Count a gradient step; refresh the target network if its period in them ends here."""
        self.gradient_steps += 1
        config = self._config
        in_gradient_steps = config.target_update_unit == "gradient_steps"
        due = in_gradient_steps and self.gradient_steps % config.target_update_period == 0
        if due or not config.target_network:
            self.refresh_target()
