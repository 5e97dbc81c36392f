"""Gymnasium's interface, checked on what an environment returned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space

RESET = "reset(seed=, options=) -> (observation, info)"
STEP = "step(action) -> (observation, reward, terminated, truncated, info)"
LARGEST_SEED = 2**32 - 1
"""Episodes are reset with seeds from 0 to this one."""


class Wrong(Exception):
    """What an environment did, and Gymnasium's interface where that is to be compared."""

    def __init__(self, what: str, interface: str = "") -> None:
        super().__init__(what + (f"; Gymnasium's interface is {interface}" if interface else ""))


def reset_values(returned: Any) -> Any:
    """Return what a reset returned if it is an observation and a dictionary, else raise `Wrong`."""
    if not isinstance(returned, tuple) or len(returned) != 2 or not isinstance(returned[1], Mapping):
        raise Wrong(f"reset returned {described(returned)}", RESET)
    return returned


def check_reset(returned: Any, space: Space[Any]) -> Any:
    """Return the observation of a reset; raises `Wrong` if it is not one of the space."""
    observation, _ = reset_values(returned)
    _check_observation("reset", observation, space)
    return observation


def check_step_values(returned: Any) -> Any:
    """Return what a step returned if it is five values, the last a dictionary, else raise `Wrong`."""
    if not isinstance(returned, tuple) or len(returned) != 5 or not isinstance(returned[4], Mapping):
        raise Wrong(f"step returned {described(returned)}", STEP)
    return returned


def check_outcome(returned: Any, space: Space[Any]) -> tuple[Any, float, bool, bool]:
    """Return observation, reward, terminated and truncated of a step; raises `Wrong` for other types."""
    observation, reward, terminated, truncated, _ = check_step_values(returned)
    _check_observation("step", observation, space)
    for name, value in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(value, bool | np.bool_):
            raise Wrong(f"step returned {name} = {described(value)}, not a truth value", STEP)
    return observation, _number(reward), bool(terminated), bool(truncated)


def _number(reward: Any) -> float:
    values = np.asarray(reward)
    if values.size != 1 or values.dtype.kind not in "biuf":
        raise Wrong(f"step returned {described(reward)} as reward, not one number", STEP)
    number = float(values.reshape(-1)[0])
    if not math.isfinite(number):
        raise Wrong(f"step returned the reward {number}, which is not finite")
    return number


def _check_observation(method: str, observation: Any, space: Space[Any]) -> None:
    if not isinstance(space, Box):
        if not space.contains(observation):
            raise Wrong(f"{method} returned {described(observation)}; its observation_space is {space}")
        return
    said = f"an array of {space.dtype} of shape {space.shape}"
    wrong = (
        f"{method} returned {described(observation)} as observation; its observation_space says {said}"
    )
    if not isinstance(observation, np.ndarray | np.generic) or observation.shape != space.shape:
        raise Wrong(wrong)
    if not np.can_cast(observation.dtype, space.dtype, "same_kind"):
        raise Wrong(wrong)
    if not np.isfinite(observation).all():
        raise Wrong(f"{method} returned an observation that is not finite: {_short(observation)}")


def described(value: Any) -> str:
    """Return what kind of value something is, and what it is if that is short."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    if isinstance(value, tuple | list):
        parts = ", ".join(described(part) for part in value[:6])
        return f"a {type(value).__name__} of {len(value)} ({_short(parts)})"
    if value is None:
        return "None"
    if isinstance(value, Mapping):
        return "a dictionary"
    return f"{_short(repr(value))} ({type(value).__name__})"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 160 else f"{text[:157]}..."
