"""How a lane's parameters follow its gradient, compiled for the processor; see `optimisers`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.numerics.compiled import borrowing
from ablation.numerics.scalars import fma

Floats = NDArray[np.float32]

TINY = np.float32(1e-35)
"""Moments smaller than this become zero."""


class StepConstants(NamedTuple):
    """The constants of a gradient step; the optimizer's with the bias corrections of this very step.

    A share is one minus a decay: in single precision the difference would have few digits left.
    `l2_penalty` times a parameter is added to its gradient; AdamW multiplies parameters by `shrinkage`.
    """

    double_q: bool
    loss: int
    huber_threshold: np.floating
    optimizer: int
    largest_norm: np.floating
    step_size: np.floating
    second_correction: np.floating
    shrinkage: np.floating
    first_decay: np.floating
    first_share: np.floating
    second_decay: np.floating
    second_share: np.floating
    epsilon: np.floating
    epsilon_in_root: np.floating
    l2_penalty: np.floating


@borrowing
def _moments(
    index: int, grad: np.floating, first_moment: Floats, second_moment: Floats, constants: StepConstants
) -> tuple[np.floating, np.floating]:
    """Update both moments of a parameter and return them.

    Those of parameters whose gradient stays zero would end among the subnormal numbers, which take
    processors a hundred times longer: they become zero far below anything that could be seen.
    """
    first = fma(constants.first_decay, first_moment[index], constants.first_share * grad)
    second = fma(constants.second_decay, second_moment[index], constants.second_share * grad * grad)
    first = np.float32(0) if abs(first) < TINY else first
    second = np.float32(0) if second < TINY else second
    first_moment[index] = first
    second_moment[index] = second
    return first, second


@borrowing
def adam(
    parameters: Floats,
    gradient: Floats,
    first_moment: Floats,
    second_moment: Floats,
    constants: StepConstants,
) -> None:
    """Change the parameters as Adam does (Kingma & Ba 2015, algorithm 1), or AdamW."""
    for index in range(len(parameters)):
        grad = fma(constants.l2_penalty, parameters[index], gradient[index])
        first, second = _moments(index, grad, first_moment, second_moment, constants)
        root = fma(np.sqrt(second), constants.second_correction, constants.epsilon)
        kept = constants.shrinkage * parameters[index]
        parameters[index] = kept - constants.step_size * first / root


@borrowing
def centered_rmsprop(
    parameters: Floats,
    gradient: Floats,
    first_moment: Floats,
    second_moment: Floats,
    constants: StepConstants,
) -> None:
    """Divide the gradient by its running standard deviation (Graves 2013, equations 38 to 45)."""
    for index in range(len(parameters)):
        grad = fma(constants.l2_penalty, parameters[index], gradient[index])
        first, second = _moments(index, grad, first_moment, second_moment, constants)
        # Rounding can take the variance below zero; what is not a number stays so.
        variance = fma(-first, first, second)
        variance = np.float32(0) if variance < 0 else variance
        deviation = np.sqrt(variance + constants.epsilon_in_root)
        parameters[index] -= constants.step_size * grad / (deviation + constants.epsilon)


@borrowing
def momentum_descent(
    parameters: Floats, gradient: Floats, moment: Floats, constants: StepConstants
) -> None:
    """Follow the decaying sum of gradients, the gradient itself for a decay of 0."""
    for index in range(len(parameters)):
        grad = fma(constants.l2_penalty, parameters[index], gradient[index])
        first = fma(constants.first_decay, moment[index], grad)
        first = np.float32(0) if abs(first) < TINY else first
        moment[index] = first
        parameters[index] -= constants.step_size * first


@borrowing
def norm(row: Floats, sums: Floats) -> np.floating:
    """Return the Euclidean norm of numbers that are a multiple of 64; `sums [64]` is scratch."""
    sums[:] = 0
    for first in range(0, len(row), len(sums)):
        for place in range(len(sums)):
            sums[place] = fma(row[first + place], row[first + place], sums[place])
    total = sums[0]
    for place in range(1, len(sums)):
        total += sums[place]
    root: np.floating = np.sqrt(total)
    return root


@borrowing
def clip(gradient: Floats, largest_norm: np.floating, sums: Floats) -> None:
    """Shrink the gradient to a Euclidean norm of at most `largest_norm`."""
    scale = largest_norm / (norm(gradient, sums) + np.float32(1e-6))
    if scale < 1:
        for index in range(len(gradient)):
            gradient[index] *= scale
