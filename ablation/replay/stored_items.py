"""What a user's sampler or eviction rule may know of the stored items."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.replay.component import ComponentError
from ablation.replay.item_usage import STORED, ItemUsage
from ablation.replay.ring import Ring

AGE = "age"
FACTS = {
    "episode": np.int64,
    "position": np.int64,
    "terminated": np.bool_,
    "truncated": np.bool_,
    "reward": np.float32,
}
"""What is kept of every item for those that declare it, and its type; `age` follows from the clock."""


def facts_of(path: str, component: Any) -> frozenset[str]:
    """Return what a component declares in `needs`; raises `ComponentError` for what there is not."""
    needs = frozenset(getattr(component, "needs", ()))
    unknown = sorted(needs - {AGE, *FACTS})
    if unknown:
        allowed = ", ".join([AGE, *FACTS])
        raise ComponentError(f"{path}.needs has {', '.join(unknown)}; there are: {allowed}")
    return needs


class StoredItems:
    """The buffer as a user's class sees it; its arrays are read-only.

    `size` and `newest [L]` are a lane's number of items and the slot stored last. Each of `needs` is an
    attribute of shape `[L, C]`; rows have values in slots 0 to `size - 1`:
    `age` in environment steps, `episode` counted from 0 in each lane, `position` of the item in its
    episode from 0, `terminated` and `truncated` where the item's last step ended its episode so,
    `reward` as it is learned from.
    """

    def __init__(self, ring: Ring, usage: ItemUsage, needs: Collection[str]) -> None:
        self.capacity = ring.capacity
        self.size, self.newest = _read_only(ring.size.numpy()), _read_only(ring.newest.numpy())
        self._stored_at = usage.table.numpy()[..., STORED]
        self._env_step = 0
        self._aged = AGE in needs
        shape = ring.lanes, ring.capacity
        self._tables: dict[str, NDArray[Any]] = {
            name: np.zeros(shape, FACTS[name]) for name in FACTS if name in needs
        }
        self._views = {name: _read_only(table) for name, table in self._tables.items()}
        self._episode, self._position = np.zeros((2, ring.lanes), np.int64)
        self._all = np.arange(ring.lanes)

    @property
    def age(self) -> NDArray[np.int64]:
        """Return the environment steps since each item was stored, `[L, C]`."""
        if not self._aged:
            raise _undeclared(AGE)
        return self._env_step - self._stored_at.astype(np.int64)

    def __getattr__(self, name: str) -> Any:
        views = self.__dict__.get("_views", {})
        if name in views:
            return views[name]
        if name in (AGE, *FACTS):
            raise _undeclared(name)
        raise AttributeError(name)

    def at(self, env_step: int) -> None:
        """Set the clock that ages are counted by."""
        self._env_step = env_step

    def on_add(
        self,
        item: Mapping[str, Tensor],
        lanes: Tensor | None,
        slots: Tensor,
        ends: tuple[Tensor, Tensor],
    ) -> Arrived:
        """Note what there is to know of new items at `slots [M]`; `ends [L]`: terminated, truncated."""
        rows = self._all if lanes is None else lanes.numpy()
        at = rows, slots.numpy()
        arrived = Arrived(*at)
        if self._tables:
            terminated, truncated = (end.numpy() for end in ends)
            reward = item["reward"].numpy() if "reward" in self._tables else self._episode
            values = (self._episode, self._position, terminated, truncated, reward)
            for name, value in zip(FACTS, values, strict=True):
                if name in self._tables:
                    fact = value[rows]
                    self._tables[name][at] = fact
                    setattr(arrived, name, fact)
            self._position[rows] += 1
        return arrived

    def end_episodes(self, ended: Tensor) -> None:
        """Begin another episode in the lanes that are True in `ended [L]`."""
        over = ended.numpy()
        self._episode += over
        self._position[over] = 0

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        arrays = self._tables | {"current episode": self._episode, "next position": self._position}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        for name, table in self._tables.items():
            table[...] = state[name].numpy()
        self._episode[:] = state["current episode"].numpy()
        self._position[:] = state["next position"].numpy()


class Arrived:
    """New items: `slots [M]` of `lanes [M]`, and each of `needs` but the age as an attribute `[M]`."""

    def __init__(self, lanes: NDArray[np.int64], slots: NDArray[np.int64]) -> None:
        self.lanes, self.slots = lanes, slots


def _undeclared(name: str) -> ComponentError:
    return ComponentError(f"{name} is not there: declare needs = {{'{name}'}} in the class")


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
