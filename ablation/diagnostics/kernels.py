"""The sums of `measures`, compiled: one lane after another, every addition in the order that is written.

Arrays hold float32 or float64, `L` first; sums are float64. Results are written to `result [L]`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.numerics.compiled import compiled

Numbers = NDArray[Any]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


@compiled
def _sum(values: Numbers) -> float:
    total = 0.0
    for index in range(len(values)):
        total += np.float64(values[index])
    return total


@compiled
def _dot(first: Numbers, second: Numbers) -> float:
    total = 0.0
    for index in range(len(first)):
        total += np.float64(first[index]) * np.float64(second[index])
    return total


@compiled
def means(values: Numbers, result: Doubles) -> None:
    """Write the mean of each row of `values [L, N]`."""
    for lane in range(len(values)):
        result[lane] = _sum(values[lane]) / values.shape[1]


@compiled
def quantiles(ordered: Numbers, levels: Doubles, result: Doubles) -> None:
    """Write quantiles `[levels, L]` of rows in rising order, interpolated; NaN where a row has one."""
    last = ordered.shape[1] - 1
    for lane in range(len(ordered)):
        for number in range(len(levels)):
            place = levels[number] * last
            below = int(place)
            value = np.float64(ordered[lane, below])
            if below < last:
                value += (place - below) * (np.float64(ordered[lane, below + 1]) - value)
            # What is not a number is sorted to the end.
            result[number, lane] = value if ordered[lane, last] == ordered[lane, last] else math.nan


@compiled
def adjacent_share(ordered: Integers, result: Doubles) -> None:
    """Write the share of each row's numbers, in rising order, whose successor is in the row."""
    size = ordered.shape[1]
    for lane in range(len(ordered)):
        row, larger, count = ordered[lane], 0, 0
        for index in range(size):
            while larger < size and row[larger] <= row[index]:
                larger += 1
            if larger < size and row[larger] == row[index] + 1:
                count += 1
        result[lane] = count / size


@compiled
def autocorrelation(observation: Numbers, order: Integers, result: Doubles) -> None:
    """Write the lag-1 autocorrelation of `observation [L, B, O]` in an order `[L, B]`."""
    lanes, size, components = observation.shape
    values = np.empty(size)
    for lane in range(lanes):
        total, varying = 0.0, 0
        for component in range(components):
            for index in range(size):
                values[index] = observation[lane, order[lane, index], component]
            mean = _sum(values) / size
            for index in range(size):
                values[index] -= mean
            squares = _dot(values, values)
            if squares > 0:
                total += _dot(values[1:], values[:-1]) / squares
                varying += 1
        result[lane] = total / varying if varying else math.nan


@compiled
def distance(batch: Numbers, reference: Numbers, result: Doubles) -> None:
    """Write Wasserstein's distance of marginals; both `[L, O, N]`, each row in rising order."""
    lanes, components, size = batch.shape
    others = reference.shape[2]
    levels = max(size, others)
    for lane in range(lanes):
        total, varying = 0.0, 0
        for component in range(components):
            first, second = batch[lane, component], reference[lane, component]
            apart, mean = 0.0, 0.0
            for level in range(levels):
                # The quantile at the middle of one of equal steps.
                value = np.float64(second[(2 * level + 1) * others // (2 * levels)])
                apart += abs(np.float64(first[(2 * level + 1) * size // (2 * levels)]) - value)
                mean += value
            mean /= levels
            squares = 0.0
            for level in range(levels):
                value = np.float64(second[(2 * level + 1) * others // (2 * levels)]) - mean
                squares += value * value
            if squares > 0:
                total += apart / levels / math.sqrt(squares / levels)
                varying += 1
        result[lane] = total / max(varying, 1)


@compiled
def effective_share(weights: Numbers, result: Doubles) -> None:
    """Write the square of each row's sum over its sum of squares and its length."""
    for lane in range(len(weights)):
        total = _sum(weights[lane])
        result[lane] = total * total / _dot(weights[lane], weights[lane]) / weights.shape[1]


@compiled
def norms(values: Numbers, result: Doubles) -> None:
    """Write the Euclidean norm of each row of `values [L, P]`."""
    for lane in range(len(values)):
        result[lane] = math.sqrt(_dot(values[lane], values[lane]))


@compiled
def cosines(first: Numbers, second: Numbers, result: Doubles) -> None:
    """Write the cosine of the angle between the rows of two matrices `[L, P]`."""
    for lane in range(len(first)):
        lengths = math.sqrt(_dot(first[lane], first[lane])) * math.sqrt(_dot(second[lane], second[lane]))
        result[lane] = _dot(first[lane], second[lane]) / lengths


@compiled
def drifts(online: Numbers, target: Numbers, result: Doubles) -> None:
    """Write the distance of rows `[L, P]` over the norm of the second."""
    for lane in range(len(online)):
        squares = 0.0
        for index in range(online.shape[1]):
            difference = np.float64(online[lane, index]) - np.float64(target[lane, index])
            squares += difference * difference
        result[lane] = math.sqrt(squares) / math.sqrt(_dot(target[lane], target[lane]))


@compiled
def action_gaps(values: Numbers, result: Doubles) -> None:
    """Write the mean over `values [L, N, A]` of the largest less the second largest."""
    lanes, rows, actions = values.shape
    for lane in range(lanes):
        total = 0.0
        for row in range(rows):
            best, second = np.float64(values[lane, row, 0]), -math.inf
            for action in range(1, actions):
                value = np.float64(values[lane, row, action])
                if value > best:
                    best, second = value, best
                elif value > second:
                    second = value
            total += best - second
        result[lane] = total / rows


@compiled
def count_dormant(activations: Numbers, share: float, result: Doubles) -> None:
    """Add to `result` each lane's units of a layer `[L, N, H]` with at most a share of the mean."""
    lanes, rows, units = activations.shape
    means = np.empty(units)
    for lane in range(lanes):
        means[:] = 0.0
        for row in range(rows):
            for unit in range(units):
                means[unit] += abs(np.float64(activations[lane, row, unit]))
        for unit in range(units):
            means[unit] /= rows
        limit = share * (_sum(means) / units)
        for unit in range(units):
            if means[unit] <= limit:
                result[lane] += 1
