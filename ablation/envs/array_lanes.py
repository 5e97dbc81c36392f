"""Environments whose dynamics are compiled: all lanes in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.envs.dynamics import Dynamics
from ablation.envs.lanes import EnvFailure, LaneStep, ResetSeed

SEEDS = 64
"""Reset seeds of coming episodes that each lane has ready for compiled loops."""


class LaneArrays(NamedTuple):
    """All lanes as compiled loops read and change them; `[L, S]`, `[L]` and `[L, SEEDS]`.

    `code`, `constants` and `moves` are those of `kernels`; `seeds` begin with episode `first_seed`'s.
    """

    code: int
    constants: NDArray[np.float64]
    moves: NDArray[np.int64]
    time_limit: int
    state: NDArray[np.float64]
    steps: NDArray[np.int64]
    episode: NDArray[np.int64]
    active: NDArray[np.bool_]
    seeds: NDArray[np.int64]
    first_seed: NDArray[np.int64]


class ArrayLanes:
    """A `LaneEnvironment` over compiled dynamics; an episode is truncated after `time_limit` steps."""

    def __init__(
        self,
        dynamics: Dynamics,
        time_limit: int,
        lanes: int,
        reset_seed: ResetSeed,
        repeat: bool = True,
    ) -> None:
        self._dynamics = dynamics
        self._time_limit = time_limit
        self._reset_seed = reset_seed
        self._repeat = repeat
        self._episode = np.zeros(lanes, np.int64)
        self._seeds, self._first_seed = np.zeros((lanes, SEEDS), np.int64), np.full(lanes, -SEEDS)
        self._steps = np.zeros(lanes, np.int64)
        self._state = np.empty((lanes, 0))
        self.active = torch.ones(lanes, dtype=torch.bool)
        self._active = self.active.numpy()

    def reset(self) -> Tensor:
        """Begin episode 0 in every lane and return the observations `[L, O]`."""
        lanes = len(self._episode)
        self._episode[:] = 0
        self._state = self._dynamics.begin([self._reset_seed(lane, 0) for lane in range(lanes)])
        self._steps[:] = 0
        self.active.fill_(True)
        return self._observe()

    def step(self, actions: Tensor) -> LaneStep:
        """Take `actions [L]`, int64; see `LaneEnvironment`."""
        active = self._active
        reward, terminated = self._dynamics.step(self._state, actions.numpy(), active)
        self._steps += 1
        truncated = (self._steps >= self._time_limit) & active
        ended = terminated | truncated
        if not self._repeat:
            active &= ~ended
        final = self._observe()
        observation = final
        if self._repeat and ended.any():
            self._begin_next([lane for lane, end in enumerate(ended.tolist()) if end])
            observation = self._observe()
        ends = torch.from_numpy(terminated), torch.from_numpy(truncated)
        return LaneStep(observation, torch.from_numpy(reward), *ends, final)

    def take_failures(self) -> dict[int, EnvFailure]:
        """Return nothing: they raise nothing."""
        return {}

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def arrays(self) -> LaneArrays:
        """Return the lanes for compiled loops, with reset seeds for `SEEDS / 2` episodes or more."""
        for lane in np.flatnonzero(self._episode - self._first_seed >= SEEDS // 2).tolist():
            first = int(self._episode[lane])
            self._first_seed[lane] = first
            self._seeds[lane] = [self._reset_seed(lane, first + number) for number in range(SEEDS)]
        return LaneArrays(
            self._dynamics.code,
            self._dynamics.constants,
            self._dynamics.moves,
            self._time_limit,
            self._state,
            self._steps,
            self._episode,
            self._active,
            self._seeds,
            self._first_seed,
        )

    def state(self) -> dict[str, Any]:
        """Return the dynamics' states and each lane's place in its episode."""
        return {
            "state": torch.from_numpy(self._state),
            "steps": torch.from_numpy(self._steps),
            "episode": self._episode.tolist(),
            "active": self.active,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self._state = state["state"].clone().numpy()
        self._steps[:] = state["steps"].numpy()
        self._episode[:] = state["episode"]
        self.active.copy_(state["active"])

    def _begin_next(self, lanes: Sequence[int]) -> None:
        for lane in lanes:
            self._episode[lane] += 1
        seeds = [self._reset_seed(lane, int(self._episode[lane])) for lane in lanes]
        self._state[lanes] = self._dynamics.begin(seeds)
        self._steps[lanes] = 0

    def _observe(self) -> Tensor:
        return torch.from_numpy(self._dynamics.observe(self._state))
