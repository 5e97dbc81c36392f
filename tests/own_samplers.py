"""Samplers and eviction rules as users would write them, and mutants that each break one property."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Proportional:
    """Draws in proportion to the latest absolute TD error; new items have the largest one seen."""

    def __init__(self, lanes: int, capacity: int, batch_size: int, floor: float = 0.01) -> None:
        self.floor = floor
        self.priority = np.zeros((lanes, capacity))
        self.largest = np.ones(lanes)

    def added(self, items: Any) -> None:
        self.priority[items.lanes, items.slots] = self.largest[items.lanes]

    def sample(self, items: Any, random: Array) -> Array:
        sums = self.priority.cumsum(axis=1)
        targets = random * sums[:, -1:]
        slots = (sums[:, None, :] <= targets[:, :, None]).sum(axis=2)
        return np.minimum(slots, items.size[:, None] - 1)

    def update_priorities(self, slots: Array, errors: Array) -> None:
        priority = np.abs(errors).astype(float) + self.floor
        np.put_along_axis(self.priority, slots, priority, 1)
        self.largest = np.maximum(self.largest, priority.max(axis=1))

    def probabilities(self, items: Any, slots: Array) -> Array:
        return np.take_along_axis(self.priority, slots, 1) / self.priority.sum(axis=1, keepdims=True)


class GlobalGenerator(Proportional):
    """Takes its random numbers from NumPy's global generator."""

    def sample(self, items: Any, random: Array) -> Array:
        return super().sample(items, np.random.random(random.shape))  # noqa: NPY002


GENERATOR = np.random.default_rng(0)


class ModuleGenerator(Proportional):
    """Takes its random numbers from a generator of its module."""

    def sample(self, items: Any, random: Array) -> Array:
        return super().sample(items, GENERATOR.random(random.shape))


class OwnGenerator(Proportional):
    """Keeps a generator of its own, which no checkpoint has and all lanes share."""

    def __init__(self, lanes: int, capacity: int, batch_size: int) -> None:
        super().__init__(lanes, capacity, batch_size)
        self.generator = np.random.default_rng(0)


class NeighborsSum(Proportional):
    """Gives new items the largest error that any lane has seen."""

    def added(self, items: Any) -> None:
        self.priority[items.lanes, items.slots] = self.largest.max()


class StaleAfterWrap(Proportional):
    """Draws by sums in which an overwritten item keeps the priority of the one before."""

    def __init__(self, lanes: int, capacity: int, batch_size: int) -> None:
        super().__init__(lanes, capacity, batch_size)
        self.drawn = np.zeros((lanes, capacity))

    def added(self, items: Any) -> None:
        super().added(items)
        new = self.drawn[items.lanes, items.slots] == 0
        at = items.lanes[new], items.slots[new]
        self.drawn[at] = self.priority[at]

    def sample(self, items: Any, random: Array) -> Array:
        now, self.priority = self.priority, self.drawn
        slots = super().sample(items, random)
        self.priority = now
        return slots

    def update_priorities(self, slots: Array, errors: Array) -> None:
        super().update_priorities(slots, errors)
        np.put_along_axis(self.drawn, slots, np.take_along_axis(self.priority, slots, 1), 1)


class ForgottenState(Proportional):
    """Saves its priorities and forgets the largest error."""

    def state(self) -> dict[str, Any]:
        return {"priority": self.priority}

    def restore(self, state: dict[str, Any]) -> None:
        self.priority = state["priority"]


class OneSlotOff(Proportional):
    """Counts slots from 1."""

    def sample(self, items: Any, random: Array) -> Array:
        return super().sample(items, random) + 1


class OneSlotOffInRange(Proportional):
    """Counts slots from 1, and the last as 0."""

    def sample(self, items: Any, random: Array) -> Array:
        return (super().sample(items, random) + 1) % items.size[:, None]


class HalfABatch(Proportional):
    """Returns half of the slots that it is asked for."""

    def sample(self, items: Any, random: Array) -> Array:
        return super().sample(items, random)[:, ::2]


class Ends(Proportional):
    """Ends the process."""

    def sample(self, items: Any, random: Array) -> Array:
        os._exit(3)


class Raises(Proportional):
    """Fails by an exception of its own."""

    def sample(self, items: Any, random: Array) -> Array:
        raise KeyError("mine")


class NoUpdate:
    """Lacks a method."""

    def __init__(self, lanes: int, capacity: int, batch_size: int) -> None:
        pass

    def added(self, items: Any) -> None:
        pass

    def sample(self, items: Any, random: Array) -> Array:
        return np.zeros(random.shape, int)


class NotDeclared(Proportional):
    """Looks at what it does not declare."""

    def sample(self, items: Any, random: Array) -> Array:
        return super().sample(items, random) + 0 * items.age[:, :1]


class LowestError:
    """Overwrites the item whose latest TD error is the smallest; new items have the largest seen."""

    def __init__(self, lanes: int, capacity: int) -> None:
        self.error = np.zeros((lanes, capacity))
        self.largest = np.ones(lanes)

    def added(self, items: Any) -> None:
        self.error[items.lanes, items.slots] = self.largest[items.lanes]

    def update_priorities(self, slots: Array, errors: Array) -> None:
        np.put_along_axis(self.error, slots, np.abs(errors).astype(float), 1)
        self.largest = np.maximum(self.largest, np.abs(errors).max(axis=1))

    def evict(self, items: Any, random: Array) -> Array:
        return self.error.argmin(axis=1)


class EvictsBeyond(LowestError):
    """Evicts from a slot that there is not."""

    def evict(self, items: Any, random: Array) -> Array:
        return super().evict(items, random) + items.capacity
