"""Environments that each have one trait, as those that people bring have: by registered names."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

PLACES = 5


class Walk(gymnasium.Env[Any, Any]):
    """Five places in a row, observed one-hot; a reward of 1 at the right end."""

    def __init__(self, trait: str = "plain", places: int = PLACES) -> None:
        self.trait, self.places = trait, places
        if trait == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if trait == "exits_when_made":
            sys.exit("no licence")
        if trait == "leaves_when_made":
            os._exit(3)
        if trait == "hangs":
            time.sleep(600)
        if trait == "raises_when_made":
            raise ValueError("no such level")
        self.place = self.time = self.lasting = 0
        dtype, high = (np.uint8, 255) if trait == "uint8" else (np.float32, 1)
        self.observation_space = Box(0, high, (places,), dtype)
        self.action_space: Any = Discrete(2)

    def _observe(self) -> Any:
        one_hot = np.zeros(self.places, self.observation_space.dtype)
        one_hot[self.place] = 200 if self.trait == "uint8" else 1
        if self.trait == "fractions":
            return one_hot.astype(np.uint8)
        if self.trait == "list":
            return one_hot.tolist()
        if self.trait == "broadcast":
            return one_hot[:1]
        return one_hot / 0 if self.trait == "infinite" else one_hot

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if self.trait == "small_seeds" and seed is not None and seed >= 2**31:
            raise OverflowError("seed does not fit")
        self.place, self.time = self.places // 2, 0
        return self._observe() if self.trait == "old_reset" else (self._observe(), {})

    def step(self, action: int) -> Any:
        self.time += 1
        self.lasting += 1
        if self.trait == "exits" and self.time == 3:
            sys.exit("simulator: no licence")
        if self.trait == "raises_late" and self.lasting > 200:
            raise ValueError("the floor is gone")
        if self.trait == "exits_late" and self.lasting > 200:
            sys.exit("simulator: no licence")
        if self.trait == "global_generator":
            action = np.random.randint(2)  # noqa: NPY002
        if self.trait == "unseeded" and np.random.default_rng().random() < 0.5:
            action = 1 - action
        if self.trait == "lasting" and self.lasting % 7 == 0:
            action = 1 - action
        self.place = int(np.clip(self.place + (1 if action else -1), 0, self.places - 1))
        ended: Any = self.place in (0, self.places - 1)
        reward: Any = float(self.place == self.places - 1)
        if self.trait == "no_limit":
            ended = False
        rewards = {"array_reward": np.array([reward]), "two_rewards": np.zeros(2), "no_reward": None}
        reward = rewards.get(self.trait, reward)
        if self.trait == "old_step":
            return self._observe(), reward, ended, {}
        if self.trait == "ends_in_numbers":
            ended = 0
        return self._observe(), reward, ended, False, {}


class Spaces(gymnasium.Env[Any, Any]):
    """Observes random elements of one space and asserts that actions are elements of another."""

    def __init__(self, observes: gymnasium.Space[Any], acts: gymnasium.Space[Any]) -> None:
        self.observation_space, self.action_space = observes, acts
        self.taken: list[Any] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.taken.append(action)
        return self.observation_space.sample(), 1.0, False, False, {}


TRAITS = (
    "plain",
    "crashes",
    "exits_when_made",
    "leaves_when_made",
    "hangs",
    "raises_when_made",
    "uint8",
    "fractions",
    "list",
    "broadcast",
    "infinite",
    "small_seeds",
    "old_reset",
    "old_step",
    "exits",
    "raises_late",
    "exits_late",
    "global_generator",
    "unseeded",
    "lasting",
    "no_limit",
    "array_reward",
    "two_rewards",
    "no_reward",
    "ends_in_numbers",
)


def walk_id(trait: str) -> str:
    """Return the id of a walk with a trait."""
    return f"{__name__}:{_name(trait)}"


def _name(trait: str) -> str:
    return "".join(word.title() for word in trait.split("_")) + "-v0"


for _trait in TRAITS:
    gymnasium.register(
        _name(_trait),
        entry_point=f"{__name__}:Walk",
        kwargs={"trait": _trait},
        max_episode_steps=None if _trait == "no_limit" else 50,
    )


class Shifted(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Adds a number to every number of the observation."""

    def __init__(self, environment: gymnasium.Env[Any, Any], by: float) -> None:
        super().__init__(environment)
        space: Any = environment.observation_space
        self._by = by
        self.observation_space = Box(space.low + by, space.high + by, space.shape, np.float32)

    def observation(self, observation: Any) -> Any:
        return (observation + self._by).astype(np.float32)


class Remembers(gymnasium.wrappers.NormalizeReward[Any, Any]):
    """One of Gymnasium's wrappers that outlive an episode, under another name."""


def tenfold(reward: Any) -> float:
    """Return ten times a reward."""
    return 10.0 * float(reward)
