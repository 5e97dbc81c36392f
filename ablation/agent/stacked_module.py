"""A user's `torch.nn.Module` for many lanes at once: one module, called with every lane's parameters.

As in `network`, each lane's parameters are a row of a matrix `[L, P]`. `torch.func` maps the module over
the rows, so what a lane computes depends on its own row alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_map

from ablation.agent.layers import padded
from ablation.numerics.random_streams import Stream, normal_words, standard_normal, words

Make = Callable[[], nn.Module]


class LaneNetwork:
    """One lane's network with one set of parameters, as losses get it.

    Called with observations `[B, *shape]` it returns action values `[B, A]`; its other methods are
    called the same way: `online.logits(observation)`. A network that takes noise is given it.
    """

    def __init__(self, methods: nn.Module, tensors: Mapping[str, Tensor], noise: Tensor) -> None:
        self._methods, self._tensors = methods, dict(tensors)
        self._noise = (noise,) if noise.numel() else ()

    def __call__(self, observation: Tensor) -> Tensor:
        """Return action values `[B, A]`."""
        values: Tensor = self._call("__call__", observation)
        return values

    def __getattr__(self, method: str) -> Callable[[Tensor], Any]:
        return lambda observation: self._call(method, observation)

    def _call(self, method: str, observation: Tensor) -> Any:
        return functional_call(self._methods, self._tensors, (method, observation, *self._noise))


class _Methods(nn.Module):
    """Calls any method of a network: `functional_call` replaces parameters only within `forward`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, method: str, *arguments: Tensor) -> Any:
        return getattr(self.network, method)(*arguments)


class StackedModule:
    """The networks of all lanes, made by one factory, each from random numbers of its own seed.

    `module.noise_size`, where there is one, is how many normal random numbers its `forward` takes as a
    second argument `[noise_size]`; they are 0 where nothing is learned or explored.
    """

    def __init__(
        self, make: Make, seeds: Sequence[int], shape: Sequence[int], device: torch.device
    ) -> None:
        self.lanes, self.device = len(seeds), device
        self._seeds, self.shape = tuple(seeds), tuple(shape)
        modules = [_seeded(make, seed) for seed in seeds]
        self.module = modules[0].to(device)
        self.noise_size: int = getattr(self.module, "noise_size", 0)
        self._methods = _Methods(self.module)
        named = {name: one for name, one in self._methods.named_parameters() if one.requires_grad}
        self._shapes = {name: tensor.shape for name, tensor in named.items()}
        sizes = [shape.numel() for shape in self._shapes.values()]
        self.parameters_per_lane = sum(sizes)
        self._sizes = [*sizes, padded(sum(sizes)) - sum(sizes)]
        states = [_tensors(_Methods(module)) for module in modules]
        rows = [torch.cat([state[name].detach().flatten() for name in named]) for state in states]
        self._initial = torch.stack(rows).to(device)
        constants = [name for name in states[0] if name not in named]
        self.constants = {
            name: torch.stack([state[name].detach() for state in states]).to(device)
            for name in constants
        }

    def initial_parameters(self) -> Tensor:
        """Return the parameters that the factory gave each lane, `[L, P]`."""
        return nn.functional.pad(self._initial, (0, self._sizes[-1]))

    def zeros(self) -> Tensor:
        """Return `[L, P]` for one set of parameters (or gradients) of all lanes."""
        return torch.zeros((self.lanes, sum(self._sizes)), device=self.device)

    def noise(self, stream: Stream, step: int, copies: int) -> list[Tensor]:
        """Return the noise `[L, noise_size]` of each of `copies` networks at a step."""
        size = copies * self.noise_size
        if not size:
            return [torch.empty((self.lanes, 0), device=self.device)] * copies
        drawn = [words(seed, stream, step, 1, normal_words(size)) for seed in self._seeds]
        normal = standard_normal(torch.from_numpy(np.concatenate(drawn).astype(np.int64)))
        return list(normal[:, :size].to(self._initial).chunk(copies, dim=1))

    def values(self, parameters: Tensor, inputs: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return action values `[L, N, A]` for observations `[L, N, O]`."""
        if noise is None:
            noise = inputs.new_zeros((self.lanes, self.noise_size))
        images = inputs.view(*inputs.shape[:2], *self.shape)
        values: Tensor = over_lanes(
            lambda row, constants, noise, images: self.lane(row, constants, noise)(images),
            *(parameters, self.constants, noise, images),
        )
        return values

    def layer_outputs(self, parameters: Tensor, inputs: Tensor) -> list[Tensor]:
        """Return the action values alone: what other layers a module has is not known."""
        return [self.values(parameters, inputs)]

    def by_unit(self, activations: Sequence[Tensor]) -> list[Tensor]:
        """Return inputs and action values as they are."""
        return list(activations)

    def layer_parts(self, flat: Tensor) -> list[Tensor]:
        """Return each submodule's part of parameters or gradients `[L, P]`."""
        parts = zip(self._shapes, torch.split(flat, self._sizes, dim=1)[:-1], strict=True)
        owners = groupby(parts, key=lambda part: part[0].rpartition(".")[0])
        return [torch.cat([part for _, part in owned], dim=1) for _, owned in owners]

    def lane(self, row: Tensor, constants: Mapping[str, Tensor], noise: Tensor) -> LaneNetwork:
        """Return one lane's network, of its row of parameters and its part of `constants`."""
        parts = zip(self._shapes.items(), torch.split(row, self._sizes)[:-1], strict=True)
        tensors = {name: part.view(shape) for (name, shape), part in parts}
        return LaneNetwork(self._methods, tensors | dict(constants), noise)


@contextmanager
def same_kernels() -> Iterator[None]:
    """Convolve without oneDNN, which chooses kernels, and so last bits, by the number of lanes."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


@same_kernels()
def over_lanes(function: Callable[..., Any], *arguments: Any) -> Any:
    """Map a function of one lane over the first axis of every tensor in the arguments.

    One more lane than asked for is computed, a copy of the last. Libraries multiply and convolve a
    single lane by other kernels, and compute functions at a tensor's end by other instructions, with
    other last bits than the same lane gets among others.
    """
    more = tree_map(lambda one: torch.cat((one, one[-1:])), arguments)
    return tree_map(lambda one: one[:-1], vmap(function)(*more))


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def _seeded(make: Make, seed: int) -> nn.Module:
    """Return a module whose random parameters are a function of a run's seed."""
    high, low = words(seed, Stream.INIT, 0, 1, 2)[0].tolist()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(high << 32 | low)
        return make()
