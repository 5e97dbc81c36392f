"""Any Gymnasium environment as lanes: one copy for each, stepped in turn."""

from __future__ import annotations

import traceback
from bdb import BdbQuit
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.envs.exceptions import place, summary
from ablation.envs.lanes import EnvFailure, LaneStep, ResetSeed
from ablation.numerics.pixels import BYTE_VALUES


class GymnasiumLanes:
    """A `LaneEnvironment` over copies that `make` returns."""

    def __init__(
        self,
        make: Callable[[], Any],
        lanes: int,
        reset_seed: ResetSeed,
        repeat: bool = True,
    ) -> None:
        self._environments = [make() for _ in range(lanes)]
        self._reset_seed = reset_seed
        self._repeat = repeat
        self._episode = [0] * lanes
        self._actions: list[list[int]] = [[] for _ in range(lanes)]
        space = self._environments[0].observation_space
        # Pixels stay bits or bytes here; all lanes' are converted to floats together.
        dtype = space.dtype if space.dtype in (np.bool_, np.uint8) else np.float32
        self._shape = space.shape
        self._observation = np.zeros((lanes, *self._shape), dtype)
        self._lives = [0] * lanes
        self._failures: dict[int, EnvFailure] = {}
        self.active = torch.ones(lanes, dtype=torch.bool)

    def reset(self) -> Tensor:
        """Begin episode 0 in every lane and return the observations `[L, O]`."""
        self._episode = [0] * len(self._environments)
        self._failures = {}
        self.active.fill_(True)
        for lane in range(len(self._environments)):
            self._begin(lane)
        return self._numbers(self._observation)

    def step(self, actions: Tensor) -> LaneStep:
        """Take `actions [L]`, int64; see `LaneEnvironment`."""
        lanes = len(self._environments)
        reward = np.zeros(lanes, np.float32)
        terminated, truncated = np.zeros(lanes, bool), np.zeros(lanes, bool)
        life_lost = np.zeros(lanes, bool)
        chosen = actions.tolist()
        for lane, active in enumerate(self.active.tolist()):
            if not active:
                continue
            self._actions[lane].append(chosen[lane])
            try:
                outcome = self._environments[lane].step(chosen[lane])
                observation, reward_, terminated[lane], truncated[lane], info = outcome
                self._observe(lane, observation)
                reward[lane] = reward_ if isinstance(reward_, float) else np.asarray(reward_).item()
                life_lost[lane] = self._loses_life(lane, info)
            except (Exception, SystemExit) as error:  # It is anyone's code; the other lanes go on.
                self._fail(lane, error)
                reward[lane] = terminated[lane] = truncated[lane] = 0
        final = self._numbers(self._observation)
        ended = np.flatnonzero(terminated | truncated).tolist()
        for lane in ended:
            self._end(lane)
        return LaneStep(
            self._numbers(self._observation) if ended else final,
            torch.from_numpy(reward),
            torch.from_numpy(terminated),
            torch.from_numpy(truncated),
            final,
            torch.from_numpy(life_lost),
        )

    def take_failures(self) -> dict[int, EnvFailure]:
        """Return what environments raised since the last call, by lane; such lanes are inactive."""
        failures, self._failures = self._failures, {}
        return failures

    def close(self) -> None:
        """Close every environment."""
        for environment in self._environments:
            environment.close()

    def state(self) -> dict[str, Any]:
        """Return each lane's episode and the actions since its reset: all that its state is made of."""
        return {
            "episode": list(self._episode),
            "actions": [list(actions) for actions in self._actions],
            "active": self.active,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Reset each lane's episode from its seed and repeat its actions."""
        self._episode = list(state["episode"])
        for lane, actions in enumerate(state["actions"]):
            self._begin(lane)
            for action in actions:
                observation, *_, info = self._environments[lane].step(action)
                self._observe(lane, observation)
                self._loses_life(lane, info)
            self._actions[lane] = list(actions)
        self.active.copy_(state["active"])

    def _end(self, lane: int) -> None:
        if self._repeat:
            self._episode[lane] += 1
            self._begin(lane)
        else:
            self.active[lane] = False

    def _begin(self, lane: int) -> None:
        self._actions[lane] = []
        seed = self._reset_seed(lane, self._episode[lane])
        try:
            observation, info = self._environments[lane].reset(seed=seed)
            self._observe(lane, observation)
            self._lives[lane] = info.get("lives", 0)
        except (Exception, SystemExit) as error:
            self._fail(lane, error)

    def _observe(self, lane: int, observation: Any) -> None:
        """Take over a lane's observation; one of another shape would be repeated to fill the space."""
        given = observation.shape if type(observation) is np.ndarray else np.shape(observation)
        if given != self._shape:
            raise ValueError(f"returned an observation of shape {given}, not {self._shape}")
        self._observation[lane] = observation

    def _fail(self, lane: int, error: BaseException) -> None:
        """Note what a lane's environment raised; the lane takes no more steps."""
        if isinstance(error, BdbQuit):  # A debugger was left: the user ends the whole run.
            raise error
        seed = self._reset_seed(lane, self._episode[lane])
        what, steps = f"{summary(error)}{place(error)}", len(self._actions[lane])
        self._failures[lane] = EnvFailure(what, seed, steps, traceback.format_exc())
        self.active[lane] = False

    def _loses_life(self, lane: int, info: Mapping[str, Any]) -> bool:
        before, self._lives[lane] = self._lives[lane], info.get("lives", 0)
        return self._lives[lane] < before

    def _numbers(self, observations: np.ndarray) -> Tensor:
        """Return observations as numbers, flat: `[L, O]`; only bytes of images are scaled."""
        flat = observations.reshape(len(observations), -1)
        if flat.dtype == np.uint8 and observations.ndim == 4:
            return torch.from_numpy(BYTE_VALUES[flat])
        return torch.from_numpy(flat.astype(np.float32))
