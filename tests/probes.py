"""Environments whose values are known exactly, to test what is learned instead of what is scored.

Each has two actions and an observation that says all there is to know. After Lan Jones 2021,
"Debugging RL, without the agonizing pain", section "Probe environments".
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

STEPS = 4
Begin = tuple[np.ndarray, dict[str, Any]]
Outcome = tuple[np.ndarray, float, bool, bool, dict[str, Any]]


class Probe(gymnasium.Env[np.ndarray, int]):
    """A task whose first observation is 1 or, where the variant asks, a random sign."""

    observation_space = gymnasium.spaces.Box(-10, 10, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, variant: str) -> None:
        self._variant = variant
        self._sign = 1.0
        self._time = self._lived = 0

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._time = 0
        self._sign = float(self.np_random.choice([-1.0, 1.0]))
        return self._observe(), {}

    def step(self, action: int) -> Outcome:
        self._time += 1
        return getattr(self, f"_{self._variant}")(action)

    def _constant(self, _action: int) -> Outcome:
        return self._observe(), 1.0, True, False, {}

    def _sign_reward(self, _action: int) -> Outcome:
        return self._observe(), self._sign, True, False, {}

    def _delayed(self, _action: int) -> Outcome:
        last = self._time == STEPS
        return self._observe(), float(last), last, False, {}

    def _action_dependent(self, action: int) -> Outcome:
        good = (action == 1) == (self._sign > 0)
        return self._observe(), 1.0 if good else -1.0, True, False, {}

    def _truncated(self, _action: int) -> Outcome:
        # Goes on for ever in truth: the state never changes and every step pays 1.
        self._time = 0
        self._lived += 1
        return self._observe(), 1.0, False, self._lived % 5 == 0, {}

    def _observe(self) -> np.ndarray:
        return np.array([self._sign, self._time], np.float32)


VARIANTS = ("constant", "sign_reward", "delayed", "action_dependent", "truncated")


def probe_id(variant: str) -> str:
    """Register a variant, if it is not, and return its id."""
    name = f"Probe-{variant.replace('_', '-')}-v0"
    if name not in gymnasium.registry:
        gymnasium.register(name, lambda: Probe(variant), disable_env_checker=True)
    return name
