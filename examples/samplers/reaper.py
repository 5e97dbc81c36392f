"""ReaPER: reliability-adjusted prioritized replay (Pleiss, Sutter & Schiffer, ICLR 2026).

A TD error counts less where the target that it was computed with is less reliable. The reliability of
transition t of an episode of n is, of the sum of all absolute TD errors, the share up to t:

    R_t = 1 - (|d_(t+1)| + ... + |d_n|) / (|d_1| + ... + |d_n|),   priority R_t^omega |d_t|^alpha.

What the paper leaves to the implementation, and what is done here:

* A new transition's error is not known. As in prioritized replay it has the largest error seen and a
  reliability of 1, until a gradient step learns from its episode or the episode ends.
* An episode that goes on has no sum. In its place stands the largest sum of any stored episode, F:
  R_t = (|d_1| + ... + |d_t|) / F.
* An episode that a time limit truncates counts as ended, as in the authors' code; with
  `truncation_ends: false` it counts as one that goes on, since its last target is bootstrapped too.
* Sums are over the transitions that are still stored.
"""

from typing import NamedTuple

import numpy as np
from numba import njit


class Table(NamedTuple):
    """What is remembered of stored transitions, `[L, C]`, and of lanes, `[L]`; -1 stands for no slot.

    `previous` and `following` are the slots of the neighbors in an episode, `over` says that it ended
    with this one. `latest` is the slot stored last, `largest` the largest error seen.
    """

    error: np.ndarray
    priority: np.ndarray
    previous: np.ndarray
    following: np.ndarray
    over: np.ndarray
    latest: np.ndarray
    largest: np.ndarray
    alpha: float
    omega: float


class ReaPER:
    """Draws in proportion to `R^omega |d|^alpha`."""

    needs = frozenset({"position", "terminated", "truncated"})

    def __init__(self, lanes, capacity, batch_size, alpha=0.4, omega=0.2, truncation_ends=True):
        self.truncation_ends = truncation_ends
        shape = lanes, capacity
        self.table = Table(
            np.zeros(shape),
            np.zeros(shape),
            np.full(shape, -1),
            np.full(shape, -1),
            np.zeros(shape, bool),
            np.full(lanes, -1),
            np.ones(lanes),
            float(alpha),
            float(omega),
        )

    def added(self, items):
        """Link new items to the one before in their episode."""
        over = items.terminated | items.truncated if self.truncation_ends else items.terminated
        _add(self.table, items.lanes, items.slots, items.position, over)

    def sample(self, items, random):
        """Return slots `[L, B]` drawn in proportion to the priorities, with replacement."""
        slots = np.empty(random.shape, np.int64)
        _draw(self.table.priority, items.size, random, slots)
        return slots

    def update_priorities(self, slots, errors):
        """Note the errors, and rate anew every episode that one of them belongs to."""
        _update(self.table, slots, errors)

    def probabilities(self, items, slots):
        """Return the probability per draw of the items at `slots [L, B]`."""
        priority = self.table.priority
        return np.take_along_axis(priority, slots, 1) / priority.sum(axis=1, keepdims=True)


@njit(cache=True)
def _add(table, lanes, slots, position, over):
    for row in range(len(lanes)):
        lane, slot = lanes[row], slots[row]
        rest = _remove(table, lane, slot)
        if rest >= 0:
            _rate(table, lane, rest)
        before = table.latest[lane] if position[row] > 0 else -1
        table.previous[lane, slot], table.following[lane, slot] = before, -1
        if before >= 0:
            table.following[lane, before] = slot
        table.latest[lane], table.over[lane, slot] = slot, over[row]
        table.error[lane, slot] = table.largest[lane]
        table.priority[lane, slot] = table.largest[lane] ** table.alpha
        if over[row]:
            _rate(table, lane, slot)


@njit(cache=True)
def _update(table, slots, errors):
    for lane in range(len(slots)):
        for draw in range(slots.shape[1]):
            size = abs(errors[lane, draw])
            size = size if np.isfinite(size) else table.largest[lane]
            table.error[lane, slots[lane, draw]] = size
            table.largest[lane] = max(table.largest[lane], size)
        rated = np.full(slots.shape[1], -1)
        for draw in range(slots.shape[1]):
            last = _last(table, lane, slots[lane, draw])
            if not (rated[:draw] == last).any():
                _rate(table, lane, last)
            rated[draw] = last


@njit(cache=True)
def _rate(table, lane, slot):
    """Give every transition of an episode the priority that follows from all of its errors."""
    at = _last(table, lane, slot)
    total = _sum(table, lane, at)
    bound = total if table.over[lane, at] else _largest_sum(table, lane)
    later = bound - total
    while at >= 0:
        reliability = max(1 - later / bound, 0.0) if bound > 0 else 1.0
        table.priority[lane, at] = reliability**table.omega * table.error[lane, at] ** table.alpha
        later += table.error[lane, at]
        at = table.previous[lane, at]


@njit(cache=True)
def _largest_sum(table, lane):
    """Return the largest sum of errors of any stored episode."""
    largest = 0.0
    for slot in range(table.error.shape[1]):
        if table.following[lane, slot] < 0:
            largest = max(largest, _sum(table, lane, slot))
    return largest


@njit(cache=True)
def _last(table, lane, slot):
    while table.following[lane, slot] >= 0:
        slot = table.following[lane, slot]
    return slot


@njit(cache=True)
def _sum(table, lane, last):
    total = 0.0
    while last >= 0:
        total += table.error[lane, last]
        last = table.previous[lane, last]
    return total


@njit(cache=True)
def _remove(table, lane, slot):
    """Take an item out of its episode; return another slot of the episode, -1 if there is none."""
    before, after = table.previous[lane, slot], table.following[lane, slot]
    if before >= 0:
        table.following[lane, before] = after
        if after < 0:
            table.over[lane, before] = table.over[lane, slot]
    if after >= 0:
        table.previous[lane, after] = before
    if table.latest[lane] == slot:
        table.latest[lane] = before
    table.previous[lane, slot] = table.following[lane, slot] = -1
    table.error[lane, slot] = 0.0
    return before if after < 0 else after


@njit(cache=True)
def _draw(priority, size, random, slots):
    """Write the slots at which the running sum of priorities passes `random` of the whole sum."""
    for lane in range(len(slots)):
        sums = np.cumsum(priority[lane, : size[lane]])
        for draw in range(slots.shape[1]):
            if sums[-1] > 0:
                slot = np.searchsorted(sums, random[lane, draw] * sums[-1], side="right")
            else:
                slot = int(random[lane, draw] * size[lane])
            slots[lane, draw] = min(slot, size[lane] - 1)
