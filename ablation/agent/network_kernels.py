"""A network's passes, forward and backward, compiled for the processor.

Arrays are float32 unless said otherwise; tests run all of it in float64 too. A network's parameters are
one row: each layer's weight `[patch, filters]` and bias `[filters]` in turn, then zeros up to a multiple
of 64. Every sum has one fixed order of additions, so results are the same bits on every processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.agent.layers import Layer, workspace_sizes
from ablation.numerics.compiled import borrowing
from ablation.numerics.products import (
    NOTHING,
    Matrix,
    clear_where_not_positive,
    product,
    repeated,
    transposed,
)
from ablation.numerics.scalars import address_of
from ablation.numerics.transposes import transpose

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class Network(NamedTuple):
    """Layers as numbers: a table `[8, layers + 1]`, whose rows are named below, and all patch indices.

    The table's last column holds the number of outputs and where everything ends.
    """

    table: Integers
    patch_index: NDArray[np.int32]


INPUTS = 0  # inputs of one example
PATCH = 1  # rows of the weight: inputs of one patch
FILTERS = 2  # columns of the weight
POSITIONS = 3  # patches in one example
INPUT_AT = 4  # where the layer's inputs begin in the activations of one example
COLUMNS_AT = 5  # where what the weight multiplies begins there: gathered patches, or the inputs
WEIGHT_AT = 6  # where the weight begins in a row of parameters; its bias follows
INDEX_AT = 7  # where the layer's part of the patch indices begins

CACHE_LINE = 64
"""Bytes."""

NARROW = 8
"""Gradients of weights with fewer columns would fill parts of vectors: they are taken transposed."""


class Workspace(NamedTuple):
    """Scratch arrays of one lane, reused by the next; see `make_workspace`.

    `activations`: each layer's inputs of all examples, followed by their patches if it is a convolution,
    and the outputs. `grads`: of the loss by a layer's outputs and, in the other half, by its inputs.
    `patch_gradient`: by gathered patches. `transposed`: transposes of weights or activations.
    `next_values [B * A]`: of the target network. `selecting_values [B * A]`: of the online network, for
    double Q-learning. `one [1]`: the number 1. `sums [64]`: partial sums.
    """

    activations: Floats
    grads: Floats
    patch_gradient: Floats
    transposed: Floats
    next_values: Floats
    selecting_values: Floats
    one: Floats
    sums: Floats


def layer_table(layers: Sequence[Layer]) -> Network:
    """Return layers as kernels read them."""
    indices = [np.empty(0, np.int32) if one.index is None else one.index.ravel() for one in layers]
    sizes = [[one.inputs, one.patch, one.filters, one.positions] for one in layers]
    steps = [
        [one.inputs + len(index), one.parameters, len(index)]
        for one, index in zip(layers, indices, strict=True)
    ]
    input_at, weight_at, index_at = np.cumsum([[0] * 3, *steps], axis=0).T
    before = [one.inputs if len(index) else 0 for one, index in zip(layers, indices, strict=True)]
    columns_at = input_at + np.array([*before, 0])
    last = [layers[-1].outputs, 0, 0, 0]
    table = np.vstack((np.array([*sizes, last]).T, input_at, columns_at, weight_at, index_at))
    return Network(table, np.concatenate(indices))


def make_workspace(layers: Sequence[Layer], batch: int, like: Floats) -> Workspace:
    """Return scratch arrays, in the precision of `like`, for batches of this size."""
    parts = Workspace(*(_aligned_zeros(size, like.dtype) for size in workspace_sizes(layers, batch)))
    parts.one[:] = 1
    return parts


def _aligned_zeros(size: int, dtype: np.dtype[np.floating]) -> Floats:
    """Return zeros that begin at a cache line: a vector across two lines takes two loads."""
    whole = np.zeros(size + CACHE_LINE // dtype.itemsize, dtype)
    skipped = -whole.ctypes.data % CACHE_LINE // dtype.itemsize
    return whole[skipped : skipped + size]


@borrowing
def array_matrix(array: Floats, offset: int, rows: int, columns: int) -> Matrix:
    """Return the matrix `[rows, columns]` that begins at an element of a contiguous array."""
    size = array.itemsize
    return Matrix(address_of(array) + offset * size, rows, columns, columns * size, size)


@borrowing
def _gather(network: Network, layer: int, activations: Floats, rows: int) -> None:
    """Write the patches of a layer's inputs behind them."""
    index = network.patch_index[network.table[INDEX_AT, layer] : network.table[INDEX_AT, layer + 1]]
    width = network.table[INPUTS, layer]
    start, at = rows * network.table[INPUT_AT, layer], rows * network.table[COLUMNS_AT, layer]
    for row in range(rows):
        inputs = activations[start + row * width : start + (row + 1) * width]
        patches = activations[at + row * len(index) : at + (row + 1) * len(index)]
        for place in range(len(index)):
            patches[place] = inputs[index[place]]


@borrowing
def _scatter_add(network: Network, layer: int, patch_gradient: Floats, below: Floats) -> None:
    """Write the gradient by a layer's inputs, `below [rows * inputs]`, given that by its patches."""
    index = network.patch_index[network.table[INDEX_AT, layer] : network.table[INDEX_AT, layer + 1]]
    width = network.table[INPUTS, layer]
    below[:] = 0
    for row in range(len(below) // width):
        for place in range(len(index)):
            below[row * width + index[place]] += patch_gradient[row * len(index) + place]


@borrowing
def _is_convolution(network: Network, layer: int) -> bool:
    result: bool = network.table[COLUMNS_AT, layer] > network.table[INPUT_AT, layer]
    return result


@borrowing
def load_inputs(network: Network, activations: Floats, observation: Floats) -> None:
    """Write observations `[N, O]` to where the activations of N examples begin."""
    rows, width = observation.shape
    for row in range(rows):
        for column in range(width):
            activations[row * width + column] = observation[row, column]
    if _is_convolution(network, 0):
        _gather(network, 0, activations, rows)


@borrowing
def forward(parameters: Floats, network: Network, space: Workspace, rows: int, outputs: Matrix) -> None:
    """Fill the activations of `rows` examples, given their inputs, and write the outputs `[rows, A]`."""
    layers, one, activations = network.table.shape[1] - 1, parameters[0], space.activations
    for layer in range(layers):
        if layer > 0 and _is_convolution(network, layer):
            _gather(network, layer, activations, rows)
        patch, filters = network.table[PATCH, layer], network.table[FILTERS, layer]
        offset, height = network.table[WEIGHT_AT, layer], rows * network.table[POSITIONS, layer]
        inputs = array_matrix(activations, rows * network.table[COLUMNS_AT, layer], height, patch)
        weight = array_matrix(parameters, offset, patch, filters)
        bias = array_matrix(parameters, offset + patch * filters, 1, filters)
        last = layer == layers - 1
        after = rows * network.table[INPUT_AT, layer + 1]
        result = outputs if last else array_matrix(activations, after, height, filters)
        product(inputs, weight, result, repeated(bias, height), NOTHING, not last, one)


@borrowing
def _weight_gradient(
    inputs: Matrix, above: Matrix, gradient: Matrix, space: Workspace, one: float
) -> None:
    """Write the gradient `[patch, filters]` by a weight: its inputs, transposed, times `above`."""
    if above.columns < NARROW:
        narrow = array_matrix(space.transposed, 0, above.columns, inputs.columns)
        product(transposed(above), inputs, narrow, NOTHING, NOTHING, False, one)
        transpose(narrow, gradient, one)
    else:
        product(transposed(inputs), above, gradient, NOTHING, NOTHING, False, one)


@borrowing
def _bias_gradient(above: Matrix, gradient: Matrix, space: Workspace, one: float) -> None:
    """Write the sum over rows of `above [rows, filters]`: its product with ones."""
    ones = repeated(array_matrix(space.one, 0, 1, 1), above.rows)
    product(transposed(ones), above, gradient, NOTHING, NOTHING, False, one)


@borrowing
def _input_gradient(
    weight: Matrix, above: Matrix, below: Matrix, gate: Matrix, space: Workspace, one: float
) -> None:
    """Write `above [rows, filters]` times the transpose of a weight to `below`; `gate` as in `product`.

    Rows of a product's right side have to be contiguous, so either the weight is transposed, or, where
    that is more work, `above` is, and the result back.
    """
    (rows, patch), filters = (below.rows, below.columns), above.columns
    if patch * filters <= rows * (patch + filters):
        right = array_matrix(space.transposed, 0, filters, patch)
        transpose(weight, right, one)
        product(above, right, below, NOTHING, gate, False, one)
    else:
        right = array_matrix(space.transposed, 0, filters, rows)
        result = array_matrix(space.transposed, filters * rows, patch, rows)
        transpose(above, right, one)
        product(weight, right, result, NOTHING, NOTHING, False, one)
        transpose(result, below, one)
        if gate.address:
            clear_where_not_positive(below, gate, one)


@borrowing
def backward(
    parameters: Floats, gradient: Floats, network: Network, space: Workspace, rows: int
) -> None:
    """Write the gradient, given that by the outputs `[rows, A]` at the start of `grads`."""
    layers, one, half = network.table.shape[1] - 1, parameters[0], len(space.grads) // 2
    for step in range(layers):
        layer = layers - 1 - step
        above_at, below_at = (half, 0) if step % 2 else (0, half)
        patch, filters = network.table[PATCH, layer], network.table[FILTERS, layer]
        height = rows * network.table[POSITIONS, layer]
        inputs = array_matrix(space.activations, rows * network.table[COLUMNS_AT, layer], height, patch)
        above = array_matrix(space.grads, above_at, height, filters)
        offset = network.table[WEIGHT_AT, layer]
        _weight_gradient(inputs, above, array_matrix(gradient, offset, patch, filters), space, one)
        _bias_gradient(above, array_matrix(gradient, offset + patch * filters, 1, filters), space, one)
        if layer > 0:
            weight = array_matrix(parameters, offset, patch, filters)
            width, start = network.table[INPUTS, layer], rows * network.table[INPUT_AT, layer]
            gate = array_matrix(space.activations, start, rows, width)
            below = array_matrix(space.grads, below_at, rows, width)
            if _is_convolution(network, layer):
                by_patches = array_matrix(space.patch_gradient, 0, height, patch)
                _input_gradient(weight, above, by_patches, NOTHING, space, one)
                _scatter_add(
                    network, layer, space.patch_gradient, space.grads[below_at : below_at + rows * width]
                )
                clear_where_not_positive(below, gate, one)
            else:
                _input_gradient(weight, above, below, gate, space, one)
