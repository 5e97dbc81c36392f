"""Where replayed items live: one preallocated ring for all lanes and fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.replay import kernels
from ablation.replay.lane_kernels import Items

WORDS = {1: torch.uint8, 4: torch.int32, 8: torch.int64}
"""The dtype as which an item's bytes are copied, by the bytes of its widest value; items are padded to a
multiple of it."""

NO_WORDS = np.empty(0, np.int64)
"""In place of random words where the oldest item is overwritten."""


@dataclass(frozen=True)
class Field:
    """Shape of one item's value and its dtype."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes_per_item(self) -> int:
        """Return the memory that one item's value takes."""
        return prod(self.shape) * self.dtype.itemsize


class Layout:
    """Where in an item's bytes its fields lie, widest values first: gathering an item is one read."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = dict(sorted(fields.items(), key=lambda pair: -pair[1].dtype.itemsize))
        used = sum(field.bytes_per_item for field in fields.values())
        word = max(field.dtype.itemsize for field in fields.values())
        self.word = WORDS[word]
        self.item_bytes = -(-used // word) * word

    def offsets(self) -> dict[str, int]:
        """Return where in an item's bytes each field begins."""
        offsets, offset = {}, 0
        for name, field in self._fields.items():
            offsets[name] = offset
            offset += field.bytes_per_item
        return offsets

    def split(self, items: Tensor) -> dict[str, Tensor]:
        """Return views `[N, *shape]` of the fields in `items`, bytes `[N, item_bytes]`."""
        views = {}
        for name, offset in self.offsets().items():
            field = self._fields[name]
            values = items[:, offset : offset + field.bytes_per_item].view(field.dtype)
            views[name] = values.view(-1, *field.shape)
        return views


def storage_bytes(fields: Mapping[str, Field], lanes: int, capacity: int) -> int:
    """Return the bytes that a `Ring` of this size allocates for its items."""
    return lanes * capacity * Layout(fields).item_bytes


class Ring:
    """Up to `capacity` items of each lane; a full lane's new item takes an old one's slot.

    Items are rows of bytes; slot `c` of lane `l` is row `l * C + c`. `size` and `newest` are int64
    `[L]`: a lane's number of items, and the slot of the one appended last.
    """

    def __init__(self, fields: Mapping[str, Field], lanes: int, capacity: int) -> None:
        self.lanes = lanes
        self.capacity = capacity
        self.size = torch.zeros(lanes, dtype=torch.int64)
        self.newest = torch.full((lanes,), -1, dtype=torch.int64)
        self._lanes = torch.arange(lanes)
        self._layout = Layout(fields)
        width = self._layout.item_bytes
        self._items = torch.zeros((lanes * capacity, width), dtype=torch.uint8)
        arriving = torch.zeros((lanes, width), dtype=torch.uint8)
        self._batch_shape: tuple[int, ...] = ()
        self._batch: dict[str, Tensor] = {}
        # Arrays over the same memory, made once: making them takes longer than copying an item.
        self._item_words = self._items.view(self._layout.word).numpy()
        self._arriving_words = arriving.view(self._layout.word).numpy()
        self._arriving = {name: view.numpy() for name, view in self._layout.split(arriving).items()}
        self._batch_words = self._arriving_words
        self._size, self._newest = self.size.numpy(), self.newest.numpy()

    def append(
        self, item: Mapping[str, Tensor], lanes: Tensor | None = None, words: Tensor | None = None
    ) -> Tensor:
        """Store one item per lane, values `[L, *shape]`, and return the slots it took, `[L]`.

        Given `lanes`, int64 `[M]`, only those lanes store theirs and `[M]` slots come back. A full lane
        overwrites its oldest item, or, given random `words [L]`, a random one.
        """
        lanes = self._lanes if lanes is None else lanes
        for name, values in self._arriving.items():
            values[...] = item[name].numpy()
        slots = np.empty(len(lanes), np.int64)
        kernels.store(
            self._item_words,
            self.capacity,
            self._arriving_words,
            lanes.numpy(),
            NO_WORDS if words is None else words.numpy(),
            self._size,
            self._newest,
            slots,
        )
        return torch.from_numpy(slots)

    def gather(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the items at `slots [L, B]`: a tensor `[L, B, *shape]` for each field.

        They are valid until the next call, which may write its items into the same memory.
        """
        if self._batch_shape != slots.shape:
            self._batch_shape = tuple(slots.shape)
            rows = torch.empty((slots.numel(), self._layout.item_bytes), dtype=torch.uint8)
            self._batch = self._fields(rows, slots)
            self._batch_words = rows.view(self._layout.word).numpy()
        kernels.gather(self._item_words, self.capacity, slots.numpy(), self._batch_words)
        return self._batch

    def copy_of(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the items at `slots [L, B]` as `gather` does, in memory of their own."""
        rows = (self._lanes.unsqueeze(1) * self.capacity + slots).flatten()
        return self._fields(self._items[rows], slots)

    def arrays(self, usage: NDArray[np.int32]) -> Items:
        """Return a ring of transitions as compiled loops read and change it, with its `ItemUsage`."""
        offsets = self._layout.offsets()
        return Items(
            words=self._item_words,
            singles=self._items.view(torch.float32).numpy(),
            action_at=offsets["action"] // 8,
            observation_at=offsets["observation"] // 4,
            reward_at=offsets["reward"] // 4,
            discount_at=offsets["discount"] // 4,
            next_observation_at=offsets["next_observation"] // 4,
            capacity=self.capacity,
            size=self._size,
            newest=self._newest,
            usage=usage,
        )

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`; shares memory with the ring."""
        used = int(self.size.max())
        items = self._items.view(self.lanes, self.capacity, -1)[:, :used]
        return {"size": self.size, "newest": self.newest, "items": items}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self.size.copy_(state["size"])
        self.newest.copy_(state["newest"])
        saved = state["items"]
        self._items.view(self.lanes, self.capacity, -1)[:, : saved.shape[1]] = saved

    def _fields(self, rows: Tensor, slots: Tensor) -> dict[str, Tensor]:
        """Return views `[L, B, *shape]` of the fields in items `[L * B, item_bytes]`."""
        fields = self._layout.split(rows)
        return {name: values.view(*slots.shape, *values.shape[1:]) for name, values in fields.items()}
