"""Networks for many lanes at once, with a hand-derived backward pass.

Each lane owns its weights: a row `[P]` of a matrix `[L, P]` that holds each layer's weight
`[patch, filters]` and bias `[filters]` in turn. Layers are views of it, so that one batched matrix
product serves every lane, and one optimizer kernel and one copy serve every layer. Rows of different
lanes never meet in a product or a sum: a lane's numbers do not depend on its neighbors.

A convolution is the product of its patches, gathered by an index, with its weight (im2col).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ablation.agent.layers import Layer, row_length


class StackedNetwork:
    """A ReLU network of some layers for `lanes` lanes, and its forward and backward passes.

    The object holds no parameters: they come as a matrix `[L, P]` from `zeros`, split by `views`.
    """

    def __init__(self, lanes: int, layers: Sequence[Layer], device: torch.device) -> None:
        self.lanes = lanes
        self.layers = tuple(layers)
        self.device = device
        self._indices = [
            None if layer.index is None else torch.from_numpy(layer.index).long().to(device)
            for layer in layers
        ]
        self._no_bias = torch.zeros((), device=device)
        self.parameters_per_lane = sum(layer.parameters for layer in layers)

    def zeros(self) -> Tensor:
        """Return `[L, P]` for one set of parameters (or gradients) of all lanes."""
        return torch.zeros((self.lanes, row_length(self.layers)), device=self.device)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Split `[L, P]` into `[weight, bias, ...]`: `[L, patch, filters]` and `[L, 1, filters]`."""
        views, offset = [], 0
        for layer in self.layers:
            for rows in (layer.patch, 1):
                count = rows * layer.filters
                views.append(flat[:, offset : offset + count].view(self.lanes, rows, layer.filters))
                offset += count
        return views

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

    def forward(self, parameters: Sequence[Tensor], inputs: Tensor) -> list[Tensor]:
        """Return the activations of every layer, inputs first and outputs `[L, B, A]` last.

        `inputs` has shape `[L, B, O]`. `backward` takes the list.
        """
        activations = [inputs]
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            weight, bias = parameters[2 * number], parameters[2 * number + 1]
            columns = self._columns(number, activations[-1])
            outputs = _product(columns, weight, bias)
            outputs = outputs.view(*inputs.shape[:2], layer.outputs)
            activations.append(outputs if number == last else outputs.relu_())
        return activations

    def backward(
        self,
        parameters: Sequence[Tensor],
        activations: Sequence[Tensor],
        output_gradient: Tensor,
        gradients: Sequence[Tensor],
    ) -> None:
        """Write the parameters' gradients into `gradients`, given that of the outputs `[L, B, A]`."""
        upstream = output_gradient
        for number in range(len(self.layers) - 1, -1, -1):
            inputs, columns = activations[number], self._columns(number, activations[number])
            upstream = upstream.reshape(*columns.shape[:2], self.layers[number].filters)
            torch.bmm(columns.mT, upstream, out=gradients[2 * number])
            torch.sum(upstream, dim=1, keepdim=True, out=gradients[2 * number + 1])
            if number:
                patch_gradient = _product(upstream, parameters[2 * number].mT, self._no_bias)
                downstream = self._input_gradient(number, patch_gradient, inputs)
                # ReLU's derivative is 1 exactly where its output is positive.
                upstream = torch.ops.aten.threshold_backward(downstream, inputs, 0)

    def by_unit(self, activations: Sequence[Tensor]) -> list[Tensor]:
        """Return activations of `forward` with a filter as one unit: `[L, B * positions, filters]`."""
        pairs = zip(activations[1:], self.layers, strict=True)
        by_unit = [outputs.reshape(self.lanes, -1, layer.filters) for outputs, layer in pairs]
        return [activations[0], *by_unit]

    def _columns(self, number: int, inputs: Tensor) -> Tensor:
        """Return the patches `[L, B * positions, patch]` of a layer's inputs `[L, B, inputs]`."""
        index = self._indices[number]
        if index is None:
            return inputs
        return inputs[:, :, index].view(self.lanes, -1, index.shape[1])

    def _input_gradient(self, number: int, patch_gradient: Tensor, inputs: Tensor) -> Tensor:
        """Return the gradient of `inputs` from that of their patches `[L, B * positions, patch]`."""
        index = self._indices[number]
        if index is None:
            return patch_gradient
        gradient = patch_gradient.view(*inputs.shape[:2], -1)
        return torch.zeros_like(inputs).index_add_(2, index.flatten(), gradient)


def _product(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return `rows [L, N, I]` times `weight [L, I, O]`, plus a bias.

    MKL multiplies a single row of a single lane by other kernels, with other last bits than the same
    row among others gets: it is computed twice, as two rows.
    """
    if rows.shape[1] == 1:
        return torch.baddbmm(bias, rows.expand(-1, 2, -1), weight)[:, :1]
    return torch.baddbmm(bias, rows, weight)
