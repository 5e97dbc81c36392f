"""Frames of observations, each kept once: what a replay of images is made of.

On the processor they are packed and unpacked by compiled loops; elsewhere by a few wide tensor
operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.numerics.compiled import runs_compiled
from ablation.numerics.pixels import BYTE_VALUES
from ablation.replay import frame_kernels
from ablation.replay.frame_format import FrameFormat
from ablation.replay.frame_kernels import AGE_BITS

BIT_VALUES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")


class Frames:
    """The latest `kept` frames of each lane, as bytes `[L * F, bytes]`.

    A handle, int64, names an observation by the number of its newest frame in its lane and by how
    many earlier ones of its episode it shows.
    """

    def __init__(self, form: FrameFormat, lanes: int, kept: int, device: torch.device) -> None:
        self._form, self._kept = form, kept
        self._bits = form.pixels == "bit"
        shape = (lanes * kept, form.frame_bytes)
        self.rows = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._count = torch.zeros(lanes, dtype=torch.int64, device=device)
        self._age = torch.zeros_like(self._count)
        self._begins = torch.ones(lanes, dtype=torch.bool, device=device)
        self._first_rows = torch.arange(lanes, device=device) * kept
        # What a stored byte stands for: [256, 8] numbers or one.
        values = BIT_VALUES.astype(np.float32) if self._bits else BYTE_VALUES[:, None]
        self._values = torch.from_numpy(values).to(device)

    def add(
        self, observation: Tensor, following: Tensor, ended: Tensor, follows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Store what is new of a step's observations `[L, O]`, and return the handles of both.

        `ended`, bool `[L]`: the episode ended with this step. Where nothing `follows`, the handle is
        that of the observation before: what follows is not kept, since nothing is learned from it.
        """
        self._push(observation, self._begins)
        self._age.masked_fill_(self._begins, 0)
        first = self._handle()
        self._push(following, follows)
        self._age += follows & (self._age < self._form.stack - 1)
        self._begins.copy_(ended)
        return first, self._handle()

    def place(self, handle: Tensor) -> Tensor:
        """Return where the newest frames of observations lie among their lanes' frames."""
        return (handle >> AGE_BITS) % self._kept

    def load(self, places: Tensor, ages: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Return the observations `[L, B, O]`, in `numbers` if given.

        Each by the place of its newest frame and how many earlier ones it shows, int64 `[L, B]`.
        """
        form = self._form
        if numbers is None:
            numbers = self._values.new_empty((*places.shape, form.stack * form.size))
        self._load(places, ages, numbers)
        return numbers

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs; shares memory with this."""
        used = min(int(self._count.max()), self._kept)
        rows = self.rows.view(len(self._count), self._kept, -1)[:, :used]
        return {"rows": rows, "count": self._count, "age": self._age, "begins": self._begins}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        saved = state["rows"]
        self.rows.view(len(self._count), self._kept, -1)[:, : saved.shape[1]] = saved
        self._count.copy_(state["count"])
        self._age.copy_(state["age"])
        self._begins.copy_(state["begins"])

    def _handle(self) -> Tensor:
        return (self._count - 1) << AGE_BITS | self._age

    def _load(self, places: Tensor, ages: Tensor, numbers: Tensor) -> None:
        size = self._form.size
        for back in range(self._form.stack):
            rows = self._first_rows.unsqueeze(1) + (places - back) % self._kept
            frame = self._values[self.rows[rows].long()].flatten(2)[..., :size]
            end = numbers.shape[2] - back * size
            numbers[..., end - size : end] = torch.where((ages >= back).unsqueeze(2), frame, 0.0)

    def _push(self, observation: Tensor, wanted: Tensor) -> None:
        """Store the newest frames of the lanes where that is wanted."""
        lanes = wanted.nonzero().flatten()
        rows = self._first_rows[lanes] + self._count[lanes] % self._kept
        self.rows[rows] = self._packed(observation[lanes, -self._form.size :])
        self._count += wanted

    def _packed(self, numbers: Tensor) -> Tensor:
        if not self._bits:
            return (numbers * 255).round().to(torch.uint8)
        filled = torch.nn.functional.pad(numbers, (0, -numbers.shape[1] % 8))
        powers = 2 ** torch.arange(8, device=numbers.device)
        bits = filled.view(len(numbers), self._form.frame_bytes, 8) != 0
        return (bits * powers).sum(dim=2).to(torch.uint8)


class CompiledFrames(Frames):
    """The same on the processor."""

    def add(
        self, observation: Tensor, following: Tensor, ended: Tensor, follows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Store what is new of a step's observations `[L, O]`, and return the handles of both."""
        handles = torch.empty((2, len(ended)), dtype=torch.int64)
        frame_kernels.store(
            self.rows.numpy(),
            self._bits,
            self._form.size,
            observation.numpy(),
            following.numpy(),
            self._begins.numpy(),
            follows.numpy(),
            self._count.numpy(),
            self._age.numpy(),
            self._form.stack - 1,
            handles.numpy(),
        )
        self._begins.copy_(ended)
        return handles[0], handles[1]

    def _load(self, places: Tensor, ages: Tensor, numbers: Tensor) -> None:
        frame_kernels.load(
            self.rows.numpy(),
            self._bits,
            self._form.size,
            self._values.numpy(),
            places.numpy(),
            ages.numpy(),
            numbers.numpy(),
        )


def frames(form: FrameFormat, lanes: int, kept: int, device: torch.device) -> Frames:
    """Return room for frames, compiled where that is possible."""
    kind = CompiledFrames if runs_compiled(device) else Frames
    return kind(form, lanes, kept, device)
