"""Environments whose dynamics are array operations: all lanes in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.envs.lanes import LaneStep, ResetSeed

EPISODES_AHEAD = 16
"""First states that are drawn together; none of them depends on it."""

Array = Any
"""NumPy's on the processor, PyTorch's elsewhere."""


class Dynamics(Protocol):
    """An environment without its episodes: states `[L, S]` in double precision."""

    def begin(self, seed: int) -> NDArray[np.float64]:
        """Return the first state `[S]` of the episode that Gymnasium resets with this seed."""

    def step(self, state: Array, actions: Array) -> tuple[Array, Array, Array]:
        """Return the next states, the rewards `[L]` and whether each terminated."""

    def observe(self, state: Array) -> Array:
        """Return the observations `[L, O]`."""


class TensorLanes:
    """A `LaneEnvironment` over batched dynamics; an episode is truncated after `time_limit` steps."""

    def __init__(
        self,
        dynamics: Dynamics,
        time_limit: int,
        lanes: int,
        reset_seed: ResetSeed,
        device: torch.device,
        repeat: bool = True,
    ) -> None:
        self._dynamics = dynamics
        self._time_limit = time_limit
        self._reset_seed = reset_seed
        self._device, self._on_cpu = device, device.type == "cpu"
        self._repeat = repeat
        self._episode = [0] * lanes
        self._ahead: list[tuple[int, Array]] = [(0, ())] * lanes
        self._steps = self._array(torch.zeros(lanes, dtype=torch.int64, device=device))
        self._state: Array = None
        self.active = torch.ones(lanes, dtype=torch.bool, device=device)
        self._active = self._array(self.active)

    def reset(self) -> Tensor:
        """Begin episode 0 in every lane and return the observations `[L, O]`."""
        lanes = len(self._episode)
        self._episode = [0] * lanes
        self._ahead = [(0, ())] * lanes
        first = [torch.as_tensor(self._first_state(lane)) for lane in range(lanes)]
        self._state = self._array(torch.stack(first))
        self._steps[:] = 0
        self.active.fill_(True)
        return self._observe()

    def step(self, actions: Tensor) -> LaneStep:
        """Take `actions [L]`, int64; see `LaneEnvironment`."""
        moves = actions.numpy() if self._on_cpu else actions.double()
        state, reward, terminated = self._dynamics.step(self._state, moves)
        self._steps += 1
        truncated = self._steps >= self._time_limit
        active = self._active
        if not active.all():
            state[~active] = self._state[~active]
            reward, terminated, truncated = reward * active, terminated & active, truncated & active
        ended = terminated | truncated
        if not self._repeat:
            self.active &= self._tensor(~ended)
        self._state = state
        final = self._observe()
        observation = final
        if self._repeat and ended.any():
            self._begin_next([lane for lane, end in enumerate(ended.tolist()) if end])
            observation = self._observe()
        ends = self._tensor(terminated), self._tensor(truncated)
        return LaneStep(observation, self._single(reward), *ends, final)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def state(self) -> dict[str, Any]:
        """Return the dynamics' states and each lane's place in its episode."""
        return {
            "state": torch.as_tensor(self._state),
            "steps": torch.as_tensor(self._steps),
            "episode": list(self._episode),
            "active": self.active,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._state = self._array(state["state"].clone())
        self._steps[:] = self._array(state["steps"])
        self._episode = list(state["episode"])
        self.active.copy_(state["active"])

    def _begin_next(self, lanes: Sequence[int]) -> None:
        for lane in lanes:
            self._episode[lane] += 1
            self._state[lane] = self._first_state(lane)
            self._steps[lane] = 0

    def _first_state(self, lane: int) -> Array:
        episode, (first, states) = self._episode[lane], self._ahead[lane]
        if not first <= episode < first + len(states):
            # One generator after another is quicker than each at its turn, with cold caches.
            episodes = range(episode, episode + (EPISODES_AHEAD if self._repeat else 1))
            seeds = [self._reset_seed(lane, number) for number in episodes]
            drawn = np.stack([self._dynamics.begin(seed) for seed in seeds])
            first, states = episode, self._array(torch.from_numpy(drawn).to(self._device))
            self._ahead[lane] = first, states
        return states[episode - first]

    def _observe(self) -> Tensor:
        return self._single(self._dynamics.observe(self._state))

    def _array(self, tensor: Tensor) -> Array:
        return tensor.numpy() if self._on_cpu else tensor

    def _tensor(self, array: Array) -> Tensor:
        return torch.from_numpy(array) if self._on_cpu else array

    def _single(self, array: Array) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)) if self._on_cpu else array.float()
