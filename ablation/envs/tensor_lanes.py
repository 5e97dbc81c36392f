"""Environments whose dynamics are tensor operations: all lanes in one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ablation.envs.lanes import LaneStep, ResetSeed


class Dynamics(Protocol):
    """An environment without its episodes: states `[L, S]` in double precision."""

    time_limit: int
    """Steps after which an episode is truncated."""

    def begin(self, seed: int) -> np.ndarray:
        """Return the first state `[S]` of the episode that Gymnasium resets with this seed."""

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next states, the rewards `[L]` (float32) and whether each terminated `[L]`."""

    def observe(self, state: Tensor) -> Tensor:
        """Return the observations `[L, O]`, float32."""


class TensorLanes:
    """A `LaneEnvironment` over batched dynamics."""

    def __init__(
        self,
        dynamics: Dynamics,
        lanes: int,
        reset_seed: ResetSeed,
        device: torch.device,
        repeat: bool = True,
    ) -> None:
        self._dynamics = dynamics
        self._reset_seed = reset_seed
        self._device = device
        self._repeat = repeat
        self._episode = [0] * lanes
        self._steps = torch.zeros(lanes, dtype=torch.int64, device=device)
        self._state = torch.empty(0)
        self.active = torch.ones(lanes, dtype=torch.bool, device=device)

    def reset(self) -> Tensor:
        """Begin episode 0 in every lane and return the observations `[L, O]`."""
        lanes = range(len(self._episode))
        self._episode = [0] * len(lanes)
        self._state = self._first_states(lanes)
        self._steps.zero_()
        self.active.fill_(True)
        return self._dynamics.observe(self._state)

    def step(self, actions: Tensor) -> LaneStep:
        """Take `actions [L]`, int64; see `LaneEnvironment`."""
        state, reward, terminated = self._dynamics.step(self._state, actions)
        self._steps += 1
        truncated = self._steps >= self._dynamics.time_limit
        if not self._all_active():
            state = torch.where(self.active.unsqueeze(1), state, self._state)
            reward, terminated, truncated = (
                values * self.active for values in (reward, terminated, truncated)
            )
        if not self._repeat:
            self.active = self.active & ~(terminated | truncated)
        self._state = state
        final = self._dynamics.observe(state)
        observation = self._begin_next(terminated | truncated) if self._repeat else None
        return LaneStep(
            final if observation is None else observation, reward, terminated, truncated, final
        )

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def state(self) -> dict[str, Any]:
        """Return the dynamics' states and each lane's place in its episode."""
        return {
            "state": self._state,
            "steps": self._steps,
            "episode": list(self._episode),
            "active": self.active,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._state = state["state"]
        self._steps.copy_(state["steps"])
        self._episode = list(state["episode"])
        self.active.copy_(state["active"])

    def _all_active(self) -> bool:
        return self._repeat and bool(self.active.all())

    def _begin_next(self, ended: Tensor) -> Tensor | None:
        """Begin the next episode where one ended; return the observations, None if none did."""
        lanes = ended.nonzero().flatten()
        if not len(lanes):
            return None
        for lane in lanes.tolist():
            self._episode[lane] += 1
        self._state[lanes] = self._first_states(lanes.tolist())
        self._steps[lanes] = 0
        return self._dynamics.observe(self._state)

    def _first_states(self, lanes: range | list[int]) -> Tensor:
        seeds = [self._reset_seed(lane, self._episode[lane]) for lane in lanes]
        states = np.stack([self._dynamics.begin(seed) for seed in seeds])
        return torch.from_numpy(states).to(self._device)
