"""Layers as data: their sizes, and which inputs each patch of a convolution gathers. Without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ablation.config.schema import AgentConfig, Convolution
from ablation.config.validation import ConfigError

KEY = "agent.convolutions"

ROW_MULTIPLE = 64
"""Rows of parameters are padded to a multiple of it: a vectorized kernel computes its tail otherwise
than its body, and a lane at the tail would get other last bits than the same lane elsewhere."""

PARTIAL_SUMS = 64
"""Sums that a sum over a row of parameters is added up in."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A product of a weight `[patch, filters]` with every patch of the inputs, and a bias `[filters]`.

    `index [positions, patch]` names the inputs in each patch; None: one patch of all inputs in order,
    that is a fully connected layer. Outputs are `[positions, filters]`, flat; with `norm` they are
    normalized, each with a scale and a shift of its own.
    """

    inputs: int
    filters: int
    index: NDArray[np.int32] | None = None
    norm: bool = False

    @property
    def positions(self) -> int:
        """Return the number of patches."""
        return 1 if self.index is None else self.index.shape[0]

    @property
    def patch(self) -> int:
        """Return the numbers in a patch."""
        return self.inputs if self.index is None else self.index.shape[1]

    @property
    def outputs(self) -> int:
        """Return the numbers that come out."""
        return self.positions * self.filters

    @property
    def parameters(self) -> int:
        """Return the numbers in its weight and bias, and in its scale and shift."""
        return self.drawn + (2 * self.outputs if self.norm else 0)

    @property
    def drawn(self) -> int:
        """Return the numbers in its weight and bias, which begin as random ones."""
        return (self.patch + 1) * self.filters


def fully_connected(sizes: Sequence[int]) -> list[Layer]:
    """Return the layers of a network with `sizes = (inputs, *hidden, outputs)`."""
    return [Layer(inputs, outputs) for inputs, outputs in pairwise(sizes)]


def network_layers(
    convolutions: Sequence[Convolution], hidden_sizes: Sequence[int], shape: Sequence[int], actions: int
) -> list[Layer]:
    """Return an agent's layers for observations of `shape`: convolutions, hidden layers, action values.

    `shape` is `(C, H, W)` or `(O,)`. Raises `ConfigError` as `check_convolutions` does.
    """
    check_convolutions(convolutions, shape)
    layers, size = [], int(np.prod(shape))
    if convolutions:
        channels, height, width = shape
        # Observations are channels first, the outputs of a convolution channels last.
        inputs = np.arange(size, dtype=np.int32).reshape(channels, height, width)
        for convolution in convolutions:
            layers.append(Layer(size, convolution.filters, _patches(inputs, convolution)))
            size = layers[-1].outputs
            sides = _sides(inputs.shape[1:], convolution)
            inputs = np.arange(size, dtype=np.int32).reshape(*sides, -1).transpose(2, 0, 1)
    return layers + fully_connected((size, *hidden_sizes, actions))


def layers_of_agent(agent: AgentConfig, shape: Sequence[int], actions: int) -> list[Layer]:
    """Return an agent's layers; see `network_layers`."""
    layers = network_layers(agent.convolutions, agent.hidden_sizes, shape, actions)
    return [*(replace(layer, norm=agent.layer_norm) for layer in layers[:-1]), layers[-1]]


def row_length(layers: Sequence[Layer]) -> int:
    """Return the numbers in the row that a lane's parameters take."""
    return padded(sum(layer.parameters for layer in layers))


def padded(parameters: int) -> int:
    """Return the length of a row that holds so many parameters."""
    return -(-parameters // ROW_MULTIPLE) * ROW_MULTIPLE


def workspace_sizes(layers: Sequence[Layer], batch: int) -> tuple[int, ...]:
    """Return the numbers in each part of `kernels.Workspace` for a gradient step on `batch` items."""
    widths = [layers[0].inputs, *(layer.outputs for layer in layers)]
    gathered = [layer.index.size for layer in layers if layer.index is not None]
    return (
        batch * sum(widths + gathered),
        2 * batch * max(widths),
        batch * max(gathered[1:], default=0),
        max(layer.patch * layer.filters for layer in layers),
        batch * widths[-1],
        batch * widths[-1],
        1,
        PARTIAL_SUMS,
    )


def check_convolutions(convolutions: Sequence[Convolution], shape: Sequence[int]) -> None:
    """Raise `ConfigError` if convolutions cannot be applied to observations of `shape`."""
    if convolutions and len(shape) != 3:
        given = [f"{one.filters} of {one.kernel_size}x{one.kernel_size}" for one in convolutions]
        allowed = f"needs images; the environment observes {int(np.prod(shape))} numbers"
        raise ConfigError(KEY, ", ".join(given), allowed)
    sides = tuple(shape[1:])
    for number, convolution in enumerate(convolutions):
        if convolution.kernel_size > min(sides):
            key, left = f"{KEY}.{number}.kernel_size", "x".join(map(str, sides))
            raise ConfigError(key, convolution.kernel_size, f"an image of {left} is left there")
        sides = _sides(sides, convolution)


def _sides(sides: Sequence[int], convolution: Convolution) -> tuple[int, ...]:
    return tuple((side - convolution.kernel_size) // convolution.stride + 1 for side in sides)


def _patches(inputs: NDArray[np.int32], convolution: Convolution) -> NDArray[np.int32]:
    """Return which of `inputs [C, H, W]` each patch gathers, `[positions, C * kernel * kernel]`."""
    size, stride = convolution.kernel_size, convolution.stride
    windows = np.lib.stride_tricks.sliding_window_view(inputs, (size, size), axis=(1, 2))
    strided = windows[:, ::stride, ::stride].transpose(1, 2, 0, 3, 4)
    return strided.reshape(-1, inputs.shape[0] * size * size).copy()
