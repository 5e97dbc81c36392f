"""Fully connected networks for many lanes at once, with a hand-derived backward pass.

Each lane owns its weights: a row `[P]` of a matrix `[L, P]` that holds each layer's weight
`[in, out]` and bias `[out]` in turn. Layers are views of it, so that one batched matrix product
serves every lane, and one optimiser kernel and one copy serve every layer. Rows of different lanes
never meet in a product or a sum: a lane's numbers do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

ROW_MULTIPLE = 64
"""Rows are padded to this many elements: a vectorised kernel treats its tail in another way than its
body, and a lane at the tail would get other last bits than the same lane elsewhere."""


class StackedMLP:
    """Layer shapes of a ReLU network for `lanes` lanes, and its forward and backward passes.

    The object holds no parameters: they come as a matrix `[L, P]` from `zeros`, split by `views`.
    """

    def __init__(self, lanes: int, sizes: Sequence[int], device: torch.device) -> None:
        """Prepare a network with `sizes = (inputs, *hidden, outputs)`."""
        self.lanes = lanes
        self.sizes = tuple(sizes)
        self.device = device
        self.shapes: list[tuple[int, int]] = []
        for inputs, outputs in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            self.shapes += [(inputs, outputs), (1, outputs)]
        self.parameters_per_lane = sum(rows * columns for rows, columns in self.shapes)

    def zeros(self) -> Tensor:
        """Return `[L, P]` for one set of parameters (or gradients) of all lanes."""
        row = -(-self.parameters_per_lane // ROW_MULTIPLE) * ROW_MULTIPLE
        return torch.zeros((self.lanes, row), device=self.device)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Split `[L, P]` into `[weight, bias, ...]` of shapes `[L, in, out]` and `[L, 1, out]`."""
        views, offset = [], 0
        for rows, columns in self.shapes:
            count = rows * columns
            views.append(flat[:, offset : offset + count].view(self.lanes, rows, columns))
            offset += count
        return views

    def initial(self, units: Tensor) -> Tensor:
        """Return initial parameters from numbers in [0, 1): shape `[L, parameters_per_lane]`.

        Uniform in +-1/sqrt(inputs) for weights and biases, as `torch.nn.Linear` does.
        """
        flat, offset = self.zeros(), 0
        views = self.views(flat)
        for layer in range(len(self.sizes) - 1):
            bound = self.sizes[layer] ** -0.5
            for view in views[2 * layer : 2 * layer + 2]:
                count = view.shape[1] * view.shape[2]
                part = units[:, offset : offset + count].reshape(view.shape)
                view.copy_((2 * part - 1) * bound)
                offset += count
        return flat

    def forward(self, parameters: Sequence[Tensor], inputs: Tensor) -> list[Tensor]:
        """Return the activations of every layer, inputs first and outputs `[L, B, A]` last.

        `inputs` has shape `[L, B, O]`. The list is what `backward` needs.
        """
        activations = [inputs]
        last = len(parameters) - 2
        for layer in range(0, len(parameters), 2):
            weight, bias = parameters[layer], parameters[layer + 1]
            outputs = torch.baddbmm(bias, activations[-1], weight)
            activations.append(outputs if layer == last else outputs.relu_())
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
        for layer in range(len(parameters) - 2, -1, -2):
            inputs = activations[layer // 2]
            torch.bmm(inputs.mT, upstream, out=gradients[layer])
            torch.sum(upstream, dim=1, keepdim=True, out=gradients[layer + 1])
            if layer:
                downstream = torch.bmm(upstream, parameters[layer].mT)
                # ReLU's derivative is 1 exactly where its output is positive.
                upstream = torch.ops.aten.threshold_backward(downstream, inputs, 0)
