"""A whole gradient step, and acting, compiled for the processor: one lane after another.

A lane's parameters, moments and activations stay in the near caches for the whole step, where
operations over all lanes at once stream every one of them from memory each time. Arrays are float32
unless said otherwise; tests run all of it in float64 too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.agent.network_kernels import (
    INPUT_AT,
    INPUTS,
    Network,
    Workspace,
    array_matrix,
    backward,
    forward,
    load_inputs,
)
from ablation.agent.optimizer_kernels import (
    StepConstants,
    adam,
    centered_rmsprop,
    clip,
    momentum_descent,
)
from ablation.numerics.compiled import borrowing

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

LOSS_KINDS = {"huber": 0, "squared": 1, "next_value": 2}
SQUARED, IDENTITY = LOSS_KINDS["squared"], LOSS_KINDS["next_value"]
OPTIMIZER_KINDS = {"adam": 0, "adamw": 0, "rmsprop": 1, "sgd": 2}
RMSPROP, SGD = OPTIMIZER_KINDS["rmsprop"], OPTIMIZER_KINDS["sgd"]


class Batch(NamedTuple):
    """What a gradient step learns from: observations `[L, B, O]`, the rest `[L, B]`; actions int64.

    Of one lane, for `learn_lane`: without the axis `L`.
    """

    observation: Floats
    action: Integers
    reward: Floats
    discount: Floats
    next_observation: Floats
    weight: Floats


class StepOutput(NamedTuple):
    """TD errors, weighted losses and values of the actions taken: `[L, B]` each, of one lane `[B]`."""

    errors: Floats
    losses: Floats
    values: Floats


class LaneState(NamedTuple):
    """What a gradient step reads and changes: `[L, P]` each, of one lane `[P]`."""

    online: Floats
    target: Floats
    gradient: Floats
    first_moment: Floats
    second_moment: Floats


@borrowing
def lane_state(state: LaneState, lane: int) -> LaneState:
    """Return the rows of one lane."""
    online, target, gradient = state.online[lane], state.target[lane], state.gradient[lane]
    return LaneState(online, target, gradient, state.first_moment[lane], state.second_moment[lane])


@borrowing
def first_largest(values: Floats, start: int, actions: int) -> int:
    """Return which of `actions` values from `start` on is the first largest one."""
    best, largest = 0, values[start]
    for action in range(1, actions):
        value = values[start + action]
        best, largest = (action, value) if value > largest else (best, largest)
    return best


@borrowing
def _loss(error: np.floating, kind: int, threshold: np.floating) -> tuple[np.floating, np.floating]:
    """Return Huber's loss with a threshold, the squared error, or the error, and the derivative."""
    if kind == SQUARED:
        return error * error, error + error
    if kind == IDENTITY:
        return error, np.float32(1)
    clipped = threshold if error > threshold else error
    clipped = -threshold if error < -threshold else clipped
    return clipped * (error - np.float32(0.5) * clipped), clipped


@borrowing
def _td_loss(
    batch: Batch, space: Workspace, values: Floats, constants: StepConstants, output: StepOutput
) -> None:
    """Write TD errors, losses and, to `grads`, the gradient by the outputs, given `values [B * A]`."""
    size = len(batch.action)
    actions = len(space.next_values) // size
    selecting = space.selecting_values if constants.double_q else space.next_values
    space.grads[: size * actions] = 0
    share = np.float32(1) / np.float32(size)
    for row in range(size):
        start, action, weight = row * actions, batch.action[row], batch.weight[row]
        next_value = space.next_values[start + first_largest(selecting, start, actions)]
        value = values[start + action]
        error = value - (batch.reward[row] + batch.discount[row] * next_value)
        loss, slope = _loss(error, constants.loss, constants.huber_threshold)
        space.grads[start + action] = weight * slope * share
        output.errors[row] = error
        output.losses[row] = weight * loss
        output.values[row] = value


@borrowing
def evaluate_lane(
    parameters: Floats, network: Network, observation: Floats, space: Workspace, values: Floats
) -> None:
    """Write a network's values `[N, A]` for observations `[N, O]`; the workspace is for N or more."""
    rows = len(observation)
    load_inputs(network, space.activations, observation)
    outputs = array_matrix(values, 0, rows, network.table[INPUTS, -1])
    forward(parameters, network, space, rows, outputs)


@borrowing
def act_lane(
    parameters: Floats,
    network: Network,
    observation: Floats,
    epsilon: float,
    drawn: Doubles,
    space: Workspace,
) -> int:
    """Return an epsilon-greedy action for an observation `[1, O]`; `drawn [2]`: see `exploration`."""
    if drawn[0] < epsilon:
        return int(drawn[1])
    evaluate_lane(parameters, network, observation, space, space.next_values)
    return first_largest(space.next_values, 0, network.table[INPUTS, -1])


@borrowing
def learn_lane(
    state: LaneState,
    network: Network,
    batch: Batch,
    constants: StepConstants,
    space: Workspace,
    output: StepOutput,
) -> None:
    """Take a gradient step in one lane; everything is of this lane, the workspace is for its batch."""
    size, actions, activations = len(batch.action), network.table[INPUTS, -1], space.activations
    load_inputs(network, activations, batch.next_observation)
    next_values = array_matrix(space.next_values, 0, size, actions)
    forward(state.target, network, space, size, next_values)
    if constants.double_q:
        forward(
            state.online, network, space, size, array_matrix(space.selecting_values, 0, size, actions)
        )
    load_inputs(network, activations, batch.observation)
    start = size * network.table[INPUT_AT, -1]
    forward(state.online, network, space, size, array_matrix(activations, start, size, actions))
    _td_loss(batch, space, activations[start : start + size * actions], constants, output)
    descend(state, network, constants, space, size)


@borrowing
def descend(
    state: LaneState, network: Network, constants: StepConstants, space: Workspace, size: int
) -> None:
    """Change a lane's parameters, given the loss's gradient by the outputs at the start of `grads`.

    The activations are those of the forward pass of `size` examples.
    """
    backward(state.online, state.gradient, network, space, size)
    if constants.largest_norm < np.inf:
        clip(state.gradient, constants.largest_norm, space.sums)
    moments = state.first_moment, state.second_moment
    if constants.optimizer == RMSPROP:
        centered_rmsprop(state.online, state.gradient, *moments, constants)
    elif constants.optimizer == SGD:
        momentum_descent(state.online, state.gradient, state.first_moment, constants)
    else:
        adam(state.online, state.gradient, *moments, constants)


@borrowing
def evaluate(
    parameters: Floats, network: Network, observation: Floats, space: Workspace, values: Floats
) -> None:
    """Write the networks' values `[L, N, A]` for observations `[L, N, O]`."""
    for lane in range(len(observation)):
        evaluate_lane(parameters[lane], network, observation[lane], space, values[lane])


@borrowing
def act(
    parameters: Floats,
    network: Network,
    observation: Floats,
    epsilon: float,
    drawn: Doubles,
    space: Workspace,
    actions: Integers,
) -> None:
    """Write epsilon-greedy actions `[L]` for observations `[L, O]`; see `exploration`."""
    for lane in range(len(observation)):
        seen = observation[lane : lane + 1]
        actions[lane] = act_lane(parameters[lane], network, seen, epsilon, drawn[lane], space)


@borrowing
def learn(
    state: LaneState,
    network: Network,
    batch: Batch,
    constants: StepConstants,
    space: Workspace,
    output: StepOutput,
) -> None:
    """Take a gradient step in every lane."""
    for lane in range(len(batch.action)):
        of_lane = Batch(
            batch.observation[lane],
            batch.action[lane],
            batch.reward[lane],
            batch.discount[lane],
            batch.next_observation[lane],
            batch.weight[lane],
        )
        seen = StepOutput(output.errors[lane], output.losses[lane], output.values[lane])
        learn_lane(lane_state(state, lane), network, of_lane, constants, space, seen)


@borrowing
def evaluate_layers(
    parameters: Floats, network: Network, observation: Floats, space: Workspace, outputs: Floats
) -> None:
    """Write each layer's outputs for observations `[L, N, O]`, one layer after another, `[L, ...]`."""
    rows, layers = observation.shape[1], network.table.shape[1] - 1
    for lane in range(len(observation)):
        last = outputs.shape[1] - rows * network.table[INPUTS, layers]
        evaluate_lane(parameters[lane], network, observation[lane], space, outputs[lane, last:])
        at = 0
        for layer in range(1, layers):
            start = rows * network.table[INPUT_AT, layer]
            for place in range(rows * network.table[INPUTS, layer]):
                outputs[lane, at + place] = space.activations[start + place]
            at += rows * network.table[INPUTS, layer]
