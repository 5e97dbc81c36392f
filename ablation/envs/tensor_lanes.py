"""Environments whose dynamics are array operations, on an accelerator: all lanes in one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.envs.dynamics import Dynamics
from ablation.envs.lanes import LaneStep, ResetSeed

STEPS_AHEAD = 64
"""Steps for which first states are at hand, should every one of them end an episode."""


class TensorLanes:
    """A `LaneEnvironment` over batched dynamics; an episode is truncated after `time_limit` steps.

    A step waits for nothing and changes tensors in place, so that it can be captured. First states
    come from generators on the processor: `prepare` draws them ahead.
    """

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
        self._repeat = repeat
        self._lanes = torch.arange(lanes, device=device)
        self._episode = torch.zeros(lanes, dtype=torch.int64, device=device)
        self._steps = torch.zeros(lanes, dtype=torch.int64, device=device)
        self.active = torch.ones(lanes, dtype=torch.bool, device=device)
        # Episode e of a lane begins in its state e modulo their number.
        kept, size = STEPS_AHEAD + 1 if repeat else 1, dynamics.begin([0]).shape[1]
        self._first_states = torch.zeros((lanes, kept, size), dtype=torch.float64, device=device)
        self._state = torch.zeros((lanes, size), dtype=torch.float64, device=device)
        self._drawn = np.zeros(lanes, np.int64)
        self._prepared = 0

    def reset(self) -> Tensor:
        """Begin episode 0 in every lane and return the observations `[L, O]`."""
        self._episode.zero_()
        self._steps.zero_()
        self.active.fill_(True)
        self._drawn[:] = 0
        self._draw(np.zeros_like(self._drawn))
        self._state.copy_(self._first_states[:, 0])
        return self._observe(self._state)

    def prepare(self) -> None:
        """Make ready for `STEPS_AHEAD` steps; waits for the device."""
        self._draw(self._episode.cpu().numpy())

    def step(self, actions: Tensor) -> LaneStep:
        """Take `actions [L]`, int64; see `LaneEnvironment`.

        Whoever captures it calls `prepare` every `STEPS_AHEAD` steps; otherwise it is called here.
        """
        if self._repeat:
            if self._prepared == 0:
                self.prepare()
            self._prepared -= 1
        active = self.active
        state, reward, terminated = self._dynamics.step(self._state, actions.double())
        state = torch.where(active.unsqueeze(1), state, self._state)
        self._steps += 1
        truncated = (self._steps >= self._time_limit) & active
        reward, terminated = reward * active, terminated & active
        ended = terminated | truncated
        observation = final = self._observe(state)
        if self._repeat:
            self._episode += ended
            self._steps *= ~ended
            first = self._first_states[self._lanes, self._episode % self._first_states.shape[1]]
            state = torch.where(ended.unsqueeze(1), first, state)
            observation = self._observe(state)
        else:
            self.active &= ~ended
        self._state.copy_(state)
        return LaneStep(observation, reward.float(), terminated, truncated, final)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def state(self) -> dict[str, Any]:
        """Return the dynamics' states and each lane's place in its episode."""
        return {
            "state": self._state,
            "steps": self._steps,
            "episode": self._episode.tolist(),
            "active": self.active,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._state.copy_(state["state"])
        self._steps.copy_(state["steps"])
        self._episode.copy_(torch.tensor(state["episode"]))
        self.active.copy_(state["active"])
        self._drawn[:] = state["episode"]
        self.prepare()

    def _draw(self, begun: np.ndarray) -> None:
        """Draw what is missing of the first states that can be needed after these episodes."""
        kept = self._first_states.shape[1]
        missing = [
            (lane, episode)
            for lane, (drawn, now) in enumerate(zip(self._drawn.tolist(), begun.tolist(), strict=True))
            for episode in range(drawn, now + kept)
        ]
        if missing:
            states = self._dynamics.begin([self._reset_seed(*place) for place in missing])
            lanes, episodes = torch.tensor(missing, device=self._lanes.device).unbind(1)
            self._first_states[lanes, episodes % kept] = torch.from_numpy(states).to(lanes.device)
        self._drawn[:] = begun + kept
        self._prepared = STEPS_AHEAD

    def _observe(self, state: Tensor) -> Tensor:
        observation: Tensor = self._dynamics.observe(state).float()
        return observation
