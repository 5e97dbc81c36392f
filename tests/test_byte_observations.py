"""Bytes in observations: those of images are divided by 255, vectors stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from ablation.envs.gymnasium_lanes import GymnasiumLanes

VALUES = {"uint8": [0, 1, 200, 255], "int8": [-128, -1, 0, 127], "float32": [-0.5, 0.5, 200, 255]}


class Shows(gymnasium.Env[Any, Any]):
    """Shows the same numbers at every step."""

    def __init__(self, dtype: str, shape: tuple[int, ...]) -> None:
        low, high = (-1000, 1000) if dtype == "float32" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        self.observation_space, self.action_space = Box(low, high, shape, np.dtype(dtype)), Discrete(2)
        self._shown = np.array(VALUES[dtype], dtype).reshape(shape)

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        return self._shown, {}

    def step(self, _: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._shown, 0.0, False, False, {}


def observed(make: Callable[[], Any]) -> list[float]:
    """Return what a lane observes after a reset; a step shows the same."""
    lanes = GymnasiumLanes(make, 2, lambda lane, episode: 0)
    first = lanes.reset()
    assert torch.equal(lanes.step(torch.zeros(2, dtype=torch.int64)).observation, first)
    numbers: list[float] = first[1].tolist()
    return numbers


@pytest.mark.parametrize("dtype", VALUES)
def test_vectors_stay_as_they_are(dtype: str) -> None:
    assert observed(lambda: Shows(dtype, (4,))) == VALUES[dtype]


@pytest.mark.parametrize("dtype", VALUES)
def test_images_of_unsigned_bytes_are_divided_by_255(dtype: str) -> None:
    scale = 255 if dtype == "uint8" else 1
    expected = np.array(VALUES[dtype], np.float32) / np.float32(scale)
    assert observed(lambda: Shows(dtype, (1, 2, 2))) == expected.tolist()
