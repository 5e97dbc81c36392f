"""A network's passes and a whole gradient step, compiled for the processor: one lane after another.

A lane's parameters, moments and activations stay in the nearest caches for the whole step, where
operations over all lanes at once stream every one of them from memory each time.

Arrays are float32 unless said otherwise. `sizes` is int64 `(inputs, *hidden, outputs)`. A lane's
parameters are one vector: each layer's weight `[in, out]` and bias `[out]` in turn. `space` holds a
lane's activations: each layer's `[rows, size]` in turn, inputs first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.compiled import compiled

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


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


class Space(NamedTuple):
    """Room for one lane to work in: activations, slopes, a weight turned round, next values."""

    activations: Floats
    slopes: Floats
    turned: Floats
    ahead: Floats


class Rule(NamedTuple):
    """The constants of a gradient step; Adam's with the corrections of this very step.

    A share is one minus a decay: in single precision the difference would have few digits left.
    """

    double_q: bool
    huber: bool
    largest_norm: np.floating
    step_size: np.floating
    second_correction: np.floating
    first_decay: np.floating
    first_share: np.floating
    second_decay: np.floating
    second_share: np.floating
    epsilon: np.floating


def room(sizes: Integers, rows: int, like: Floats) -> Space:
    """Return room, in the precision of `like`, for passes over up to `2 * rows` inputs."""
    largest = int((sizes[:-1] * sizes[1:]).max())
    return Space(
        np.zeros(2 * rows * int(sizes.sum()), like.dtype),
        np.zeros((2, rows * int(sizes.max())), like.dtype),
        np.zeros(largest, like.dtype),
        np.zeros(rows * int(sizes[-1]), like.dtype),
    )


@compiled
def _forward(parameters: Floats, sizes: Integers, space: Floats, rows: int) -> int:
    """Fill `space` from the inputs that it begins with; return where the outputs begin."""
    layers, start, offset = len(sizes) - 1, 0, 0
    for layer in range(layers):
        width, height = sizes[layer], sizes[layer + 1]
        inputs = space[start : start + rows * width].reshape(rows, width)
        start += rows * width
        outputs = space[start : start + rows * height].reshape(rows, height)
        weight = parameters[offset : offset + width * height].reshape(width, height)
        offset += width * height
        bias = parameters[offset : offset + height]
        offset += height
        np.dot(inputs, weight, outputs)
        lowest = np.float32(-np.inf) if layer == layers - 1 else np.float32(0)
        for row in range(rows):
            for unit in range(height):
                value = outputs[row, unit] + bias[unit]
                # Not max(): what is not a number has to stay so.
                outputs[row, unit] = lowest if value < lowest else value
    return start


@compiled
def _turn(matrix: Floats, turned: Floats) -> None:
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            turned[column, row] = matrix[row, column]


@compiled
def _backward(
    parameters: Floats, gradient: Floats, sizes: Integers, space: Space, rows: int, batch: int
) -> None:
    """Write the gradient over the first `batch` of `rows`, given the outputs' in `slopes[0]`."""
    layers, start, offset = len(sizes) - 1, 0, 0
    for layer in range(layers):
        start += rows * sizes[layer]
        offset += (sizes[layer] + 1) * sizes[layer + 1]
    for step in range(layers):
        width, height = sizes[layers - 1 - step], sizes[layers - step]
        start -= rows * width
        offset -= (width + 1) * height
        inputs = space.activations[start : start + batch * width].reshape(batch, width)
        above = space.slopes[step % 2, : batch * height].reshape(batch, height)
        bias_start = offset + width * height
        np.dot(inputs.T, above, gradient[offset:bias_start].reshape(width, height))
        bias = gradient[bias_start : bias_start + height]
        bias[:] = 0
        for row in range(batch):
            for unit in range(height):
                bias[unit] += above[row, unit]
        if step < layers - 1:
            # A product with a transposed right side takes twice as long as turning it first.
            turned = space.turned[: width * height].reshape(height, width)
            _turn(parameters[offset:bias_start].reshape(width, height), turned)
            below = space.slopes[(step + 1) % 2, : batch * width].reshape(batch, width)
            np.dot(above, turned, below)
            for row in range(batch):
                for unit in range(width):
                    # ReLU's derivative is 1 exactly where its output is positive.
                    if inputs[row, unit] <= 0:
                        below[row, unit] = 0


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
def _loss(error: np.floating, huber: bool) -> tuple[np.floating, np.floating]:
    """Return Huber's loss with threshold 1, or the squared error, and the derivative."""
    if not huber:
        return error * error, error + error
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
        loss, slope = _loss(error, rule.huber)
        slopes[row, action] = weight * slope * share
        seen.errors[lane, row] = error
        seen.losses[lane, row] = weight * loss
        seen.values[lane, row] = value


@compiled
def evaluate(
    parameters: Floats, sizes: Integers, observation: Floats, space: Floats, values: Floats
) -> None:
    """Write the networks' values `[L, N, A]` for observations `[L, N, O]`."""
    rows = observation.shape[1]
    count = rows * sizes[-1]
    for lane in range(len(observation)):
        _fill(space, observation[lane])
        start = _forward(parameters[lane], sizes, space, rows)
        values[lane] = space[start : start + count].reshape(rows, sizes[-1])


@compiled
def act(
    parameters: Floats,
    sizes: Integers,
    observation: Floats,
    epsilon: float,
    drawn: Doubles,
    space: Floats,
    actions: Integers,
) -> None:
    """Write epsilon-greedy actions `[L]` for observations `[L, O]`; see `exploration`."""
    for lane in range(len(observation)):
        if drawn[lane, 0] < epsilon:
            actions[lane] = int(drawn[lane, 1])
        else:
            _fill(space, observation[lane : lane + 1])
            start = _forward(parameters[lane], sizes, space, 1)
            actions[lane] = _first_largest(space[start : start + sizes[-1]])


@compiled
def learn(memory: Memory, sizes: Integers, batch: Batch, rule: Rule, space: Space, seen: Seen) -> None:
    """Take a gradient step in every lane."""
    size, actions = batch.action.shape[1], sizes[-1]
    rows = 2 * size if rule.double_q else size
    for lane in range(len(batch.action)):
        _fill(space.activations, batch.next_observation[lane])
        start = _forward(memory.target[lane], sizes, space.activations, size)
        space.ahead[: size * actions] = space.activations[start : start + size * actions]
        _fill(space.activations, batch.observation[lane])
        if rule.double_q:
            _fill(space.activations[size * sizes[0] :], batch.next_observation[lane])
        online, gradient = memory.online[lane], memory.gradient[lane]
        start = _forward(online, sizes, space.activations, rows)
        values = space.activations[start : start + rows * actions].reshape(rows, actions)
        _compare(lane, batch, space, values, rule, seen)
        _backward(online, gradient, sizes, space, rows, size)
        if rule.largest_norm < np.inf:
            _clip(gradient, rule.largest_norm)
        _adam(online, gradient, memory.first_moment[lane], memory.second_moment[lane], rule)
