"""Networks of fully connected layers and convolutions for many lanes at once, for autograd.

Each lane owns its weights: a row `[P]` of a matrix `[L, P]` that holds each layer's weight
`[patch, filters]` and bias `[filters]` in turn. Layers are views of it, so that one batched matrix
product serves every lane, and one optimizer kernel and one copy serve every layer. A normalized layer
has its scale and shift `[outputs]` behind them. Rows of different
lanes never meet in a product or a sum: a lane's numbers do not depend on its neighbors.

A convolution is the product of its patches, gathered by an index, with its weight (im2col).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import elu, gelu, layer_norm, pad, silu

from ablation.agent.layers import ROW_MULTIPLE, Layer, row_length
from ablation.numerics.random_streams import Stream


class StackedNetwork:
    """A network of some layers for `lanes` lanes.

    The object holds no parameters: they come as a matrix `[L, P]` from `zeros`, split by `views`.
    """

    def __init__(
        self,
        lanes: int,
        layers: Sequence[Layer],
        device: torch.device,
        shape: Sequence[int] | None = None,
        activation: Callable[[Tensor], Tensor] = torch.relu,
    ) -> None:
        """Prepare for observations of `shape`, flat vectors if it is None."""
        self.lanes = lanes
        self.layers = tuple(layers)
        self.shape = (layers[0].inputs,) if shape is None else tuple(shape)
        self.constants: dict[str, Tensor] = {}
        self.device, self._activation = device, activation
        self._indices = [
            None if layer.index is None else torch.from_numpy(layer.index).long().to(device)
            for layer in layers
        ]
        self.parameters_per_lane = sum(layer.parameters for layer in layers)
        sizes = [size for layer in layers for size in _sizes(layer)]
        self._sizes = [*sizes, row_length(layers) - self.parameters_per_lane]

    def zeros(self) -> Tensor:
        """Return `[L, P]` for one set of parameters (or gradients) of all lanes."""
        return torch.zeros((self.lanes, row_length(self.layers)), device=self.device)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Split `[L, P]` into `[weight, bias, ...]`: `[L, patch, filters]` and `[L, 1, filters]`."""
        return [view for views in self._layer_views(flat) for view in views[:2]]

    def layer_parts(self, flat: Tensor) -> list[Tensor]:
        """Return each layer's part, weights and biases together, of parameters or gradients `[L, P]`."""
        return [torch.cat(views[:2], dim=1) for views in self._layer_views(flat)]

    def initial(self, units: Tensor) -> Tensor:
        """Return initial parameters from numbers in [0, 1): shape `[L, parameters_per_lane]`.

        Uniform in +-1/sqrt(patch) for weights and biases, as `torch.nn.Linear` and `Conv2d` do.
        """
        flat, offset = self.zeros(), 0
        views = self.views(flat)
        for number, layer in enumerate(self.layers):
            bound = 1 / math.sqrt(layer.patch)
            for view in views[2 * number : 2 * number + 2]:
                count = view.shape[1] * view.shape[2]
                part = units[:, offset : offset + count].reshape(view.shape)
                view.copy_((2 * part - 1) * bound)
                offset += count
        for views in self._layer_views(flat):
            for scale in views[2:3]:
                scale.fill_(1)
        return flat

    def noise(self, stream: Stream, step: int, copies: int) -> list[Tensor]:  # noqa: ARG002
        """Return the noise `[L, 0]` of each of `copies` networks: they have none."""
        return [torch.empty((self.lanes, 0), device=self.device)] * copies

    def lane(
        self,
        row: Tensor,
        constants: Mapping[str, Tensor],  # noqa: ARG002
        noise: Tensor,  # noqa: ARG002
    ) -> Callable[[Tensor], Tensor]:
        """Return one lane's network, from observations `[B, *shape]` to action values `[B, A]`."""
        return lambda images: self.layer_outputs(row[None], images.flatten(1)[None])[-1][0]

    def values(self, parameters: Tensor, inputs: Tensor, noise: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return action values `[L, N, A]` for observations `[L, N, O]`."""
        return self.layer_outputs(parameters, inputs)[-1]

    def layer_outputs(self, parameters: Tensor, inputs: Tensor) -> list[Tensor]:
        """Return every layer's outputs `[L, B, size]`, action values last, for inputs `[L, B, O]`."""
        outputs = [inputs]
        for number, (layer, views) in enumerate(
            zip(self.layers, self._layer_views(parameters), strict=True)
        ):
            weight, bias, *norm = views
            values = _product(self._columns(number, outputs[-1]), weight, bias)
            values = values.view(*inputs.shape[:2], layer.outputs)
            if norm:
                scale, shift = norm
                values = scale * layer_norm(values, values.shape[-1:]) + shift
            outputs.append(values if number == len(self.layers) - 1 else self._activation(values))
        return outputs[1:]

    def _layer_views(self, flat: Tensor) -> list[list[Tensor]]:
        """Return each layer's weight `[L, patch, filters]`, bias, and scale and shift if it has them.

        The last three are `[L, 1, size]`.
        """
        # One split, not slices: its backward pass is one concatenation.
        parts = iter(torch.split(flat, self._sizes, dim=1))
        views = []
        for layer in self.layers:
            rows = layer.patch, *(1 for _ in _sizes(layer)[1:])
            views.append([next(parts).view(len(flat), count, -1) for count in rows])
        return views

    def by_unit(self, activations: Sequence[Tensor]) -> list[Tensor]:
        """Return inputs and layers' outputs with a filter as one unit: `[L, B * positions, filters]`."""
        pairs = zip(activations[1:], self.layers, strict=True)
        by_unit = [outputs.reshape(self.lanes, -1, layer.filters) for outputs, layer in pairs]
        return [activations[0], *by_unit]

    def _columns(self, number: int, inputs: Tensor) -> Tensor:
        """Return the patches `[L, B * positions, patch]` of a layer's inputs `[L, B, inputs]`."""
        index = self._indices[number]
        if index is None:
            return inputs
        return inputs.index_select(2, index.flatten()).view(len(inputs), -1, index.shape[1])


def _sizes(layer: Layer) -> list[int]:
    norm = [layer.outputs, layer.outputs] if layer.norm else []
    return [layer.patch * layer.filters, layer.filters, *norm]


def _by_vectors(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return an element-wise function that no element's place in a tensor makes a difference to.

    PyTorch computes the last few numbers of a tensor by other instructions, with other last bits.
    """

    def computed(values: Tensor) -> Tensor:
        flat = pad(values.flatten(), (0, ROW_MULTIPLE))
        return function(flat)[: values.numel()].view(values.shape)

    return computed


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": _by_vectors(torch.tanh),
    "elu": _by_vectors(elu),
    "gelu": _by_vectors(gelu),
    "silu": _by_vectors(silu),
}


def _product(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return `rows [L, N, I]` times `weight [L, I, O]`, plus a bias.

    MKL multiplies a single row of a single lane by other kernels, with other last bits than the same
    row among others gets: it is computed twice, as two rows.
    """
    if rows.shape[1] == 1:
        return torch.baddbmm(bias, rows.expand(-1, 2, -1), weight)[:, :1]
    return torch.baddbmm(bias, rows, weight)
