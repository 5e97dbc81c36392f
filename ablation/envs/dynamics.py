"""The environments that are stepped as array operations over all lanes, by their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ablation.envs.classic_control import Acrobot, CartPole, MountainCar
from ablation.envs.grid_world import GRID_WORLD, GridWorld

Array = Any
"""NumPy's on the processor, PyTorch's elsewhere."""


class Dynamics(Protocol):
    """An environment without its episodes: states `[L, S]` in double precision."""

    def begin(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """Return the first states `[N, S]` of the episodes that Gymnasium resets with these seeds."""

    def step(self, state: Array, actions: Array) -> tuple[Array, Array, Array]:
        """Return the next states, the rewards `[L]` and whether each terminated."""

    def observe(self, state: Array) -> Array:
        """Return the observations `[L, O]`."""


DYNAMICS: dict[str, Callable[[Any], Dynamics]] = {
    "CartPole-v0": CartPole,
    "CartPole-v1": CartPole,
    "MountainCar-v0": MountainCar,
    "Acrobot-v1": Acrobot,
    GRID_WORLD: GridWorld,
}
"""(array namespace) -> the dynamics."""
