"""Gymnasium's classic control tasks as batched dynamics, step for step the same.

Constants and equations are those of Gymnasium 1.x, in double precision and its order of operations; the
first state of an episode is drawn by the same generator from the same seed. States are `[L, S]`, actions
`[L]`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablation.envs.kernels import cart_pole

Doubles = NDArray[np.float64]
StepResult = tuple[Doubles, Doubles, NDArray[np.bool_]]
"""Next states `[L, S]`, rewards `[L]`, whether each lane terminated `[L]`."""


def uniform(seeds: Sequence[int], low: float, high: float, size: int) -> Doubles:
    """Return the first draws of environments that Gymnasium resets with these seeds, `[N, size]`."""
    return np.stack([np.random.default_rng(seed).uniform(low, high, size) for seed in seeds])


@dataclass(frozen=True)
class CartPole:
    """Barto, Sutton & Anderson 1983; `CartPole-v0` and `-v1`: position, angle and their velocities."""

    gravity: float = 9.8
    mass_cart: float = 1.0
    mass_pole: float = 0.1
    half_length: float = 0.5
    force: float = 10.0
    seconds_per_step: float = 0.02
    largest_angle: float = 12 * 2 * math.pi / 360
    largest_position: float = 2.4
    start_range: float = 0.05

    def begin(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """Return positions, velocities, angles and angular velocities, within +-`start_range`."""
        return uniform(seeds, -self.start_range, self.start_range, 4)

    def step(self, state: Doubles, actions: NDArray[np.int64]) -> StepResult:
        """Return the next states, a reward of 1 for each lane, and whether the pole fell."""
        after, fell = np.empty_like(state), np.empty(len(state), np.bool_)
        constants = (
            self.gravity,
            self.mass_cart,
            self.mass_pole,
            self.half_length,
            self.force,
            self.seconds_per_step,
            self.largest_angle,
            self.largest_position,
        )
        cart_pole(state, actions, constants, after, fell)
        return after, np.ones(len(state)), fell

    def observe(self, state: Doubles) -> Doubles:
        """Return the state."""
        return state


@dataclass(frozen=True)
class MountainCar:
    """Moore 1990; `MountainCar-v0`: position and velocity."""

    lowest_position: float = -1.2
    highest_position: float = 0.6
    largest_speed: float = 0.07
    goal: float = 0.5
    force: float = 0.001
    gravity: float = 0.0025

    def begin(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """Return positions in the valley, within [-0.6, -0.4], at rest."""
        return np.pad(uniform(seeds, -0.6, -0.4, 1), ((0, 0), (0, 1)))

    def step(self, state: Doubles, actions: NDArray[np.int64]) -> StepResult:
        """Return the next states, a reward of -1 for each lane, and whether the car is at the goal."""
        position, velocity = state.T
        velocity = velocity + ((actions - 1) * self.force + np.cos(3 * position) * -self.gravity)
        velocity = np.clip(velocity, -self.largest_speed, self.largest_speed)
        position = np.clip(position + velocity, self.lowest_position, self.highest_position)
        stopped = (position == self.lowest_position) & (velocity < 0)
        velocity = np.where(stopped, 0.0, velocity)
        arrived = (position >= self.goal) & (velocity >= 0)
        return np.stack((position, velocity), 1), -np.ones_like(position), arrived

    def observe(self, state: Doubles) -> Doubles:
        """Return the state."""
        return state


@dataclass(frozen=True)
class Acrobot:
    """Sutton 1996, with his book's equations; `Acrobot-v1`: two angles and their velocities.

    Both links have length 1, mass 1, moment of inertia 1 and their center at one half.
    """

    gravity: float = 9.8
    center: float = 0.5
    seconds_per_step: float = 0.2
    largest_velocities: tuple[float, float] = (4 * math.pi, 9 * math.pi)

    def begin(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """Return angles and velocities within +-0.1, rounded to single precision as Gymnasium does."""
        return uniform(seeds, -0.1, 0.1, 4).astype(np.float32).astype(np.float64)

    def step(self, state: Doubles, actions: NDArray[np.int64]) -> StepResult:
        """Return the next states, a reward of -1 or at the end 0, and whether the tip is high enough."""
        moved = self._runge_kutta(tuple(state.T), actions - 1)
        first, second = (self._wrap(angle) for angle in moved[:2])
        velocities = [
            np.clip(velocity, -largest, largest)
            for velocity, largest in zip(moved[2:], self.largest_velocities, strict=True)
        ]
        high = -np.cos(first) - np.cos(second + first) > 1.0
        reward = np.where(high, 0.0, -np.ones_like(first))
        return np.stack((first, second, *velocities), 1), reward, high

    def observe(self, state: Doubles) -> Doubles:
        """Return cosine and sine of both angles, and both velocities."""
        first, second, *velocities = state.T
        angles = (np.cos(first), np.sin(first), np.cos(second), np.sin(second))
        return np.stack((*angles, *velocities), 1)

    def _wrap(self, angle: Doubles) -> Doubles:
        """Return the angle within +-pi; at the largest velocities a step is less than two circles."""
        circle = 2 * math.pi
        for _ in range(2):
            angle = np.where(angle > math.pi, angle - circle, angle)
            angle = np.where(angle < -math.pi, angle + circle, angle)
        return angle

    def _runge_kutta(self, state: tuple[Doubles, ...], torque: NDArray[np.int64]) -> list[Doubles]:
        """Return the state after a step, by the classical method of fourth order."""
        seconds = self.seconds_per_step
        k1 = self._derivative(state, torque)
        k2 = self._derivative(_moved(state, seconds / 2.0, k1), torque)
        k3 = self._derivative(_moved(state, seconds / 2.0, k2), torque)
        k4 = self._derivative(_moved(state, seconds, k3), torque)
        return [
            value + seconds / 6.0 * (a + 2 * b + 2 * c + d)
            for value, a, b, c, d in zip(state, k1, k2, k3, k4, strict=True)
        ]

    def _square(self, values: Doubles) -> Doubles:
        """Return squares as Gymnasium rounds them: by pow(), not always as a product is.

        The task is chaotic enough to make a difference in the last bit visible.
        """
        return np.float_power(values, 2)

    def _derivative(self, state: tuple[Doubles, ...], torque: NDArray[np.int64]) -> tuple[Doubles, ...]:
        g, c = self.gravity, self.center
        first, second, first_velocity, second_velocity = state
        cosine, sine = np.cos(second), np.sin(second)
        d1 = c**2 + (1.0 + c**2 + 2 * c * cosine) + 1.0 + 1.0
        d2 = (c**2 + c * cosine) + 1.0
        phi2 = c * g * np.cos(first + second - math.pi / 2.0)
        phi1 = (
            -c * self._square(second_velocity) * sine
            - 2 * c * second_velocity * first_velocity * sine
            + (c + 1.0) * g * np.cos(first - math.pi / 2)
            + phi2
        )
        pull = torque + d2 / d1 * phi1 - c * self._square(first_velocity) * sine - phi2
        second_acceleration = pull / (c**2 + 1.0 - self._square(d2) / d1)
        first_acceleration = -(d2 * second_acceleration + phi1) / d1
        return first_velocity, second_velocity, first_acceleration, second_acceleration


def _moved(
    state: tuple[Doubles, ...], seconds: float, derivative: tuple[Doubles, ...]
) -> tuple[Doubles, ...]:
    return tuple(value + seconds * change for value, change in zip(state, derivative, strict=True))
