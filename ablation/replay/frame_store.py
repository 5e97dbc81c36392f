"""Frames of observations, each kept once: the storage behind a replay of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.replay import frame_kernels
from ablation.replay.frame_format import FrameFormat
from ablation.replay.frame_kernels import AGE_BITS

BIT_VALUES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")


class FrameStore:
    """The latest `kept` frames of each lane, as bytes `[L * F, bytes]`.

    A handle, int64, names an observation by the number of its newest frame in its lane and by its age:
    how many earlier frames of its episode it shows.
    """

    def __init__(self, form: FrameFormat, lanes: int, kept: int) -> None:
        self._form, self._kept = form, kept
        self._bits = form.pixels == "bit"
        self.rows = torch.zeros((lanes * kept, form.frame_bytes), dtype=torch.uint8)
        self._count = torch.zeros(lanes, dtype=torch.int64)
        self._age = torch.zeros_like(self._count)
        self._begins = torch.ones(lanes, dtype=torch.bool)
        self._bit_values = BIT_VALUES.astype(np.float32)

    def add(
        self, observation: Tensor, next_observation: Tensor, ended: Tensor, follows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Store the new frames of a step's observations `[L, O]`, and return the handles of both.

        `ended`, bool `[L]`: the episode ended with this step. Unless it `follows`, bool `[L]`, the next
        observation is not kept, since nothing is learned from it, and its handle is the other's.
        """
        handles = torch.empty((2, len(ended)), dtype=torch.int64)
        frame_kernels.store(
            self.rows.numpy(),
            self._bits,
            self._form.size,
            observation.numpy(),
            next_observation.numpy(),
            self._begins.numpy(),
            follows.numpy(),
            self._count.numpy(),
            self._age.numpy(),
            self._form.stack - 1,
            handles.numpy(),
        )
        self._begins.copy_(ended)
        return handles[0], handles[1]

    def index(self, handle: Tensor) -> Tensor:
        """Return where the newest frames of observations lie among their lanes' frames."""
        return (handle >> AGE_BITS) % self._kept

    def load(self, index: Tensor, ages: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the observations `[L, B, O]`, float32, in `out` if given.

        Each by the index of its newest frame and its age, both int64 `[L, B]`.
        """
        form = self._form
        if out is None:
            out = torch.empty((*index.shape, form.stack * form.size), dtype=torch.float32)
        frame_kernels.load(
            self.rows.numpy(),
            self._bits,
            form.size,
            self._bit_values,
            index.numpy(),
            ages.numpy(),
            out.numpy(),
        )
        return out

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`; shares memory with this."""
        used = min(int(self._count.max()), self._kept)
        rows = self.rows.view(len(self._count), self._kept, -1)[:, :used]
        return {"rows": rows, "count": self._count, "age": self._age, "begins": self._begins}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        saved = state["rows"]
        self.rows.view(len(self._count), self._kept, -1)[:, : saved.shape[1]] = saved
        self._count.copy_(state["count"])
        self._age.copy_(state["age"])
        self._begins.copy_(state["begins"])
