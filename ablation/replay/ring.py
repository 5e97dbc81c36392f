"""Where replayed items live: one preallocated ring per field, all lanes in one tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor


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
    """The newest `capacity` items of each lane; appending to a full lane overwrites its oldest.

    A field is stored as `[L * C, *shape]`; slot `c` of lane `l` is row `l * C + c`.
    """

    def __init__(
        self, fields: Mapping[str, Field], lanes: int, capacity: int, device: torch.device
    ) -> None:
        self.lanes = lanes
        self.capacity = capacity
        self.appended = 0
        self._rows = torch.arange(lanes, device=device).unsqueeze(1) * capacity
        self._values = {
            name: torch.zeros((lanes * capacity, *field.shape), dtype=field.dtype, device=device)
            for name, field in fields.items()
        }

    @property
    def size(self) -> int:
        """Return the number of items a lane holds."""
        return min(self.appended, self.capacity)

    @property
    def newest(self) -> int:
        """Return the slot of the item appended last."""
        return (self.appended - 1) % self.capacity

    def append(self, item: Mapping[str, Tensor]) -> int:
        """Store one item per lane, values `[L, *shape]`, and return the slot it took."""
        slot = self.appended % self.capacity
        for name, values in self._values.items():
            values.view(self.lanes, self.capacity, *values.shape[1:])[:, slot] = item[name]
        self.appended += 1
        return slot

    def gather(self, slots: Tensor) -> dict[str, Tensor]:
        """Return the items at `slots [L, B]`: a tensor `[L, B, *shape]` for each field."""
        rows = (self._rows + slots).flatten()
        return {
            name: values.index_select(0, rows).view(*slots.shape, *values.shape[1:])
            for name, values in self._values.items()
        }
