"""Spaces of Gymnasium as agents take them: observations a box of numbers, actions 0 to n - 1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from gymnasium.wrappers import FlattenObservation, FrameStackObservation, ReshapeObservation
from numpy.typing import NDArray

MOST_ACTIONS = 128
"""Combinations of a `MultiDiscrete` or `MultiBinary` that are listed as actions."""
MOST_NUMBERS = 1_000_000
"""Numbers of an observation; a one-hot vector can easily have more."""
IMAGE_DIMENSIONS = 3


class Unusable(Exception):
    """An environment that cannot be trained in, and why; `key` is the setting to change."""

    def __init__(self, reason: str, key: str = "env.id") -> None:
        super().__init__(reason)
        self.key = key


class NumberedActions(gymnasium.ActionWrapper[Any, Any, Any]):
    """Takes the number of an action in a list of them."""

    def __init__(self, environment: gymnasium.Env[Any, Any], actions: Sequence[Any]) -> None:
        super().__init__(environment)
        self._actions = actions
        self.action_space = Discrete(len(actions))

    def action(self, action: Any) -> Any:
        """Return the action of a number."""
        return self._actions[action]


class ScaledObservation(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Maps each number of an observation from its bounds to [0, 1]; one with equal bounds to 0."""

    def __init__(self, environment: gymnasium.Env[Any, Any]) -> None:
        super().__init__(environment)
        space: Any = environment.observation_space
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        unbounded = np.flatnonzero(~(np.isfinite(low) & np.isfinite(high) & (abs(low) < 1e30)))
        if len(unbounded):
            which = ", ".join(map(str, unbounded[:5])) + (", ..." if len(unbounded) > 5 else "")
            reason = f"needs finite bounds; the observation's numbers {which} have none in {space}"
            raise Unusable(reason, "env.scale_observation")
        self._low, self._range = low, np.where(high > low, high - low, 1.0)
        self.observation_space = Box(0, 1, space.shape, np.float32)

    def observation(self, observation: Any) -> NDArray[np.float32]:
        """Return the scaled observation."""
        scaled: NDArray[Any] = (observation - self._low) / self._range
        return scaled.astype(np.float32)


def adapted(environment: Any, scaled: bool) -> tuple[Any, list[str]]:
    """Return an environment as agents take it, and what was done to it, in words.

    Raises `Unusable` for spaces that no agent here can take.
    """
    space, notes = environment.observation_space, []
    if not isinstance(space, Box):
        _check_flattens(space)
        environment = FlattenObservation(environment)
        how = "one-hot" if isinstance(space, Discrete | MultiDiscrete) else "flat"
        size = environment.observation_space.shape[0]
        notes.append(f"observations {_text(space)} are {how} vectors of {size:,} numbers")
    elif space.dtype is None or space.dtype.kind not in "biuf" or not prod(space.shape):
        raise Unusable(f"observes {_text(space)}; a box of real numbers is needed")
    elif len(space.shape) == IMAGE_DIMENSIONS:
        notes.append(f"observations {space.shape} are images, the first number their channels")
    elif len(space.shape) != 1:
        notes.append(f"observations {space.shape} are flattened to {prod(space.shape):,} numbers")
    if scaled:
        environment = ScaledObservation(environment)
    actions = environment.action_space
    listed = action_list(actions)
    if listed != range(len(listed)):
        environment = NumberedActions(environment, listed)
        notes.append(f"actions {_text(actions)} are numbered 0 to {len(listed) - 1}")
    return environment, notes


def action_list(space: Space[Any]) -> Sequence[Any]:
    """Return the actions of a space in the order of their numbers; raises `Unusable` for others."""
    if isinstance(space, Discrete):
        first, count = int(space.start), int(space.n)
        if count >= 2:
            return range(first, first + count)
    elif isinstance(space, MultiDiscrete | MultiBinary):
        sizes = space.nvec.flatten() if isinstance(space, MultiDiscrete) else np.full(space.shape, 2)
        count = prod(map(int, sizes.flatten()))
        if 2 <= count <= MOST_ACTIONS:
            starts = space.start if isinstance(space, MultiDiscrete) else np.zeros(space.shape, int)
            rows = product(*(range(int(size)) for size in sizes.flatten()))
            return [(np.reshape(row, space.shape) + starts).astype(space.dtype) for row in rows]
        if count > MOST_ACTIONS:
            raise Unusable(
                f"acts in {_text(space)}, {count:,} actions; at most {MOST_ACTIONS} are listed"
            )
    elif isinstance(space, Box):
        hint = "env.wrappers=[{name: DiscretizeAction, kwargs: {bins: 5}}] makes them discrete"
        raise Unusable(f"acts in {_text(space)}; at least two discrete actions are needed; {hint}")
    raise Unusable(f"acts in {_text(space)}; at least two discrete actions are needed")


def stacked(environment: Any, frames: int) -> Any:
    """Return an environment that observes its last observations, oldest first, zeros before the first.

    `frames` vectors `[O]` become one, `[frames * O]`, images `[C, H, W]` `[frames * C, H, W]`.
    """
    if frames == 1:
        return environment
    shape = environment.observation_space.shape
    deep = FrameStackObservation(environment, frames, padding_type="zero")
    return ReshapeObservation(deep, (frames * prod(shape[:1]), *shape[1:]))


def _check_flattens(space: Space[Any]) -> None:
    if isinstance(space, Dict | Tuple):
        kind = "dictionary" if isinstance(space, Dict) else "tuple"
        hint = f"env.wrappers=[FlattenObservation] makes one vector of the {kind}"
        raise Unusable(f"observes {_text(space)}; a box of numbers is needed; {hint}")
    if not isinstance(space, Discrete | MultiDiscrete | MultiBinary):
        hint = "a wrapper of your own has to make it one"
        raise Unusable(f"observes {_text(space)}; a box of numbers is needed; {hint}")
    size = gymnasium.spaces.flatdim(space)
    if size > MOST_NUMBERS:
        raise Unusable(f"observes {_text(space)}, {size:,} numbers; at most {MOST_NUMBERS:,}")


def _text(space: Space[Any]) -> str:
    text = " ".join(str(space).split())
    return text if len(text) <= 100 else f"{text[:97]}..."
