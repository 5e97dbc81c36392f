"""A softmax classifier for all lanes at once, on the same stacked networks as the agent's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.agent.backend import Update
from ablation.agent.layers import network_layers
from ablation.agent.network import StackedNetwork
from ablation.agent.optimizers import make_optimizer
from ablation.config.schema import AgentConfig
from ablation.numerics.random_streams import Stream, unit_interval, words


class Classifier:
    """Every lane's network with cross-entropy; sizes and optimizer are the agent's keys."""

    def __init__(
        self, config: AgentConfig, seeds: Sequence[int], inputs: int, classes: int, device: torch.device
    ) -> None:
        layers = network_layers(config.convolutions, config.hidden_sizes, (inputs,), classes)
        self._device = device
        self._network = StackedNetwork(len(seeds), layers, device)
        count = self._network.parameters_per_lane
        bits = np.concatenate([words(seed, Stream.INIT, 0, 1, count) for seed in seeds])
        units = unit_interval(torch.from_numpy(bits.astype(np.int64))).to(device)
        self._parameters = self._network.initial(units)
        self._parameters.grad = self._network.zeros()
        self._views = self._network.views(self._parameters)
        self._gradients = self._network.views(self._parameters.grad)
        self._optimizer = make_optimizer(config, self._parameters)
        self.gradient_steps = 0

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Return each class's probability `[L, N, K]` for inputs `[L, N, I]`."""
        return self._network.forward(self._views, pixels.to(self._device))[-1].softmax(dim=-1).cpu()

    def update(self, batch: Mapping[str, Tensor], weights: Tensor) -> Update:
        """Take a gradient step on `pixels [L, B, I]` and `label [L, B]`, losses times `weights`.

        An item's error, what priorities are made of, is 1 less the probability of its label.
        """
        batch = {name: values.to(self._device) for name, values in batch.items()}
        weights = weights.to(self._device)
        activations = self._network.forward(self._views, batch["pixels"])
        given = activations[-1].softmax(dim=-1)
        label = batch["label"].unsqueeze(-1)
        right = given.gather(-1, label).squeeze(-1)
        slopes = given.scatter_add(-1, label, -torch.ones_like(right).unsqueeze(-1))
        share = (weights / weights.shape[1]).unsqueeze(-1)
        self._network.backward(self._views, activations, slopes * share, self._gradients)
        self._optimizer.step()
        self.gradient_steps += 1
        losses = -right.clamp(min=1e-30).log() * weights
        return Update((1 - right).cpu(), losses.cpu(), right.cpu())

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`; shares memory with the classifier."""
        optimizer = self._optimizer.state_dict()
        return {"parameters": self._parameters, "optimizer": optimizer, "steps": self.gradient_steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self._parameters.copy_(state["parameters"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.gradient_steps = state["steps"]
