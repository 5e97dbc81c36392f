"""A network's passes and a whole gradient step, compiled for the processor: one lane after another.

A lane's parameters, moments and activations stay in the nearest caches for the whole step, where
operations over all lanes at once stream every one of them from memory each time.

Arrays are float32 unless said otherwise. A lane's parameters are one vector: each layer's weight
`[patch, filters]` and bias `[filters]` in turn. Its activations are each layer's `[rows, size]` in
turn, inputs first, each followed by its patches where a layer gathers any. All in one file: Numba's
cache does not notice a change in another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.agent.layers import Layer, room_sizes
from ablation.numerics.compiled import compiled

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


LOSS_KINDS = {"huber": 0, "squared": 1, "next_value": 2}
SQUARED, PLAIN = LOSS_KINDS["squared"], LOSS_KINDS["next_value"]
OPTIMIZER_KINDS = {"adam": 0, "rmsprop": 1}
RMSPROP = OPTIMIZER_KINDS["rmsprop"]


class Batch(NamedTuple):
    """What a gradient step learns from: observations `[L, B, O]`, the rest `[L, B]`; actions int64."""

    observation: Floats
    action: Integers
    reward: Floats
    discount: Floats
    next_observation: Floats
    weight: Floats


class Seen(NamedTuple):
    """What a gradient step saw, each `[L, B]`."""

    errors: Floats
    losses: Floats
    values: Floats


class Memory(NamedTuple):
    """What a gradient step changes: `[L, P]` each, and the target's parameters, which it reads."""

    online: Floats
    target: Floats
    gradient: Floats
    first_moment: Floats
    second_moment: Floats


class Network(NamedTuple):
    """Layers in numbers: a table `[9, layers + 1]`, and which inputs the patches hold, all in turn.

    The table's last column says what comes out, and where everything ends.
    """

    table: Integers
    places: NDArray[np.int32]


INPUTS, PATCH, FILTERS, POSITIONS, TURNED, INPUT_AT, COLUMNS_AT, WEIGHT_AT, INDEX_AT = range(9)
"""Rows of a network's table: sizes, whether a weight is turned round for products, and where a layer's
numbers begin: among activations, for one row of a batch, its inputs and what its weight multiplies,
gathered patches or the inputs themselves; its parameters; its part of the index."""

SMALL = 2**14
"""Numbers in a weight up to which turning it round and a plain product are quicker than a product with
its transpose; see docs/performance.md."""


class Space(NamedTuple):
    """Room for one lane to work in, used again by the next.

    Activations and patches, slopes, slopes of patches, a weight turned round, next values.
    """

    activations: Floats
    slopes: Floats
    spread: Floats
    turned: Floats
    ahead: Floats


class Rule(NamedTuple):
    """The constants of a gradient step; the optimiser's with the corrections of this very step.

    A share is one minus a decay: in single precision the difference would have few digits left.
    """

    double_q: bool
    loss: int
    optimizer: int
    largest_norm: np.floating
    step_size: np.floating
    second_correction: np.floating
    first_decay: np.floating
    first_share: np.floating
    second_decay: np.floating
    second_share: np.floating
    epsilon: np.floating
    epsilon_in_root: np.floating


def network(layers: Sequence[Layer]) -> Network:
    """Return layers as kernels read them."""
    indices = [np.empty(0, np.int32) if one.index is None else one.index.ravel() for one in layers]
    # Without convolutions all weights are turned, the wide too: other sums would be other numbers.
    always = all(one.index is None for one in layers)
    sizes = [
        [one.inputs, one.patch, one.filters, one.positions, always or one.patch * one.filters <= SMALL]
        for one in layers
    ]
    steps = [
        [one.inputs + len(index), one.parameters, len(index)]
        for one, index in zip(layers, indices, strict=True)
    ]
    input_at, weight_at, index_at = np.cumsum([[0] * 3, *steps], axis=0).T
    before = [one.inputs if len(index) else 0 for one, index in zip(layers, indices, strict=True)]
    columns_at = input_at + np.array([*before, 0])
    last = [layers[-1].outputs, 0, 0, 0, 0]
    table = np.vstack((np.array([*sizes, last]).T, input_at, columns_at, weight_at, index_at))
    return Network(table, np.concatenate(indices))


def room(layers: Sequence[Layer], rows: int, like: Floats) -> Space:
    """Return room, in the precision of `like`, for passes over up to `2 * rows` inputs."""
    parts = Space(*(np.zeros(size, like.dtype) for size in room_sizes(layers, rows)))
    return parts._replace(slopes=parts.slopes.reshape(2, -1))


@compiled
def _gather(network: Network, layer: int, activations: Floats, rows: int) -> None:
    """Write the patches of a layer's inputs behind them."""
    places = network.places[network.table[INDEX_AT, layer] : network.table[INDEX_AT, layer + 1]]
    width = network.table[INPUTS, layer]
    start, at = rows * network.table[INPUT_AT, layer], rows * network.table[COLUMNS_AT, layer]
    for row in range(rows):
        inputs = activations[start + row * width : start + (row + 1) * width]
        patches = activations[at + row * len(places) : at + (row + 1) * len(places)]
        for place in range(len(places)):
            patches[place] = inputs[places[place]]


@compiled
def _gather_back(network: Network, layer: int, spread: Floats, below: Floats) -> None:
    """Add the slopes of patches up to those of the inputs that they hold, `[rows, inputs]`."""
    index = network.places[network.table[INDEX_AT, layer] : network.table[INDEX_AT, layer + 1]]
    below[:] = 0
    for row in range(below.shape[0]):
        slopes = spread[row * len(index) : (row + 1) * len(index)]
        for place in range(len(index)):
            below[row, index[place]] += slopes[place]


@compiled
def _forward(parameters: Floats, network: Network, activations: Floats, rows: int) -> int:
    """Fill the activations from the inputs that they begin with; return where the outputs begin."""
    layers = network.table.shape[1] - 1
    for layer in range(layers):
        patch, filters = network.table[PATCH, layer], network.table[FILTERS, layer]
        height = rows * network.table[POSITIONS, layer]
        start = rows * network.table[COLUMNS_AT, layer]
        if start > rows * network.table[INPUT_AT, layer]:
            _gather(network, layer, activations, rows)
        inputs = activations[start : start + height * patch].reshape(height, patch)
        start = rows * network.table[INPUT_AT, layer + 1]
        outputs = activations[start : start + height * filters].reshape(height, filters)
        offset = network.table[WEIGHT_AT, layer]
        weight = parameters[offset : offset + patch * filters].reshape(patch, filters)
        offset += patch * filters
        bias = parameters[offset : offset + filters]
        np.dot(inputs, weight, outputs)
        lowest = np.float32(-np.inf) if layer == layers - 1 else np.float32(0)
        for row in range(height):
            for unit in range(filters):
                value = outputs[row, unit] + bias[unit]
                # Not max(): what is not a number has to stay so.
                outputs[row, unit] = lowest if value < lowest else value
    end: int = rows * network.table[INPUT_AT, layers]
    return end


@compiled
def _turn(matrix: Floats, turned: Floats) -> None:
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            turned[column, row] = matrix[row, column]


@compiled
def _backward(
    parameters: Floats, gradient: Floats, network: Network, space: Space, rows: int, batch: int
) -> None:
    """Write the gradient over the first `batch` of `rows`, given the outputs' in `slopes[0]`."""
    layers = network.table.shape[1] - 1
    for step in range(layers):
        layer = layers - 1 - step
        patch, filters = network.table[PATCH, layer], network.table[FILTERS, layer]
        height = batch * network.table[POSITIONS, layer]
        start = rows * network.table[COLUMNS_AT, layer]
        inputs = space.activations[start : start + height * patch].reshape(height, patch)
        above = space.slopes[step % 2, : height * filters].reshape(height, filters)
        offset = network.table[WEIGHT_AT, layer]
        bias_start = offset + patch * filters
        np.dot(inputs.T, above, gradient[offset:bias_start].reshape(patch, filters))
        bias = gradient[bias_start : bias_start + filters]
        bias[:] = 0
        for row in range(height):
            for unit in range(filters):
                bias[unit] += above[row, unit]
        if layer > 0:
            weight = parameters[offset:bias_start].reshape(patch, filters)
            _slopes_below(network, layer, weight, above, space, space.slopes[(step + 1) % 2])
            _stop(network, layer, space, rows, space.slopes[(step + 1) % 2], batch)


@compiled
def _slopes_below(
    network: Network, layer: int, weight: Floats, above: Floats, space: Space, below: Floats
) -> None:
    """Write the slopes of a layer's inputs to the beginning of `below`, given those of its outputs."""
    patch, filters = weight.shape
    height = len(above)
    gathered = network.table[COLUMNS_AT, layer] > network.table[INPUT_AT, layer]
    spread = space.spread[: height * patch] if gathered else below[: height * patch]
    if network.table[TURNED, layer]:
        turned = space.turned[: patch * filters].reshape(filters, patch)
        _turn(weight, turned)
        np.dot(above, turned, spread.reshape(height, patch))
    else:
        np.dot(above, weight.T, spread.reshape(height, patch))
    if gathered:
        batch, width = height // network.table[POSITIONS, layer], network.table[INPUTS, layer]
        _gather_back(network, layer, spread, below[: batch * width].reshape(batch, width))


@compiled
def _stop(network: Network, layer: int, space: Space, rows: int, below: Floats, batch: int) -> None:
    """Let slopes through a ReLU: its derivative is 1 exactly where its output is positive."""
    start, count = rows * network.table[INPUT_AT, layer], batch * network.table[INPUTS, layer]
    inputs = space.activations[start : start + count]
    for place in range(count):
        # A choice and a store always, not a store at times: it takes many at once.
        below[place] = np.float32(0) if inputs[place] <= 0 else below[place]


@compiled
def _adam(
    parameters: Floats, gradient: Floats, first_moment: Floats, second_moment: Floats, rule: Rule
) -> None:
    """Change the parameters as Adam does (Kingma & Ba 2015, algorithm 1)."""
    for index in range(len(parameters)):
        slope = gradient[index]
        first = rule.first_decay * first_moment[index] + rule.first_share * slope
        second = rule.second_decay * second_moment[index] + rule.second_share * slope * slope
        first_moment[index] = first
        second_moment[index] = second
        parameters[index] -= (
            rule.step_size * first / (np.sqrt(second) * rule.second_correction + rule.epsilon)
        )


@compiled
def _centred_rmsprop(
    parameters: Floats, gradient: Floats, first_moment: Floats, second_moment: Floats, rule: Rule
) -> None:
    """Divide the gradient by its running standard deviation (Graves 2013, equations 38 to 45)."""
    for index in range(len(parameters)):
        slope = gradient[index]
        first = rule.first_decay * first_moment[index] + rule.first_share * slope
        second = rule.second_decay * second_moment[index] + rule.second_share * slope * slope
        first_moment[index] = first
        second_moment[index] = second
        variance = second - first * first
        # Rounding can take it below zero; what is not a number stays so.
        if variance < 0:
            variance = np.float32(0)
        deviation = np.sqrt(variance + rule.epsilon_in_root)
        parameters[index] -= rule.step_size * slope / (deviation + rule.epsilon)


@compiled
def _clip(gradient: Floats, largest_norm: np.floating) -> None:
    """Shrink the gradient to a Euclidean norm of at most `largest_norm`."""
    norm = np.sqrt(np.dot(gradient, gradient))
    scale = largest_norm / (norm + np.float32(1e-6))
    if scale < 1:
        for index in range(len(gradient)):
            gradient[index] *= scale


@compiled
def _fill(space: Floats, observation: Floats) -> None:
    """Write one lane's observations `[B, O]` to where its activations begin."""
    width = observation.shape[1]
    for row in range(observation.shape[0]):
        for column in range(width):
            space[row * width + column] = observation[row, column]


@compiled
def _first_largest(values: Floats) -> int:
    best = 0
    for index in range(1, len(values)):
        if values[index] > values[best]:
            best = index
    return best


@compiled
def _loss(error: np.floating, kind: int) -> tuple[np.floating, np.floating]:
    """Return Huber's loss with threshold 1, the squared error, or the error, and the derivative."""
    if kind == SQUARED:
        return error * error, error + error
    if kind == PLAIN:
        return error, np.float32(1)
    clipped = error
    if error > 1:
        clipped = np.float32(1)
    elif error < -1:
        clipped = np.float32(-1)
    return clipped * (error - np.float32(0.5) * clipped), clipped


@compiled
def _compare(lane: int, batch: Batch, space: Space, values: Floats, rule: Rule, seen: Seen) -> None:
    """Lay `values [rows, A]` beside their targets: errors, losses and the outputs' slopes."""
    size, actions = batch.action.shape[1], values.shape[1]
    ahead = space.ahead[: size * actions].reshape(size, actions)
    selecting = values[size:] if rule.double_q else ahead
    slopes = space.slopes[0, : size * actions].reshape(size, actions)
    slopes[:] = 0
    share = np.float32(1) / np.float32(size)
    for row in range(size):
        best = ahead[row, _first_largest(selecting[row])]
        action, weight = batch.action[lane, row], batch.weight[lane, row]
        value = values[row, action]
        error = value - (batch.reward[lane, row] + batch.discount[lane, row] * best)
        loss, slope = _loss(error, rule.loss)
        slopes[row, action] = weight * slope * share
        seen.errors[lane, row] = error
        seen.losses[lane, row] = weight * loss
        seen.values[lane, row] = value


@compiled
def evaluate(
    parameters: Floats,
    network: Network,
    observation: Floats,
    activations: Floats,
    values: Floats,
) -> None:
    """Write the networks' values `[L, N, A]` for observations `[L, N, O]`."""
    rows, actions = values.shape[1:]
    for lane in range(len(observation)):
        _fill(activations, observation[lane])
        start = _forward(parameters[lane], network, activations, rows)
        values[lane] = activations[start : start + rows * actions].reshape(rows, actions)


@compiled
def evaluate_layers(
    parameters: Floats, network: Network, observation: Floats, activations: Floats, outputs: Floats
) -> None:
    """Write each layer's outputs for observations `[L, N, O]`, one layer after another, `[L, ...]`."""
    rows, layers = observation.shape[1], network.table.shape[1] - 1
    for lane in range(len(observation)):
        _fill(activations, observation[lane])
        _forward(parameters[lane], network, activations, rows)
        at = 0
        for layer in range(1, layers + 1):
            count = rows * network.table[INPUTS, layer]
            start = rows * network.table[INPUT_AT, layer]
            outputs[lane, at : at + count] = activations[start : start + count]
            at += count


@compiled
def act(
    parameters: Floats,
    network: Network,
    observation: Floats,
    epsilon: float,
    drawn: Doubles,
    activations: Floats,
    actions: Integers,
) -> None:
    """Write epsilon-greedy actions `[L]` for observations `[L, O]`; see `exploration`."""
    count = network.table[INPUTS, -1]
    for lane in range(len(observation)):
        if drawn[lane, 0] < epsilon:
            actions[lane] = int(drawn[lane, 1])
        else:
            _fill(activations, observation[lane : lane + 1])
            start = _forward(parameters[lane], network, activations, 1)
            actions[lane] = _first_largest(activations[start : start + count])


@compiled
def learn(memory: Memory, network: Network, batch: Batch, rule: Rule, space: Space, seen: Seen) -> None:
    """Take a gradient step in every lane."""
    size, actions = batch.action.shape[1], network.table[INPUTS, -1]
    rows = 2 * size if rule.double_q else size
    for lane in range(len(batch.action)):
        _fill(space.activations, batch.next_observation[lane])
        start = _forward(memory.target[lane], network, space.activations, size)
        space.ahead[: size * actions] = space.activations[start : start + size * actions]
        _fill(space.activations, batch.observation[lane])
        if rule.double_q:
            width = batch.observation.shape[2]
            _fill(space.activations[size * width :], batch.next_observation[lane])
        online, gradient = memory.online[lane], memory.gradient[lane]
        start = _forward(online, network, space.activations, rows)
        values = space.activations[start : start + rows * actions].reshape(rows, actions)
        _compare(lane, batch, space, values, rule, seen)
        _backward(online, gradient, network, space, rows, size)
        if rule.largest_norm < np.inf:
            _clip(gradient, rule.largest_norm)
        first, second = memory.first_moment[lane], memory.second_moment[lane]
        if rule.optimizer == RMSPROP:
            _centred_rmsprop(online, gradient, first, second, rule)
        else:
            _adam(online, gradient, first, second, rule)
