"""How large a network of the user's is, for the memory plan."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ablation.agent.make_network import make_network
from ablation.agent.stacked_module import StackedModule
from ablation.config.schema import AgentConfig

_known: dict[str, tuple[int, int]] = {}


def own_network_size(agent: AgentConfig, shape: tuple[int, ...], actions: int) -> tuple[int, int]:
    """Return the parameters of a network, and the numbers that its modules give out an observation."""
    case = repr((agent.network, agent.network_options, shape, actions))
    if case not in _known:
        network, _ = make_network(agent, [0], shape, actions, torch.device("cpu"))
        assert isinstance(network, StackedModule)
        _known[case] = network.parameters_per_lane, _outputs(network.module, shape)
    return _known[case]


def _outputs(module: nn.Module, shape: tuple[int, ...]) -> int:
    count = 0

    def add(_module: nn.Module, _inputs: Any, outputs: Any) -> None:
        nonlocal count
        count += outputs.numel() if isinstance(outputs, Tensor) else 0

    hooks = [one.register_forward_hook(add) for one in module.modules()]
    size = getattr(module, "noise_size", 0)
    with torch.no_grad():
        module(torch.zeros(1, *shape), *([torch.zeros(size)] if size else []))
    for hook in hooks:
        hook.remove()
    return count
