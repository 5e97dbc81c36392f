"""The environments that are stepped as array operations over all lanes, by their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ablation.envs.classic_control import Acrobot, CartPole, Doubles, MountainCar, StepResult
from ablation.envs.grid_world import GRID_WORLD, GridWorld


class Dynamics(Protocol):
    """An environment without its episodes: states `[L, S]` in double precision."""

    def begin(self, seeds: Sequence[int]) -> Doubles:
        """Return the first states `[N, S]` of the episodes that Gymnasium resets with these seeds."""

    def step(self, state: Doubles, actions: NDArray[np.int64]) -> StepResult:
        """Return the states after `actions [L]`, the rewards `[L]` and whether each lane terminated."""

    def observe(self, state: Doubles) -> NDArray[np.floating]:
        """Return the observations `[L, O]`."""


DYNAMICS: dict[str, Callable[..., Dynamics]] = {
    "CartPole-v0": CartPole,
    "CartPole-v1": CartPole,
    "MountainCar-v0": MountainCar,
    "Acrobot-v1": Acrobot,
    GRID_WORLD: GridWorld,
}
"""Environment id -> its dynamics; keyword arguments change constants."""
