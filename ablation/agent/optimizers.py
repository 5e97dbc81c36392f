"""How parameters follow the gradient: Adam, and the centered RMSProp of Mnih et al. (2015)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.config.schema import AgentConfig
from ablation.numerics.compiled import compiled
from ablation.numerics.elementary import power

FIRST_DECAY, SECOND_DECAY = 0.9, 0.999
"""Adam's decay rates, the paper's (Kingma & Ba 2015) and PyTorch's defaults."""


def make_optimizer(config: AgentConfig, parameters: Tensor) -> torch.optim.Optimizer:
    """Return the optimizer that changes the parameters `[L, P]` of all lanes in place."""
    return TORCH_OPTIMIZERS[config.optimizer](config, parameters)


def _torch_adam(config: AgentConfig, parameters: Tensor) -> torch.optim.Optimizer:
    return torch.optim.Adam([parameters], lr=config.learning_rate, eps=config.adam_epsilon, fused=True)


class CenteredRMSProp(torch.optim.Optimizer):
    """The gradient over its running standard deviation (Graves 2013, equations 38 to 45).

    PyTorch's own, `RMSprop(centered=True)`, but that the variance is at least 0: rounding takes it
    below for a gradient that hardly changes, and PyTorch's parameters then are no numbers.
    """

    def __init__(self, config: AgentConfig, parameters: Tensor) -> None:
        super().__init__([parameters], constants(config, 1))

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Change the parameters by their gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameters in group["params"]:
                state, gradient = self.state[parameters], parameters.grad
                if not state:
                    state |= {name: torch.zeros_like(parameters) for name in ("mean", "mean_square")}
                mean, square = state["mean"], state["mean_square"]
                mean.mul_(group["first_decay"]).add_(gradient, alpha=group["first_share"])
                square.mul_(group["second_decay"]).addcmul_(
                    gradient, gradient, value=group["second_share"]
                )
                variance = square.addcmul(mean, mean, value=-1).clamp_(min=0)
                deviation = variance.add_(group["epsilon_in_root"]).sqrt_().add_(group["epsilon"])
                parameters.addcdiv_(gradient, deviation, value=-group["step_size"])


def constants(config: AgentConfig, steps: int) -> dict[str, float]:
    """Return the constants of the `steps`-th gradient step, counted from 1: those of `StepConstants`."""
    return CONSTANTS[config.optimizer](config, steps)


def corrections(config: AgentConfig, first: int, last: int) -> NDArray[np.float32]:
    """Return `step_size` and `second_correction` of gradient steps `first` to `last - 1`, `[N, 2]`."""
    result = np.empty((last - first, 2), np.float32)
    CORRECTIONS[config.optimizer](config.learning_rate, first, result)
    return result


def _no_corrections(learning_rate: float, _: int, result: NDArray[np.float32]) -> None:
    result[:] = learning_rate, 1.0


@compiled
def _adam_corrections(learning_rate: float, first: int, result: NDArray[np.float32]) -> None:
    for number in range(len(result)):
        step = float(first + number)
        result[number, 0] = learning_rate / (1 - power(FIRST_DECAY, step))
        result[number, 1] = 1 / math.sqrt(1 - power(SECOND_DECAY, step))


def _adam(config: AgentConfig, steps: int) -> dict[str, float]:
    return {
        "step_size": config.learning_rate / (1 - power(FIRST_DECAY, steps)),
        "second_correction": 1 / math.sqrt(1 - power(SECOND_DECAY, steps)),
        "first_decay": FIRST_DECAY,
        "first_share": 1 - FIRST_DECAY,
        "second_decay": SECOND_DECAY,
        "second_share": 1 - SECOND_DECAY,
        "epsilon": config.adam_epsilon,
        "epsilon_in_root": 0.0,
    }


def _centered_rmsprop(config: AgentConfig, _: int) -> dict[str, float]:
    decay, epsilon = config.rmsprop_decay, config.rmsprop_epsilon
    in_root = config.rmsprop_epsilon_enters == "variance"
    return {
        "step_size": config.learning_rate,
        "second_correction": 1.0,
        "first_decay": decay,
        "first_share": 1 - decay,
        "second_decay": decay,
        "second_share": 1 - decay,
        "epsilon": 0.0 if in_root else epsilon,
        "epsilon_in_root": epsilon if in_root else 0.0,
    }


CORRECTIONS: dict[str, Callable[[float, int, NDArray[np.float32]], None]] = {
    "adam": _adam_corrections,
    "rmsprop": _no_corrections,
}
"""(learning rate, first gradient step, result): see `corrections`."""
TORCH_OPTIMIZERS: dict[str, Callable[[AgentConfig, Tensor], torch.optim.Optimizer]] = {
    "adam": _torch_adam,
    "rmsprop": CenteredRMSProp,
}
CONSTANTS = {"adam": _adam, "rmsprop": _centered_rmsprop}
"""Those of the kernels in `kernels.OPTIMIZER_KINDS`."""
