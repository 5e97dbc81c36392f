"""The environments whose lanes are stepped by compiled loops, by their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.config.registry import load_component
from ablation.config.tasks import BATCHED
from ablation.envs import codes, kernels
from ablation.envs.grid_world import maze

DYNAMICS: dict[str, Callable[..., Any]] = {
    env_id: load_component(path) for env_id, path in BATCHED.items()
}
"""Environment id -> its constants; keyword arguments change them."""


class Dynamics:
    """An environment without its episodes: `code`, `constants` and `moves` are those of `kernels`.

    States are `[L, S]`, float64.
    """

    def __init__(self, env_id: str, **changed: float) -> None:
        values: Any = DYNAMICS[env_id](**changed)
        self.code: int = values.code
        self.constants = np.array(astuple(values), np.float64)
        self.moves = maze().after if self.code == codes.GRID_WORLD else np.empty((0, 0), np.int64)
        self._state_size, self._observation_size = values.state_size, values.observation_size

    def begin(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """Return the first states `[N, S]` of the episodes that Gymnasium resets with these seeds."""
        state = np.empty((len(seeds), self._state_size))
        kernels.begin_lanes(self.code, np.array(seeds, np.int64), self.constants, state)
        return state

    def step(
        self, state: NDArray[np.float64], actions: NDArray[np.int64], active: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Change the states of active lanes by `actions [L]`; return rewards and ends, `[L]` each."""
        reward, terminated = np.empty(len(state), np.float32), np.empty(len(state), np.bool_)
        environment = self.code, self.constants, self.moves
        kernels.step_lanes(*environment, state, actions, active, reward, terminated)
        return reward, terminated

    def observe(self, state: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the observations `[L, O]`."""
        observation = np.empty((len(state), self._observation_size), np.float32)
        kernels.observe_lanes(self.code, state, observation)
        return observation
