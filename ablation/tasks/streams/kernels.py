"""A softmax classifier's gradient step and probabilities, compiled for the processor.

Arrays are float32 unless said otherwise; exponentials and their sums are float64, added up in the order
of the classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.agent.kernels import LaneState, StepOutput, descend, lane_state
from ablation.agent.network_kernels import (
    INPUT_AT,
    INPUTS,
    Network,
    Workspace,
    array_matrix,
    forward,
    load_inputs,
)
from ablation.agent.optimizer_kernels import StepConstants
from ablation.numerics.compiled import borrowing
from ablation.numerics.elementary import exp, log

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Doubles = NDArray[np.float64]


class LabeledBatch(NamedTuple):
    """What a gradient step learns from: inputs `[L, B, I]`, labels `[L, B]`, int64, weights `[L, B]`."""

    inputs: Floats
    label: Integers
    weight: Floats


@borrowing
def _log_sum(logits: Floats) -> tuple[float, float]:
    """Return the largest logit, and the logarithm of the sum of e^(logit - largest)."""
    largest = logits[0]
    for label in range(1, len(logits)):
        largest = logits[label] if logits[label] > largest else largest
    total = 0.0
    for label in range(len(logits)):
        total += exp(float(logits[label] - largest))
    return largest, log(total)


@borrowing
def softmax(logits: Floats, labels: Integers, probabilities: Floats, likelihoods: Doubles) -> None:
    """Write each class's probability for logits, both `[L, N, K]`.

    `likelihoods [L, N]` are the logarithms of the probabilities of `labels [L, N]`.
    """
    lanes, rows, classes = logits.shape
    for lane in range(lanes):
        for row in range(rows):
            largest, log_sum = _log_sum(logits[lane, row])
            right = logits[lane, row, labels[lane, row]]
            likelihoods[lane, row] = float(right - largest) - log_sum
            for label in range(classes):
                exponent = float(logits[lane, row, label] - largest) - log_sum
                probabilities[lane, row, label] = exp(exponent)


@borrowing
def _cross_entropy(
    logits: Floats, labels: Integers, weights: Floats, grads: Floats, output: StepOutput
) -> None:
    """Write losses, errors and the gradient by the logits `[B * K]`."""
    size = len(labels)
    classes = len(logits) // size
    for row in range(size):
        start, weight = row * classes, weights[row]
        largest, log_sum = _log_sum(logits[start : start + classes])
        for label in range(classes):
            given = exp(float(logits[start + label] - largest) - log_sum)
            grads[start + label] = weight * given / size
        right = start + labels[row]
        distance = float(logits[right] - largest) - log_sum
        probability = exp(distance)
        grads[right] = weight * (probability - 1.0) / size
        output.errors[row] = 1.0 - probability
        output.losses[row] = -weight * distance
        output.values[row] = probability


@borrowing
def _learn_lane(
    state: LaneState,
    network: Network,
    inputs: Floats,
    labels: Integers,
    weights: Floats,
    constants: StepConstants,
    space: Workspace,
    output: StepOutput,
) -> None:
    size, classes = len(labels), network.table[INPUTS, -1]
    start = size * network.table[INPUT_AT, -1]
    load_inputs(network, space.activations, inputs)
    outputs = array_matrix(space.activations, start, size, classes)
    forward(state.online, network, space, size, outputs)
    logits = space.activations[start : start + size * classes]
    _cross_entropy(logits, labels, weights, space.grads, output)
    descend(state, network, constants, space, size)


@borrowing
def learn(
    state: LaneState,
    network: Network,
    batch: LabeledBatch,
    constants: StepConstants,
    space: Workspace,
    output: StepOutput,
) -> None:
    """Take a gradient step on the mean weighted cross-entropy in every lane."""
    for lane in range(len(batch.label)):
        seen = StepOutput(output.errors[lane], output.losses[lane], output.values[lane])
        item = batch.inputs[lane], batch.label[lane], batch.weight[lane]
        _learn_lane(lane_state(state, lane), network, *item, constants, space, seen)
