"""Makes the networks of all lanes: layers that `agent` lists, or a module of the user's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ablation.agent.layers import layers_of_agent
from ablation.agent.network import ACTIVATIONS, StackedNetwork
from ablation.agent.stacked_module import StackedModule
from ablation.config.registry import load_component
from ablation.config.schema import AgentConfig
from ablation.numerics.random_streams import Stream, unit_interval, words


def make_network(
    config: AgentConfig, seeds: Sequence[int], shape: Sequence[int], actions: int, device: torch.device
) -> tuple[StackedNetwork | StackedModule, Tensor]:
    """Return the networks for observations of `shape` and their initial parameters `[L, P]`."""
    if config.network is not None:
        factory, options = load_component(config.network), config.network_options
        module = StackedModule(lambda: factory(tuple(shape), actions, **options), seeds, shape, device)
        return module, module.initial_parameters()
    layers, activation = layers_of_agent(config, shape, actions), ACTIVATIONS[config.activation]
    network = StackedNetwork(len(seeds), layers, device, shape, activation)
    count = sum(layer.drawn for layer in layers)
    bits = np.concatenate([words(seed, Stream.INIT, 0, 1, count) for seed in seeds])
    units = unit_interval(torch.from_numpy(bits.astype(np.int64)))
    return network, network.initial(units.to(device))
