"""A ring of transitions whose observations are frames that are kept elsewhere, each once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablation.replay.frame_format import FrameFormat
from ablation.replay.frame_kernels import AGE_BITS
from ablation.replay.frame_store import frames
from ablation.replay.ring import Field, Ring

SCALAR, HANDLE = Field((), torch.float32), Field((), torch.int64)
FIELDS = {
    "observation": HANDLE,
    "action": HANDLE,
    "reward": SCALAR,
    "discount": SCALAR,
    "next_observation": HANDLE,
}
"""What is appended: transitions with observations by their handles."""

BYTE = Field((), torch.uint8)
COMPACT = {
    "reward": SCALAR,
    "place": Field((), torch.int32),
    "age": BYTE,
    "span": BYTE,
    "action": BYTE,
    "code": BYTE,
}
"""What is stored: where the newest frame lies, how many earlier ones are shown, how many frames later
the next observation is, and which of the discounts seen so far."""


class FrameRing(Ring):
    """A `Ring` that takes handles of `frames`, and gives transitions with the observations' numbers."""

    def __init__(
        self, form: FrameFormat, lanes: int, capacity: int, n_step: int, device: torch.device
    ) -> None:
        super().__init__(COMPACT, lanes, capacity, device)
        self.frames = frames(form, lanes, form.frames_kept(capacity, n_step), device)
        self._oldest_age = form.stack - 1
        self._codes: dict[float, int] = {}
        self._discounts = torch.zeros(256, device=device)
        self._seen: tuple[Tensor, Tensor] | None = None

    def handled(self, transition: Mapping[str, Tensor], ended: Tensor) -> dict[str, Tensor]:
        """Keep what is new of a step's observations `[L, O]`, and return it with their handles."""
        follows = ~ended | (transition["discount"] > 0)
        observation, following = self.frames.add(
            transition["observation"], transition["next_observation"], ended, follows
        )
        return {**transition, "observation": observation, "next_observation": following}

    def append(
        self, item: Mapping[str, Tensor], lanes: Tensor | None = None, bits: Tensor | None = None
    ) -> Tensor:
        """Store one transition per lane, or of `lanes`, and return the slots; the oldest makes room."""
        assert bits is None, "frames go with their age"
        handle, following = item["observation"], item["next_observation"]
        codes = [self._code(discount) for discount in item["discount"].tolist()]
        compact = {
            "reward": item["reward"],
            "place": self.frames.place(handle),
            "age": handle & (1 << AGE_BITS) - 1,
            "span": (following >> AGE_BITS) - (handle >> AGE_BITS),
            "action": item["action"],
            "code": torch.tensor(codes, device=handle.device),
        }
        return super().append(compact, lanes)

    def gather(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the transitions at `slots [L, B]`; valid until the next call."""
        if self._seen is None or self._seen[0].shape[:2] != slots.shape:
            found = self._transitions(super().gather(slots), None)
            self._seen = found["observation"], found["next_observation"]
            return found
        return self._transitions(super().gather(slots), self._seen)

    def copy_of(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the transitions at `slots [L, B]` in memory of their own."""
        return self._transitions(super().copy_of(slots), None)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs; shares memory with the ring."""
        return super().state() | {"frames": self.frames.state(), "discounts": list(self._codes)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        super().restore(state)
        self.frames.restore(state["frames"])
        self._codes = {}
        for discount in state["discounts"]:
            self._code(discount)

    def _transitions(
        self, compact: Mapping[str, Tensor], seen: tuple[Tensor, Tensor] | None
    ) -> dict[str, Tensor]:
        place, age, span = (compact[name].long() for name in ("place", "age", "span"))
        later = (age + span).clamp(max=self._oldest_age)
        observation, following = seen or (None, None)
        return {
            "observation": self.frames.load(place, age, observation),
            "action": compact["action"].long(),
            "reward": compact["reward"],
            "discount": self._discounts[compact["code"].long()],
            "next_observation": self.frames.load(place + span, later, following),
        }

    def _code(self, discount: float) -> int:
        """Return the number of a discount, a new one if it is new: there are few, 0 and powers."""
        if discount not in self._codes:
            self._discounts[len(self._codes)] = discount
            self._codes[discount] = len(self._codes)
        return self._codes[discount]
