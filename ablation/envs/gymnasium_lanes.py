"""Any Gymnasium environment as lanes: one copy for each, stepped in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.envs.lanes import LaneStep, ResetSeed


class GymnasiumLanes:
    """A `LaneEnvironment` over copies that `make` returns."""

    def __init__(
        self,
        make: Callable[[], Any],
        lanes: int,
        reset_seed: ResetSeed,
        device: torch.device,
        repeat: bool = True,
    ) -> None:
        self._environments = [make() for _ in range(lanes)]
        self._reset_seed = reset_seed
        self._device = device
        self._repeat = repeat
        self._episode = [0] * lanes
        size = self._environments[0].observation_space.shape[0]
        self._observation = np.zeros((lanes, size), np.float32)
        self._final = np.zeros((lanes, size), np.float32)
        self.active = torch.ones(lanes, dtype=torch.bool, device=device)

    def reset(self) -> Tensor:
        """Begin episode 0 in every lane and return the observations `[L, O]`."""
        self._episode = [0] * len(self._environments)
        self.active.fill_(True)
        for lane in range(len(self._environments)):
            self._begin(lane)
        return self._tensor(self._observation)

    def step(self, actions: Tensor) -> LaneStep:
        """Take `actions [L]`, int64; see `LaneEnvironment`."""
        lanes = len(self._environments)
        reward = np.zeros(lanes, np.float32)
        terminated, truncated = np.zeros(lanes, bool), np.zeros(lanes, bool)
        chosen = actions.tolist()
        for lane, active in enumerate(self.active.tolist()):
            if not active:
                continue
            outcome = self._environments[lane].step(chosen[lane])
            self._observation[lane], reward[lane], terminated[lane], truncated[lane], _ = outcome
            self._final[lane] = self._observation[lane]
            if terminated[lane] or truncated[lane]:
                self._end(lane)
        return LaneStep(
            self._tensor(self._observation),
            self._tensor(reward),
            self._tensor(terminated),
            self._tensor(truncated),
            self._tensor(self._final),
        )

    def close(self) -> None:
        """Close every environment."""
        for environment in self._environments:
            environment.close()

    def _end(self, lane: int) -> None:
        if self._repeat:
            self._episode[lane] += 1
            self._begin(lane)
        else:
            self.active[lane] = False

    def _begin(self, lane: int) -> None:
        seed = self._reset_seed(lane, self._episode[lane])
        self._observation[lane], _ = self._environments[lane].reset(seed=seed)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.tensor(values, device=self._device)
