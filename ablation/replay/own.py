"""Samplers and eviction rules of the user's own, named by an import path, behind our protocols.

    class MySampler:
        needs = {"age"}  # optional: what it wants to know of items, see `StoredItems`
        def __init__(self, lanes, capacity, batch_size, **options): ...
        def added(self, items): ...  # new items: `lanes [M]`, `slots [M]`, and its needs
        def sample(self, items, random): ...  # stored items, `[L, B]` in [0, 1) -> slots `[L, B]`
        def update_priorities(self, slots, errors): ...  # `[L, B]` each
        def probabilities(self, items, slots): ...  # optional: `[L, B]`, per draw

Arrays are NumPy's; tensors may come back. The attribute `width` asks for another number of random
numbers than one a draw. `state()` and `restore(state)` are optional: attributes are kept. `compiled()`
may return a `CompiledSampler` in place of the three methods. An eviction rule has `added`,
`update_priorities` and `evict(items, random [L]) -> slots [L]`, called when a lane is full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.replay.component import ComponentError, make_component, restore_state, state_of
from ablation.replay.kernels import entropies
from ablation.replay.own_kernels import (
    OwnKernels,
    add_items,
    check_signatures,
    sample_lanes,
    update_lanes,
)
from ablation.replay.ring import Ring
from ablation.replay.samplers import SamplerInputs
from ablation.replay.stored_items import Arrived, StoredItems, facts_of

SAMPLER_METHODS = ("added", "sample", "update_priorities")
EVICTION_METHODS = ("added", "update_priorities", "evict")
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class CompiledSampler:
    """A sampler as kernels: `state [L, K]` float64 and three functions; see `own_kernels`."""

    state: Doubles
    added: Any
    sample: Any
    update_priorities: Any


class OwnSampler:
    """A `Sampler` around a user's object; `items` is set by the buffer that it draws from."""

    items: StoredItems

    def __init__(self, inputs: SamplerInputs) -> None:
        path = self.path = inputs.config.kind
        self._batch_size = inputs.batch_size
        sizes = {"lanes": inputs.lanes, "capacity": inputs.capacity, "batch_size": inputs.batch_size}
        self.component = make_component(path, (), sizes, inputs.options)
        self.needs = facts_of(path, self.component)
        self.width = int(getattr(self.component, "width", inputs.batch_size))
        self.weighted = callable(getattr(self.component, "probabilities", None))
        self.kernels = self._kernels(inputs.lanes)
        for name in SAMPLER_METHODS if self.kernels is None else ():
            if not callable(getattr(self.component, name, None)):
                allowed = f"{', '.join(SAMPLER_METHODS)}, or compiled"
                raise ComponentError(f"{path} has no method {name}; it needs {allowed}")

    def on_add(self, slots: Tensor, lanes: Tensor | None) -> None:
        """Do nothing: the buffer says what there is to know of new items by `added`."""

    def added(self, items: Arrived) -> None:
        """Hand on new items."""
        if self.kernels is not None:
            add_items(self.kernels, items.lanes, items.slots)
        else:
            self.component.added(items)

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return the slots that the user's object draws, and their probabilities, nan if unknown."""
        if self.kernels is not None:
            return self._sample_compiled(ring, words)
        random = words.numpy() * 2.0**-32
        drawn = self._checked(self.component.sample(self.items, random), ring)
        slots = torch.from_numpy(drawn)
        return slots, self.probabilities(ring, slots)

    def probabilities(self, ring: Ring, slots: Tensor) -> Tensor:  # noqa: ARG002
        """Return the probability per draw of the items at `slots [L, B]`, nan where it has none."""
        if not self.weighted:
            return torch.full(slots.shape, torch.nan, dtype=torch.float64)
        given = np.asarray(self.component.probabilities(self.items, slots.numpy()), np.float64)
        if given.shape != slots.shape or not np.isfinite(given).all() or (given < 0).any():
            expected = f"finite numbers from 0 on of shape {tuple(slots.shape)}"
            raise ComponentError(
                f"{self.path}.probabilities returned shape {given.shape}, "
                f"{np.nanmin(given, initial=np.inf):g} to {np.nanmax(given, initial=-np.inf):g}; "
                f"expected are {expected}"
            )
        return torch.from_numpy(np.ascontiguousarray(given))

    def smallest_probability(self, ring: Ring) -> Tensor:
        """Return the smallest probability per draw of each lane's items, `[L]`."""
        return torch.where(self._stored(ring), self._of_all(ring), torch.inf).amin(dim=1)

    def sampling_entropy(self, ring: Ring) -> tuple[Tensor, Tensor] | None:
        """Return the entropy in nats of a draw and 1 / sum P^2, `[L]` each; None where it has none."""
        if not self.weighted:
            return None
        shares = torch.where(self._stored(ring), self._of_all(ring), 0.0)
        result = np.empty((2, ring.lanes))
        entropies(shares.numpy(), ring.size.numpy(), shares.sum(dim=1).numpy(), 0.0, result)
        entropy, effective = torch.from_numpy(result)
        return entropy, effective

    def update_priorities(self, slots: Tensor, errors: Tensor) -> None:
        """Hand on the TD errors `[L, B]` of the items at `slots [L, B]`."""
        if self.kernels is not None:
            update_lanes(self.kernels, slots.contiguous().numpy(), errors.contiguous().numpy())
        else:
            self.component.update_priorities(slots.numpy(), errors.numpy())

    def check_kernels(self) -> None:
        """Raise `ComponentError` if a kernel has drawn a slot that holds no item."""
        refused = np.flatnonzero(() if self.kernels is None else self.kernels.refused[:, 1])
        if len(refused):
            slot, size = self.kernels.refused[refused[0]]  # type: ignore[union-attr]
            raise self._out_of_range(int(slot), int(refused[0]), int(size))

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        return {"component": state_of(self.component)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        restore_state(self.component, state["component"])

    def _kernels(self, lanes: int) -> OwnKernels | None:
        if not hasattr(self.component, "compiled"):
            return None
        given = self.component.compiled()
        state = getattr(given, "state", None)
        if not isinstance(given, CompiledSampler) or not (
            isinstance(state, np.ndarray) and state.dtype == np.float64 and state.shape[:1] == (lanes,)
        ):
            expected = f"a CompiledSampler with a float64 state of {lanes} rows"
            raise ComponentError(f"{self.path}.compiled() returned {type(given).__name__}: {expected}")
        check_signatures(self.path, given.added, given.sample, given.update_priorities)
        workspace = np.zeros((lanes, self.width)), np.zeros((lanes, 2), np.int64)
        return OwnKernels(state, given.added, given.sample, given.update_priorities, *workspace)

    def _sample_compiled(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:
        assert self.kernels is not None
        slots = np.empty((ring.lanes, self._batch_size), np.int64)
        probabilities = np.full(slots.shape, np.nan)
        counts = ring.size.numpy(), ring.newest.numpy(), ring.capacity
        sample_lanes(self.kernels, *counts, words.contiguous().numpy(), slots, probabilities)
        self.check_kernels()
        return torch.from_numpy(slots), torch.from_numpy(probabilities)

    def _checked(self, given: Any, ring: Ring) -> NDArray[np.int64]:
        """Return slots as int64 `[L, B]`; raises `ComponentError` for others than stored ones."""
        slots, shape = np.asarray(given), (ring.lanes, self._batch_size)
        if slots.shape != shape or slots.dtype.kind not in "iu":
            raise ComponentError(
                f"{self.path}.sample returned {slots.dtype} of shape {slots.shape}; expected are slots, "
                f"integers of shape {shape} (lanes, batch size)"
            )
        slots = np.ascontiguousarray(slots, np.int64)
        size = ring.size.numpy()
        bad = (slots < 0) | (slots >= size[:, None])
        if bad.any():
            lane, draw = np.argwhere(bad)[0]
            raise self._out_of_range(int(slots[lane, draw]), int(lane), int(size[lane]))
        return slots

    def _out_of_range(self, slot: int, lane: int, size: int) -> ComponentError:
        return ComponentError(
            f"{self.path}.sample returned slot {slot} in lane {lane}, whose {size} items are in slots 0 "
            f"to {size - 1}"
        )

    def _stored(self, ring: Ring) -> Tensor:
        return torch.arange(ring.capacity) < ring.size.unsqueeze(1)

    def _of_all(self, ring: Ring) -> Tensor:
        """Return the probabilities of all slots `[L, C]`; those of empty ones mean nothing."""
        slots = torch.arange(ring.capacity).minimum(ring.size.unsqueeze(1) - 1)
        return self.probabilities(ring, slots)


class OwnEviction:
    """Chooses what full lanes overwrite by a user's object; `items` is set by the buffer."""

    items: StoredItems

    def __init__(self, path: str, lanes: int, capacity: int, options: Mapping[str, Any]) -> None:
        self.path = path
        sizes = {"lanes": lanes, "capacity": capacity}
        self.component = make_component(path, EVICTION_METHODS, sizes, options)
        self.needs = facts_of(path, self.component)

    def added(self, items: Arrived) -> None:
        """Hand on new items."""
        self.component.added(items)

    def update_priorities(self, slots: Tensor, errors: Tensor) -> None:
        """Hand on the TD errors `[L, B]` of the items at `slots [L, B]`."""
        self.component.update_priorities(slots.numpy(), errors.numpy())

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        return {"component": state_of(self.component)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        restore_state(self.component, state["component"])

    def words(self, ring: Ring, words: Tensor) -> Tensor:
        """Return the words `[L]` that make `Ring.append` overwrite the slots that the object chooses."""
        full = ring.size.numpy() == ring.capacity
        if not full.any():
            return words
        slots = np.asarray(self.component.evict(self.items, words.numpy() * 2.0**-32))
        if slots.shape != full.shape or slots.dtype.kind not in "iu":
            raise ComponentError(
                f"{self.path}.evict returned {slots.dtype} of shape {slots.shape}; expected are slots, "
                f"integers of shape {full.shape} (lanes)"
            )
        bad = full & ((slots < 0) | (slots >= ring.capacity))
        if bad.any():
            lane = int(np.flatnonzero(bad)[0])
            raise ComponentError(
                f"{self.path}.evict returned slot {slots[lane]} in lane {lane}, which has slots 0 to "
                f"{ring.capacity - 1}"
            )
        # The smallest words that `take_slot` maps to these slots.
        chosen = -(-(slots.astype(np.int64) << 32) // ring.capacity)
        return torch.from_numpy(np.where(full, chosen, words.numpy()))
