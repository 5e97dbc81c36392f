"""How parameters follow the gradient: Adam, AdamW, SGD, and the centered RMSProp of Mnih et al. 2015."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from ablation.config.registry import load_component
from ablation.config.schema import AgentConfig
from ablation.config.source_modules import is_component
from ablation.numerics.compiled import compiled
from ablation.numerics.elementary import power


def make_optimizer(config: AgentConfig, parameters: Tensor) -> torch.optim.Optimizer:
    """Return the optimizer that changes the parameters `[L, P]` of all lanes in place."""
    if is_component(config.optimizer):
        own, options = load_component(config.optimizer), config.optimizer_options
        optimizer: torch.optim.Optimizer = own([parameters], lr=config.learning_rate.start, **options)
        return optimizer
    return TORCH_OPTIMIZERS[config.optimizer](config, parameters)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the steps that follow."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def _torch_adam(config: AgentConfig, parameters: Tensor) -> torch.optim.Optimizer:
    return torch.optim.Adam([parameters], **_adam_arguments(config))


def _torch_adamw(config: AgentConfig, parameters: Tensor) -> torch.optim.Optimizer:
    return torch.optim.AdamW([parameters], **_adam_arguments(config))


def _adam_arguments(config: AgentConfig) -> dict[str, Any]:
    return {
        "lr": config.learning_rate.start,
        "betas": config.adam_betas,
        "eps": config.adam_epsilon,
        "weight_decay": config.weight_decay,
        "fused": True,
    }


def _torch_sgd(config: AgentConfig, parameters: Tensor) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        [parameters],
        lr=config.learning_rate.start,
        momentum=config.sgd_momentum,
        weight_decay=config.weight_decay,
    )


class CenteredRMSProp(torch.optim.Optimizer):
    """The gradient over its running standard deviation (Graves 2013, equations 38 to 45).

    PyTorch's own, `RMSprop(centered=True)`, but that the variance is at least 0: rounding takes it
    below for a gradient that hardly changes, and PyTorch's parameters then are no numbers.
    """

    def __init__(self, config: AgentConfig, parameters: Tensor) -> None:
        super().__init__([parameters], {"lr": config.learning_rate.start} | constants(config))

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Change the parameters by their gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameters in group["params"]:
                state = self.state[parameters]
                gradient = parameters.grad.add(parameters, alpha=group["l2_penalty"])
                if not state:
                    state |= {name: torch.zeros_like(parameters) for name in ("mean", "mean_square")}
                mean, square = state["mean"], state["mean_square"]
                mean.mul_(group["first_decay"]).add_(gradient, alpha=group["first_share"])
                square.mul_(group["second_decay"]).addcmul_(
                    gradient, gradient, value=group["second_share"]
                )
                variance = square.addcmul(mean, mean, value=-1).clamp_(min=0)
                deviation = variance.add_(group["epsilon_in_root"]).sqrt_().add_(group["epsilon"])
                parameters.addcdiv_(gradient, deviation, value=-group["lr"])


def constants(config: AgentConfig) -> dict[str, float]:
    """Return what all gradient steps have in common: fields of `StepConstants`."""
    return CONSTANTS[config.optimizer](config)


def corrections(
    config: AgentConfig, first: int, rates: NDArray[np.float64], dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """Return `step_size`, `second_correction` and `shrinkage` of gradient steps, `[N, 3]`.

    `first` is the number of the first one, counted from 1, and `rates [N]` are the learning rates.
    """
    result = np.ones((len(rates), 3), dtype)
    CORRECTIONS[config.optimizer](config, first, rates, result)
    return result


def _no_corrections(
    _config: AgentConfig, _first: int, rates: NDArray[np.float64], result: NDArray[Any]
) -> None:
    result[:, 0] = rates


def _adam_corrections(
    config: AgentConfig, first: int, rates: NDArray[np.float64], result: NDArray[Any]
) -> None:
    _correct_bias(*config.adam_betas, first, rates, result)


def _adamw_corrections(
    config: AgentConfig, first: int, rates: NDArray[np.float64], result: NDArray[Any]
) -> None:
    _correct_bias(*config.adam_betas, first, rates, result)
    result[:, 2] = 1 - rates * config.weight_decay


@compiled
def _correct_bias(
    first_decay: float,
    second_decay: float,
    first: int,
    rates: NDArray[np.float64],
    result: NDArray[Any],
) -> None:
    for number in range(len(result)):
        step = float(first + number)
        result[number, 0] = rates[number] / (1 - power(first_decay, step))
        result[number, 1] = 1 / math.sqrt(1 - power(second_decay, step))


def _adamw(config: AgentConfig) -> dict[str, float]:
    first_decay, second_decay = config.adam_betas
    return {
        "first_decay": first_decay,
        "first_share": 1 - first_decay,
        "second_decay": second_decay,
        "second_share": 1 - second_decay,
        "epsilon": config.adam_epsilon,
        "epsilon_in_root": 0.0,
        "l2_penalty": 0.0,
    }


def _adam(config: AgentConfig) -> dict[str, float]:
    return _adamw(config) | {"l2_penalty": config.weight_decay}


def _momentum(config: AgentConfig) -> dict[str, float]:
    unused = ("first_share", "second_decay", "second_share", "epsilon", "epsilon_in_root")
    own = {"first_decay": config.sgd_momentum, "l2_penalty": config.weight_decay}
    return dict.fromkeys(unused, 0.0) | own


def _centered_rmsprop(config: AgentConfig) -> dict[str, float]:
    decay, epsilon = config.rmsprop_decay, config.rmsprop_epsilon
    in_root = config.rmsprop_epsilon_enters == "variance"
    return {
        "first_decay": decay,
        "first_share": 1 - decay,
        "second_decay": decay,
        "second_share": 1 - decay,
        "epsilon": 0.0 if in_root else epsilon,
        "epsilon_in_root": epsilon if in_root else 0.0,
        "l2_penalty": config.weight_decay,
    }


CORRECTIONS: dict[str, Callable[[AgentConfig, int, NDArray[np.float64], NDArray[Any]], None]] = {
    "adam": _adam_corrections,
    "adamw": _adamw_corrections,
    "rmsprop": _no_corrections,
    "sgd": _no_corrections,
}
"""(configuration, first gradient step, learning rates, result of ones): see `corrections`."""
TORCH_OPTIMIZERS: dict[str, Callable[[AgentConfig, Tensor], torch.optim.Optimizer]] = {
    "adam": _torch_adam,
    "adamw": _torch_adamw,
    "rmsprop": CenteredRMSProp,
    "sgd": _torch_sgd,
}
CONSTANTS = {"adam": _adam, "adamw": _adamw, "rmsprop": _centered_rmsprop, "sgd": _momentum}
"""Those of the kernels in `kernels.OPTIMIZER_KINDS`."""
