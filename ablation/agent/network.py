"""Networks of fully connected layers and convolutions for many lanes at once, for autograd.

Each lane owns its weights: a row `[P]` of a matrix `[L, P]` that holds each layer's weight
`[patch, filters]` and bias `[filters]` in turn. Layers are views of it, so that one batched matrix
product serves every lane, and one optimizer kernel and one copy serve every layer. Rows of different
lanes never meet in a product or a sum: a lane's numbers do not depend on its neighbors.

A convolution is the product of its patches, gathered by an index, with its weight (im2col).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ablation.agent.layers import Layer, row_length
from ablation.numerics.random_streams import Stream


class StackedNetwork:
    """A ReLU network of some layers for `lanes` lanes.

    The object holds no parameters: they come as a matrix `[L, P]` from `zeros`, split by `views`.
    """

    def __init__(
        self,
        lanes: int,
        layers: Sequence[Layer],
        device: torch.device,
        shape: Sequence[int] | None = None,
    ) -> None:
        """Prepare for observations of `shape`, flat vectors if it is None."""
        self.lanes = lanes
        self.layers = tuple(layers)
        self.shape = (layers[0].inputs,) if shape is None else tuple(shape)
        self.constants: dict[str, Tensor] = {}
        self.device = device
        self._indices = [
            None if layer.index is None else torch.from_numpy(layer.index).long().to(device)
            for layer in layers
        ]
        self.parameters_per_lane = sum(layer.parameters for layer in layers)
        sizes = [rows * layer.filters for layer in layers for rows in (layer.patch, 1)]
        self._sizes = [*sizes, row_length(layers) - self.parameters_per_lane]

    def zeros(self) -> Tensor:
        """Return `[L, P]` for one set of parameters (or gradients) of all lanes."""
        return torch.zeros((self.lanes, row_length(self.layers)), device=self.device)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Split `[L, P]` into `[weight, bias, ...]`: `[L, patch, filters]` and `[L, 1, filters]`."""
        # One split, not slices: its backward pass is one concatenation.
        parts = torch.split(flat, self._sizes, dim=1)[:-1]
        columns = [layer.filters for layer in self.layers for _ in ("weight", "bias")]
        pairs = zip(parts, columns, strict=True)
        return [part.view(len(flat), -1, filters) for part, filters in pairs]

    def layer_parts(self, flat: Tensor) -> list[Tensor]:
        """Return each layer's part, weights and biases together, of parameters or gradients `[L, P]`."""
        views = self.views(flat)
        pairs = zip(views[::2], views[1::2], strict=True)
        return [torch.cat((weight, bias), dim=1) for weight, bias in pairs]

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
        outputs, views = [inputs], self.views(parameters)
        for number, layer in enumerate(self.layers):
            columns = self._columns(number, outputs[-1])
            values = _product(columns, views[2 * number], views[2 * number + 1])
            values = values.view(*inputs.shape[:2], layer.outputs)
            outputs.append(values if number == len(self.layers) - 1 else values.relu())
        return outputs[1:]

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


def _product(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return `rows [L, N, I]` times `weight [L, I, O]`, plus a bias.

    MKL multiplies a single row of a single lane by other kernels, with other last bits than the same
    row among others gets: it is computed twice, as two rows.
    """
    if rows.shape[1] == 1:
        return torch.baddbmm(bias, rows.expand(-1, 2, -1), weight)[:, :1]
    return torch.baddbmm(bias, rows, weight)
