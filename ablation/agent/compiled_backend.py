"""Gradient steps as compiled loops, one lane after another: the backend for the processor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.agent import kernels, network_kernels
from ablation.agent.backend import Parameters, Update
from ablation.agent.losses import bootstrap_values
from ablation.agent.network import StackedNetwork
from ablation.agent.optimizer_kernels import StepConstants
from ablation.agent.optimizers import constants, corrections
from ablation.config.schema import AgentConfig


class CompiledBackend:
    """A `LearnerBackend` over NumPy views of the same parameters; see `kernels`.

    Compiled loops over steps and episodes work on its `arrays`, in workspaces of their own.
    """

    _batch: Callable[..., Any] = kernels.Batch
    _learn: Callable[..., None] = staticmethod(kernels.learn)

    def __init__(self, config: AgentConfig, network: StackedNetwork, parameters: Parameters) -> None:
        self._config = config
        self._layers, self._network = network.layers, network_kernels.layer_table(network.layers)
        self._parameters = parameters
        self._moments = torch.zeros_like(parameters.online), torch.zeros_like(parameters.online)
        tensors = (parameters.online, parameters.target, parameters.gradient, *self._moments)
        self._lanes = kernels.LaneState(*(tensor.numpy() for tensor in tensors))
        self._constants = self._constants_of(1, config.learning_rate.start)
        self._workspaces: dict[int, network_kernels.Workspace] = {}
        self._output: tuple[Update, kernels.StepOutput] | None = None

    def action_values(self, observation: Tensor) -> Tensor:
        """Return the online networks' values `[L, N, A]` for observations `[L, N, O]`."""
        lanes, rows = observation.shape[:2]
        values = torch.empty((lanes, rows, self._layers[-1].outputs))
        arrays = observation.numpy(), self._workspace(rows), values.numpy()
        kernels.evaluate(self._lanes.online, self._network, *arrays)
        return values

    def layer_outputs(self, parameters: Tensor, observation: Tensor) -> list[Tensor]:
        """Return every layer's outputs `[L, N, size]` for observations `[L, N, O]`."""
        lanes, rows = observation.shape[:2]
        sizes = [rows * layer.outputs for layer in self._layers]
        outputs = torch.empty((lanes, sum(sizes)))
        seen = np.ascontiguousarray(observation)
        arrays = self._network, seen, self._workspace(rows), outputs.numpy()
        kernels.evaluate_layers(parameters.numpy(), *arrays)
        return [part.reshape(lanes, rows, -1) for part in torch.split(outputs, sizes, dim=1)]

    def act(self, observation: Tensor, epsilon: float, draws: Tensor) -> Tensor:
        """Return epsilon-greedy actions `[L]`; see `epsilon_greedy`."""
        actions = np.empty(len(observation), np.int64)
        kernels.act(
            self._lanes.online,
            self._network,
            observation.numpy(),
            epsilon,
            draws.numpy(),
            self._workspace(1),
            actions,
        )
        return torch.from_numpy(actions)

    def step(
        self, batch: Mapping[str, Tensor], weights: Tensor, number: int, learning_rate: float
    ) -> Update:
        """Take a run's gradient step of this number, counted from 1; see `Learner.update`."""
        update, output = self._outputs(weights)
        space, constants = self._workspace(weights.shape[1]), self._constants_of(number, learning_rate)
        # Contiguous, as in the compiled loop over steps, so that they share compiled functions.
        fields = {name: np.ascontiguousarray(values.numpy()) for name, values in batch.items()}
        arrays = self._batch(weight=weights.numpy(), **fields)
        self._learn(self._lanes, self._network, arrays, constants, space, output)
        return update

    def td_errors(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the TD errors `[L, B]` that a gradient step on a batch would see now."""
        online, following = self._parameters.online, batch["next_observation"]
        next_values = self.layer_outputs(self._parameters.target, following)[-1]
        selecting = self.layer_outputs(online, following)[-1] if self._config.double_q else None
        targets = batch["reward"] + batch["discount"] * bootstrap_values(next_values, selecting)
        values = self.layer_outputs(online, batch["observation"])[-1]
        return values.gather(-1, batch["action"].unsqueeze(-1)).squeeze(-1) - targets

    def arrays(self) -> tuple[kernels.LaneState, network_kernels.Network, StepConstants]:
        """Return what compiled loops over steps need for their gradient steps."""
        return self._lanes, self._network, self._constants

    def new_workspace(self, batch: int) -> network_kernels.Workspace:
        """Return a workspace of its own, for one thread, for batches of this size."""
        return network_kernels.make_workspace(self._layers, batch, self._lanes.online)

    def state(self) -> dict[str, Any]:
        """Return the optimizer's state; shares memory with the backend."""
        return {"moments": self._moments}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        for moment, saved in zip(self._moments, state["moments"], strict=True):
            moment.copy_(saved)

    def _constants_of(self, number: int, learning_rate: float) -> StepConstants:
        config, real = self._config, self._lanes.online.dtype.type
        largest = np.inf if config.max_gradient_norm is None else config.max_gradient_norm
        return StepConstants(
            config.double_q,
            kernels.LOSS_KINDS[config.loss],
            real(config.huber_threshold),
            kernels.OPTIMIZER_KINDS[config.optimizer],
            real(largest),
            *corrections(config, number, np.array([learning_rate]), real)[0],
            **{name: real(value) for name, value in constants(config).items()},
        )

    def _workspace(self, rows: int) -> network_kernels.Workspace:
        if rows not in self._workspaces:
            self._workspaces[rows] = network_kernels.make_workspace(
                self._layers, rows, self._lanes.online
            )
        return self._workspaces[rows]

    def _outputs(self, like: Tensor) -> tuple[Update, kernels.StepOutput]:
        if self._output is None or self._output[0].errors.shape != like.shape:
            tensors = [torch.empty(like.shape) for _ in range(3)]
            self._output = Update(*tensors), kernels.StepOutput(*(tensor.numpy() for tensor in tensors))
        return self._output
