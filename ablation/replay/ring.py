"""Where replayed items live: one preallocated ring per field, all lanes in one tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from ablation.streams import integers


@dataclass(frozen=True)
class Field:
    """Shape of one item's value and its dtype."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes_per_item(self) -> int:
        """Return the memory that one item's value takes."""
        return prod(self.shape) * self.dtype.itemsize


def storage_bytes(fields: Mapping[str, Field], lanes: int, capacity: int) -> int:
    """Return the bytes that a `Ring` of this size allocates for its items."""
    return lanes * capacity * sum(field.bytes_per_item for field in fields.values())


class Ring:
    """Up to `capacity` items of each lane; a full lane's new item takes an old one's slot.

    A field is stored as `[L * C, *shape]`; slot `c` of lane `l` is row `l * C + c`. `size` and
    `newest` are int64 `[L]`: a lane's number of items, and the slot of the one appended last.
    """

    def __init__(
        self, fields: Mapping[str, Field], lanes: int, capacity: int, device: torch.device
    ) -> None:
        self.lanes = lanes
        self.capacity = capacity
        self.size = torch.zeros(lanes, dtype=torch.int64, device=device)
        self.newest = torch.full((lanes,), -1, dtype=torch.int64, device=device)
        self._first_rows = torch.arange(lanes, device=device) * capacity
        self._values = {
            name: torch.zeros((lanes * capacity, *field.shape), dtype=field.dtype, device=device)
            for name, field in fields.items()
        }

    def append(
        self, item: Mapping[str, Tensor], lanes: Tensor | None = None, bits: Tensor | None = None
    ) -> Tensor:
        """Store one item per lane, values `[L, *shape]`, and return the slots it took, `[L]`.

        Given `lanes`, int64 `[M]`, only those lanes store theirs and `[M]` slots come back. The item
        that makes room in a full lane is the oldest; given random words `bits [L]`, any.
        """
        if bits is None:
            slots = (self.newest + 1) % self.capacity
        else:
            slots = torch.where(self.size < self.capacity, self.size, integers(bits, self.capacity))
        if lanes is None:
            self.newest.copy_(slots)
            self.size.add_(1).clamp_(max=self.capacity)
            rows = self._first_rows + slots
        else:
            slots = slots[lanes]
            self.newest[lanes] = slots
            self.size[lanes] = (self.size[lanes] + 1).clamp(max=self.capacity)
            rows = self._first_rows[lanes] + slots
        for name, values in self._values.items():
            values.index_copy_(0, rows, item[name] if lanes is None else item[name][lanes])
        return slots

    def gather(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the items at `slots [L, B]`: a tensor `[L, B, *shape]` for each field."""
        rows = (self._first_rows.unsqueeze(1) + slots).flatten()
        return {
            name: values.index_select(0, rows).view(*slots.shape, *values.shape[1:])
            for name, values in self._values.items()
        }

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs; shares memory with the ring."""
        used = int(self.size.max())
        values = {
            name: values.view(self.lanes, self.capacity, *values.shape[1:])[:, :used]
            for name, values in self._values.items()
        }
        return {"size": self.size, "newest": self.newest, "values": values}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self.size.copy_(state["size"])
        self.newest.copy_(state["newest"])
        for name, values in self._values.items():
            saved = state["values"][name]
            values.view(self.lanes, self.capacity, *values.shape[1:])[:, : saved.shape[1]] = saved
