"""A ring of transitions whose observations consist of frames, each kept once in a `FrameStore`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablation.replay.frame_format import FrameFormat
from ablation.replay.frame_kernels import AGE_BITS
from ablation.replay.frame_store import FrameStore
from ablation.replay.ring import Field, Ring

SCALAR, HANDLE = Field((), torch.float32), Field((), torch.int64)
FIELDS = {
    "observation": HANDLE,
    "action": HANDLE,
    "reward": SCALAR,
    "discount": SCALAR,
    "next_observation": HANDLE,
}
"""A transition as it is appended: observations are handles of the frame store."""

BYTE = Field((), torch.uint8)
COMPACT = {
    "reward": SCALAR,
    "frame": Field((), torch.int32),  # index of the observation's newest frame in the store
    "age": BYTE,  # earlier frames that the observation shows
    "span": BYTE,  # frames from the observation to the next one
    "action": BYTE,
    "discount_code": BYTE,  # index into the table of distinct discounts
}
"""A transition as it is stored."""


class FrameRing(Ring):
    """A `Ring` that is given transitions with handles, and returns them with whole observations."""

    def __init__(self, form: FrameFormat, lanes: int, capacity: int, n_step: int) -> None:
        super().__init__(COMPACT, lanes, capacity)
        self.frames = FrameStore(form, lanes, form.frames_kept(capacity, n_step))
        self._oldest_age = form.stack - 1
        self._codes: dict[float, int] = {}
        self._discounts = torch.zeros(256)
        self._loaded: tuple[Tensor, Tensor] | None = None

    def store_frames(self, transition: Mapping[str, Tensor], ended: Tensor) -> dict[str, Tensor]:
        """Store the new frames of a step's observations `[L, O]`; return it with handles for them."""
        follows = ~ended | (transition["discount"] > 0)
        observation, next_observation = self.frames.add(
            transition["observation"], transition["next_observation"], ended, follows
        )
        return {**transition, "observation": observation, "next_observation": next_observation}

    def append(
        self, item: Mapping[str, Tensor], lanes: Tensor | None = None, words: Tensor | None = None
    ) -> Tensor:
        """Store one transition per lane, or of `lanes`, over the oldest one; return the slots."""
        assert words is None, "frames leave in the order in which they came"
        handle, next_handle = item["observation"], item["next_observation"]
        compact = {
            "reward": item["reward"],
            "frame": self.frames.index(handle),
            "age": handle & (1 << AGE_BITS) - 1,
            "span": (next_handle >> AGE_BITS) - (handle >> AGE_BITS),
            "action": item["action"],
            "discount_code": torch.tensor([self._code(one) for one in item["discount"].tolist()]),
        }
        return super().append(compact, lanes)

    def gather(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the transitions at `slots [L, B]`; valid until the next call."""
        if self._loaded is None or self._loaded[0].shape[:2] != slots.shape:
            batch = self._transitions(super().gather(slots), None)
            self._loaded = batch["observation"], batch["next_observation"]
            return batch
        return self._transitions(super().gather(slots), self._loaded)

    def copy_of(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the transitions at `slots [L, B]` in memory of their own."""
        return self._transitions(super().copy_of(slots), None)

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`; shares memory with the ring."""
        return super().state() | {"frames": self.frames.state(), "discounts": list(self._codes)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        super().restore(state)
        self.frames.restore(state["frames"])
        self._codes = {}
        for discount in state["discounts"]:
            self._code(discount)

    def _transitions(
        self, compact: Mapping[str, Tensor], out: tuple[Tensor, Tensor] | None
    ) -> dict[str, Tensor]:
        """Return compact items with whole observations, which are written into `out` if given."""
        frame, age, span = (compact[name].long() for name in ("frame", "age", "span"))
        next_age = (age + span).clamp(max=self._oldest_age)
        observation, next_observation = out or (None, None)
        return {
            "observation": self.frames.load(frame, age, observation),
            "action": compact["action"].long(),
            "reward": compact["reward"],
            "discount": self._discounts[compact["discount_code"].long()],
            "next_observation": self.frames.load(frame + span, next_age, next_observation),
        }

    def _code(self, discount: float) -> int:
        """Return a discount's code, a new one for a new discount: there are few, 0 and powers."""
        if discount not in self._codes:
            self._discounts[len(self._codes)] = discount
            self._codes[discount] = len(self._codes)
        return self._codes[discount]
