"""Gymnasium's classic control tasks as batched dynamics, step for step the same.

Constants and equations are those of Gymnasium 1.x, evaluated in double precision as there; the first
state of an episode is drawn from the same generator with the same seed.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


class CartPole:
    """Barto, Sutton & Anderson 1983; the task of `CartPole-v0` and `-v1`."""

    gravity = 9.8
    mass_pole = 0.1
    total_mass = 1.1
    half_length = 0.5
    force = 10.0
    seconds_per_step = 0.02
    largest_angle = 12 * 2 * math.pi / 360
    largest_position = 2.4

    def __init__(self, time_limit: int) -> None:
        self.time_limit = time_limit

    def begin(self, seed: int) -> np.ndarray:
        """Return position, velocity, angle and angular velocity, each uniform in +-0.05."""
        from gymnasium.utils.seeding import np_random

        generator, _ = np_random(seed)
        return generator.uniform(low=-0.05, high=0.05, size=(4,))

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next states, a reward of 1 for each lane, and whether the pole fell."""
        position, velocity, angle, angular_velocity = state.unbind(dim=1)
        force = (2 * actions - 1) * self.force
        cosine, sine = angle.cos(), angle.sin()
        pole_moment = self.mass_pole * self.half_length
        push = (force + pole_moment * angular_velocity.square() * sine) / self.total_mass
        angular_acceleration = (self.gravity * sine - cosine * push) / (
            self.half_length * (4.0 / 3.0 - self.mass_pole * cosine.square() / self.total_mass)
        )
        acceleration = push - pole_moment * angular_acceleration * cosine / self.total_mass
        change = torch.stack((velocity, acceleration, angular_velocity, angular_acceleration), dim=1)
        after = state + self.seconds_per_step * change
        fell = (after[:, 0].abs() > self.largest_position) | (after[:, 2].abs() > self.largest_angle)
        return after, torch.ones_like(position, dtype=torch.float32), fell

    def observe(self, state: Tensor) -> Tensor:
        """Return the state in single precision."""
        return state.float()


DYNAMICS = {"CartPole-v0": CartPole, "CartPole-v1": CartPole}
"""The environment ids that have batched dynamics here."""
