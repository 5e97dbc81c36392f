"""The environments that are stepped as array operations over all lanes, by their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ablation.config.registry import load_component
from ablation.config.tasks import BATCHED
from ablation.envs.classic_control import Doubles, StepResult


class Dynamics(Protocol):
    """An environment without its episodes: states `[L, S]` in double precision."""

    def begin(self, seeds: Sequence[int]) -> Doubles:
        """Return the first states `[N, S]` of the episodes that Gymnasium resets with these seeds."""

    def step(self, state: Doubles, actions: NDArray[np.int64]) -> StepResult:
        """Return the states after `actions [L]`, the rewards `[L]` and whether each lane terminated."""

    def observe(self, state: Doubles) -> NDArray[np.floating]:
        """Return the observations `[L, O]`."""


DYNAMICS: dict[str, Callable[..., Dynamics]] = {
    env_id: load_component(path) for env_id, path in BATCHED.items()
}
"""Environment id -> its dynamics; keyword arguments change constants."""
