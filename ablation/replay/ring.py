"""Where replayed items live: one preallocated ring, all lanes and fields in one block of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.numerics.compiled import runs_compiled
from ablation.numerics.random_streams import integers
from ablation.replay import kernels

WORDS = {1: torch.uint8, 4: torch.int32, 8: torch.int64}
"""What items are copied as, by the bytes of their widest value; they begin at multiples of these."""


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
    """Where in an item's bytes its fields lie, widest values first: drawing one is one read."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = dict(sorted(fields.items(), key=lambda pair: -pair[1].dtype.itemsize))
        used = sum(field.bytes_per_item for field in fields.values())
        word = max(field.dtype.itemsize for field in fields.values())
        self.word = WORDS[word]
        self.item_bytes = -(-used // word) * word

    def split(self, items: Tensor) -> dict[str, Tensor]:
        """Return views `[N, *shape]` of the fields in `items`, bytes `[N, item_bytes]`."""
        views, offset = {}, 0
        for name, field in self._fields.items():
            end = offset + field.bytes_per_item
            values = items[:, offset:end].view(field.dtype)
            views[name] = values.view(-1, *field.shape)
            offset = end
        return views


def storage_bytes(fields: Mapping[str, Field], lanes: int, capacity: int) -> int:
    """Return the bytes that a `Ring` of this size allocates for its items."""
    return lanes * capacity * Layout(fields).item_bytes


class Ring:
    """Up to `capacity` items of each lane; a full lane's new item takes an old one's slot.

    Items are rows of bytes; slot `c` of lane `l` is row `l * C + c`. `size` and `newest` are int64
    `[L]`: a lane's number of items, and the slot of the one appended last.
    """

    def __init__(
        self, fields: Mapping[str, Field], lanes: int, capacity: int, device: torch.device
    ) -> None:
        self.lanes = lanes
        self.capacity = capacity
        self.size = torch.zeros(lanes, dtype=torch.int64, device=device)
        self.newest = torch.full((lanes,), -1, dtype=torch.int64, device=device)
        self._first_rows = torch.arange(lanes, device=device) * capacity
        self._layout = Layout(fields)
        width = self._layout.item_bytes
        self._items = torch.zeros((lanes * capacity, width), dtype=torch.uint8, device=device)
        self._arriving = torch.zeros((lanes, width), dtype=torch.uint8, device=device)
        self._fields_arriving = self._layout.split(self._arriving)
        self._drawn = torch.empty((0, 0), dtype=torch.uint8, device=device)
        self._fields_drawn: dict[str, Tensor] = {}
        self._lanes = torch.arange(lanes, device=device)
        # Compiled where that is possible, with views made once: making them takes longer than reading.
        self._arrays: _Arrays | None = None
        if runs_compiled(device):
            moving = self._items.view(self._layout.word), self._arriving.view(self._layout.word)
            self._arrays = _Arrays(self.capacity, self.size, self.newest, *moving, self._fields_arriving)

    def append(
        self, item: Mapping[str, Tensor], lanes: Tensor | None = None, bits: Tensor | None = None
    ) -> Tensor:
        """Store one item per lane, values `[L, *shape]`, and return the slots it took, `[L]`.

        Given `lanes`, int64 `[M]`, only those lanes store theirs and `[M]` slots come back. The item
        that makes room in a full lane is the oldest; given random words `bits [L]`, any.
        """
        lanes = self._lanes if lanes is None else lanes
        if self._arrays is not None:
            return self._arrays.store(item, lanes, bits)
        if bits is None:
            slots = (self.newest + 1) % self.capacity
        else:
            slots = torch.where(self.size < self.capacity, self.size, integers(bits, self.capacity))
        slots = slots[lanes]
        self.newest[lanes] = slots
        self.size[lanes] = (self.size[lanes] + 1).clamp(max=self.capacity)
        for name, values in self._fields_arriving.items():
            values.copy_(item[name])
        self._items.index_copy_(0, self._first_rows[lanes] + slots, self._arriving[lanes])
        return slots

    def gather(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the items at `slots [L, B]`: a tensor `[L, B, *shape]` for each field.

        They are valid until the next call, which may write its items into the same memory.
        """
        if len(self._drawn) != slots.numel():
            self._drawn = self._items.new_empty((slots.numel(), self._layout.item_bytes))
            fields = self._layout.split(self._drawn)
            self._fields_drawn = {
                name: values.view(*slots.shape, *values.shape[1:]) for name, values in fields.items()
            }
        if self._arrays is not None:
            self._arrays.gather(slots, self._drawn)
        else:
            rows = (self._first_rows.unsqueeze(1) + slots).flatten()
            torch.index_select(self._items, 0, rows, out=self._drawn)
        return self._fields_drawn

    def copy_of(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the items at `slots [L, B]` as `gather` does, in memory of their own."""
        rows = (self._first_rows.unsqueeze(1) + slots).flatten()
        fields = self._layout.split(self._items[rows])
        return {name: values.view(*slots.shape, *values.shape[1:]) for name, values in fields.items()}

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs; shares memory with the ring."""
        used = int(self.size.max())
        items = self._items.view(self.lanes, self.capacity, -1)[:, :used]
        return {"size": self.size, "newest": self.newest, "items": items}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self.size.copy_(state["size"])
        self.newest.copy_(state["newest"])
        saved = state["items"]
        self._items.view(self.lanes, self.capacity, -1)[:, : saved.shape[1]] = saved


class _Arrays:
    """A ring's memory as arrays of words, for what is compiled; arguments are the ring's tensors."""

    def __init__(
        self,
        capacity: int,
        size: Tensor,
        newest: Tensor,
        items: Tensor,
        arriving: Tensor,
        fields_arriving: Mapping[str, Tensor],
    ) -> None:
        self._capacity, self._size, self._newest = capacity, size.numpy(), newest.numpy()
        self._items, self._arriving = items.numpy(), arriving.numpy()
        self._fields_arriving = {name: values.numpy() for name, values in fields_arriving.items()}
        self._no_words = np.empty(0, np.int64)
        self._drawn: Tensor | None = None
        self._words_drawn = self._arriving

    def store(self, item: Mapping[str, Tensor], lanes: Tensor, bits: Tensor | None) -> Tensor:
        for name, values in self._fields_arriving.items():
            values[...] = item[name].numpy()
        slots = np.empty(len(lanes), np.int64)
        kernels.store(
            self._items,
            self._capacity,
            self._arriving,
            lanes.numpy(),
            self._no_words if bits is None else bits.numpy(),
            self._size,
            self._newest,
            slots,
        )
        return torch.from_numpy(slots)

    def gather(self, slots: Tensor, drawn: Tensor) -> None:
        if drawn is not self._drawn:
            self._drawn, self._words_drawn = drawn, drawn.numpy().view(self._items.dtype)
        kernels.gather(self._items, self._capacity, slots.numpy(), self._words_drawn)
