"""The lane-environment interface, and Gymnasium environments behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ablation.streams import Stream, words

ResetSeed = Callable[[int, int], int]
"""(lane, episode) -> the seed that this episode is reset with."""


def episode_seeds(run_seeds: Sequence[int], stream: Stream) -> ResetSeed:
    """Return reset seeds that are a function of (run seed, episode) alone."""

    def seed(lane: int, episode: int) -> int:
        return int(words(run_seeds[lane], stream, episode, 1, 1)[0, 0])

    return seed


@dataclass(frozen=True)
class LaneStep:
    """What a step returns, every tensor with `L` first.

    `observation` is what to act on next: where an episode ended it is already the next episode's
    first. `final_observation` is what the step led to, the one that a transition must store.
    """

    observation: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    final_observation: Tensor


class LaneEnvironment(Protocol):
    """Independent copies of an environment, stepped together."""

    def reset(self) -> Tensor:
        """Begin episode 0 in every lane and return the observations `[L, O]`."""

    def step(self, actions: Tensor) -> LaneStep:
        """Take `actions [L]`; a lane whose episode ends begins its next one at once."""

    def close(self) -> None:
        """Release what the environments hold."""


class GymnasiumLanes:
    """One Gymnasium environment per lane, each episode reset from a seed of its own.

    With `repeat=False` a lane stays where its first episode ended: it is stepped no more, returns
    zero reward and keeps its last observation. Evaluation uses that.
    """

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
        self.active = np.ones(lanes, bool)

    def reset(self) -> Tensor:
        """Begin episode 0 in every lane and return the observations `[L, O]`."""
        self._episode = [0] * len(self._environments)
        self.active[:] = True
        for lane in range(len(self._environments)):
            self._begin(lane)
        return self._tensor(self._observation)

    def step(self, actions: Tensor) -> LaneStep:
        """Take `actions [L]`, int64; see `LaneEnvironment`."""
        lanes = len(self._environments)
        reward = np.zeros(lanes, np.float32)
        terminated, truncated = np.zeros(lanes, bool), np.zeros(lanes, bool)
        chosen = actions.tolist()
        for lane in np.flatnonzero(self.active).tolist():
            environment = self._environments[lane]
            observation, reward[lane], ended, cut, _ = environment.step(chosen[lane])
            self._final[lane] = self._observation[lane] = observation
            terminated[lane], truncated[lane] = ended, cut
            if ended or cut:
                if self._repeat:
                    self._episode[lane] += 1
                    self._begin(lane)
                else:
                    self.active[lane] = False
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

    def _begin(self, lane: int) -> None:
        seed = self._reset_seed(lane, self._episode[lane])
        self._observation[lane], _ = self._environments[lane].reset(seed=seed)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.tensor(values, device=self._device)
