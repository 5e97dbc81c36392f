"""Compiled dynamics; `classic_control` documents the constants.

Products and sums are rounded one by one, as in Gymnasium: over the hundreds of steps that a pole is
balanced, a difference in the last bit would grow until the episodes differ.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ablation.numerics.compiled import exactly_compiled

Doubles = NDArray[np.float64]


@exactly_compiled
def cart_pole(
    state: Doubles,
    actions: NDArray[np.int64],
    constants: tuple[float, ...],
    after: Doubles,
    fell: NDArray[np.bool_],
) -> None:
    """Write the next states `[L, 4]` and whether each pole fell; `constants` are CartPole's fields."""
    gravity, mass_cart, mass_pole, half_length, strength, seconds, largest_angle, largest = constants
    total_mass = mass_pole + mass_cart
    pole_moment = mass_pole * half_length
    for lane in range(len(state)):
        position, velocity = state[lane, 0], state[lane, 1]
        angle, angular_velocity = state[lane, 2], state[lane, 3]
        force = (2 * actions[lane] - 1) * strength
        cosine, sine = math.cos(angle), math.sin(angle)
        push = (force + pole_moment * (angular_velocity * angular_velocity) * sine) / total_mass
        angular_acceleration = (gravity * sine - cosine * push) / (
            half_length * (4.0 / 3.0 - mass_pole * (cosine * cosine) / total_mass)
        )
        acceleration = push - pole_moment * angular_acceleration * cosine / total_mass
        after[lane, 0] = position + seconds * velocity
        after[lane, 1] = velocity + seconds * acceleration
        after[lane, 2] = angle + seconds * angular_velocity
        after[lane, 3] = angular_velocity + seconds * angular_acceleration
        fell[lane] = abs(after[lane, 0]) > largest or abs(after[lane, 2]) > largest_angle
