"""The environments that are stepped as array operations over all lanes, by their ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ablation.envs.classic_control import Acrobot, CartPole, MountainCar
from ablation.envs.grid_world import GRID_WORLD, GridWorld
from ablation.envs.tensor_lanes import Dynamics

DYNAMICS: dict[str, Callable[[Any], Dynamics]] = {
    "CartPole-v0": CartPole,
    "CartPole-v1": CartPole,
    "MountainCar-v0": MountainCar,
    "Acrobot-v1": Acrobot,
    GRID_WORLD: GridWorld,
}
"""(array namespace) -> the dynamics."""
