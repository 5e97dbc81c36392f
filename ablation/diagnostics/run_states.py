"""A sample of all states that a run has visited, whatever its replay buffer keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class RunStates:
    """From `size` to twice as many observations, evenly spaced over the run so far.

    Every `stride`-th is kept; when the sample is full, every other one is dropped and the stride
    doubles.
    """

    def __init__(self, lanes: int, size: int, observation_size: int) -> None:
        self._kept = torch.zeros((lanes, 2 * size, observation_size))
        self._size = size
        self._count, self._stride = 0, 1

    def add(self, env_step: int, observation: Tensor) -> None:
        """Keep the observations `[L, O]` of an environment step if it is a multiple of the stride."""
        if env_step % self._stride:
            return
        if self._count == 2 * self._size:
            self._kept[:, : self._size] = self._kept[:, ::2].clone()
            self._count, self._stride = self._size, 2 * self._stride
            if env_step % self._stride:
                return
        self._kept[:, self._count] = observation
        self._count += 1

    def evenly_spaced(self, count: int) -> Tensor:
        """Return `count` observations `[L, count, O]`, evenly spaced; some twice in a short run."""
        index = torch.arange(count) * self._count // count
        return self._kept[:, index]

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`; shares memory with this."""
        return {"kept": self._kept, "count": self._count, "stride": self._stride}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self._kept.copy_(state["kept"])
        self._count, self._stride = state["count"], state["stride"]
