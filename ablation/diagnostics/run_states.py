"""A sample of all states that a run has visited, whatever its replay buffer keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class RunStates:
    """From `size` to twice as many observations, evenly spaced over the run so far.

    Every `stride`-th is kept; when the sample is full, every other one is dropped and the stride
    doubles.
    """

    def __init__(self, lanes: int, size: int, observation_size: int) -> None:
        self._kept = torch.zeros((lanes, 2 * size, observation_size))
        self._size = size
        self.count, self.stride = 0, 1

    def add(self, env_step: int, observation: Tensor) -> None:
        """Keep the observations `[L, O]` of an environment step if it is a multiple of the stride."""
        self.make_room(env_step)
        if env_step % self.stride == 0:
            self._kept[:, self.count] = observation
            self.count += 1

    def make_room(self, env_step: int) -> None:
        """Drop every other observation if there is no place for that of an environment step."""
        if self.count == 2 * self._size and env_step % self.stride == 0:
            self._kept[:, : self._size] = self._kept[:, ::2].clone()
            self.count, self.stride = self._size, 2 * self.stride

    def steps_with_room(self, env_step: int) -> int:
        """Return the steps from this one on for whose observations there are places."""
        places = 2 * self._size - self.count
        return -env_step % self.stride + places * self.stride

    def arrays(self) -> tuple[NDArray[np.float32], int, int]:
        """Return observations `[L, 2 * size, O]`, their count and stride, for compiled loops."""
        return self._kept.numpy(), self.count, self.stride

    def added(self, env_step: int, steps: int) -> None:
        """Count the observations that a compiled loop has added in steps from `env_step` on."""
        self.count += (env_step + steps - 1) // self.stride - (env_step - 1) // self.stride

    def evenly_spaced(self, count: int) -> Tensor:
        """Return `count` observations `[L, count, O]`, evenly spaced; some twice in a short run."""
        index = torch.arange(count) * self.count // count
        return self._kept[:, index]

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`; shares memory with this."""
        return {"kept": self._kept, "count": self.count, "stride": self.stride}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self._kept.copy_(state["kept"])
        self.count, self.stride = state["count"], state["stride"]
