"""Gymnasium's classic control tasks as batched dynamics, step for step the same up to rounding.

Constants are those of Gymnasium 1.x, equations are in `kernels`. The first state of an episode is drawn
by the same generator from the same seed, to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ablation.envs import codes


@dataclass(frozen=True)
class CartPole:
    """Barto, Sutton & Anderson 1983; `CartPole-v0` and `-v1`: position, angle and their velocities.

    Each begins within +-`start_range`.
    """

    code: ClassVar[int] = codes.CART_POLE
    state_size: ClassVar[int] = 4
    observation_size: ClassVar[int] = 4

    gravity: float = 9.8
    mass_cart: float = 1.0
    mass_pole: float = 0.1
    half_length: float = 0.5
    force: float = 10.0
    seconds_per_step: float = 0.02
    largest_angle: float = 12 * 2 * math.pi / 360
    largest_position: float = 2.4
    start_range: float = 0.05


@dataclass(frozen=True)
class MountainCar:
    """Moore 1990; `MountainCar-v0`: position and velocity.

    It begins in the valley, within [-0.6, -0.4], at rest.
    """

    code: ClassVar[int] = codes.MOUNTAIN_CAR
    state_size: ClassVar[int] = 2
    observation_size: ClassVar[int] = 2

    lowest_position: float = -1.2
    highest_position: float = 0.6
    largest_speed: float = 0.07
    goal: float = 0.5
    force: float = 0.001
    gravity: float = 0.0025


@dataclass(frozen=True)
class Acrobot:
    """Sutton 1996, with his book's equations; `Acrobot-v1`: two angles and their velocities.

    Both links have length 1, mass 1, moment of inertia 1 and their center at one half. Cosine and sine
    of the angles are observed, and the velocities. All begin within +-0.1.
    """

    code: ClassVar[int] = codes.ACROBOT
    state_size: ClassVar[int] = 4
    observation_size: ClassVar[int] = 6

    gravity: float = 9.8
    center: float = 0.5
    seconds_per_step: float = 0.2
    largest_first_velocity: float = 4 * math.pi
    largest_second_velocity: float = 9 * math.pi
