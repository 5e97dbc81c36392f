"""A softmax classifier for all lanes at once: the agent's networks and optimizers, another loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.agent.backend import Update
from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.learner import Learner, MakeBackend
from ablation.agent.torch_backend import TorchBackend
from ablation.config.schema import AgentConfig
from ablation.config.training_path import TrainedBy, trained_by
from ablation.tasks.streams import kernels

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class CompiledClassifier(CompiledBackend):
    """Cross-entropy in compiled loops."""

    _batch: Callable[..., Any] = kernels.LabeledBatch
    _learn: Callable[..., None] = staticmethod(kernels.learn)


class TorchClassifier(TorchBackend):
    """Cross-entropy by autograd."""

    def _losses(
        self, online: Tensor, batch: Mapping[str, Tensor], weights: Tensor, noise: list[Tensor]
    ) -> Update:
        logs = self._network.values(online, batch["inputs"], noise[0]).log_softmax(dim=-1)
        right = logs.gather(-1, batch["label"].unsqueeze(-1)).squeeze(-1)
        return Update(1 - right.exp(), -weights * right, right.exp())


BACKENDS: dict[TrainedBy, MakeBackend] = {"compiled": CompiledClassifier, "torch": TorchClassifier}


class Classifier(Learner):
    """Every lane's network with cross-entropy; sizes, clipping and optimizer are the agent's keys."""

    def __init__(
        self, config: AgentConfig, seeds: Sequence[int], inputs: int, classes: int, device: torch.device
    ) -> None:
        backend = BACKENDS[trained_by(config, device.type)]
        super().__init__(config, seeds, (inputs,), classes, device, backend)

    def predict(self, inputs: Tensor, labels: Tensor) -> tuple[Floats, Doubles]:
        """Return each class's probability `[L, N, K]` for `inputs [L, N, I]`, float32.

        And the log-likelihood `[L, N]` of `labels [L, N]`, float64.
        """
        logits = self.action_values(inputs).numpy()
        likelihoods = np.empty(logits.shape[:2])
        kernels.softmax(logits, labels.numpy(), logits, likelihoods)
        return logits, likelihoods

    def update(
        self, batch: Mapping[str, Tensor], weights: Tensor, learning_rate: float | None = None
    ) -> Update:
        """Take a gradient step on `inputs [L, B, I]` and `label [L, B]`, losses times `weights`.

        An item's error, what priorities are made of, is 1 less the probability of its label.
        """
        self.gradient_steps += 1
        return self.backend.step(batch, weights, self.gradient_steps, self._rate(learning_rate))
