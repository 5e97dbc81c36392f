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

import numpy as np
from numba import njit


class ReaPER:
    """Draws in proportion to `R^omega |d|^alpha`; arrays are `[L, C]`, -1 stands for no slot."""

    needs = {"position", "terminated", "truncated"}

    def __init__(self, lanes, capacity, batch_size, alpha=0.4, omega=0.2, truncation_ends=True):
        self.alpha, self.omega, self.truncation_ends = float(alpha), float(omega), truncation_ends
        shape = lanes, capacity
        self.error, self.priority = np.zeros(shape), np.zeros(shape)
        self.previous, self.following = np.full(shape, -1), np.full(shape, -1)
        self.over = np.zeros(shape, bool)
        self.latest, self.largest = np.full(lanes, -1), np.ones(lanes)

    def added(self, items):
        """Link new items to the one before in their episode."""
        over = items.terminated | items.truncated if self.truncation_ends else items.terminated
        _add(items.lanes, items.slots, items.position, over, *self._arrays)

    def sample(self, items, random):
        """Return slots `[L, B]` drawn in proportion to the priorities, with replacement."""
        slots = np.empty(random.shape, np.int64)
        _draw(self.priority, items.size, random, slots)
        return slots

    def update_priorities(self, slots, errors):
        """Note the errors, and rate anew every episode that one of them belongs to."""
        _update(slots, errors, *self._arrays)

    def probabilities(self, items, slots):
        """Return the probability per draw of the items at `slots [L, B]`."""
        return np.take_along_axis(self.priority, slots, 1) / self.priority.sum(axis=1, keepdims=True)

    @property
    def _arrays(self):
        links = self.previous, self.following, self.over, self.latest, self.largest
        return self.error, self.priority, *links, self.alpha, self.omega


@njit(cache=True)
def _add(
    lanes, slots, position, over, error, priority, previous, following, ends, latest, largest, alpha, omega
):
    for row in range(len(lanes)):
        lane, slot = lanes[row], slots[row]
        rest = _remove(slot, lane, previous[lane], following[lane], ends[lane], latest)
        error[lane, slot] = 0.0
        if rest >= 0:
            _rate(rest, error[lane], priority[lane], previous[lane], following[lane], ends[lane], alpha, omega)
        before = latest[lane] if position[row] > 0 else -1
        previous[lane, slot], following[lane, slot] = before, -1
        if before >= 0:
            following[lane, before] = slot
        latest[lane], ends[lane, slot] = slot, over[row]
        error[lane, slot], priority[lane, slot] = largest[lane], largest[lane] ** alpha
        if over[row]:
            _rate(slot, error[lane], priority[lane], previous[lane], following[lane], ends[lane], alpha, omega)


@njit(cache=True)
def _update(
    slots, errors, error, priority, previous, following, ends, latest, largest, alpha, omega
):
    for lane in range(len(slots)):
        rated = np.full(slots.shape[1], -1)
        for draw in range(slots.shape[1]):
            size = abs(errors[lane, draw])
            size = size if np.isfinite(size) else largest[lane]
            error[lane, slots[lane, draw]] = size
            largest[lane] = max(largest[lane], size)
        for draw in range(slots.shape[1]):
            last = _last(slots[lane, draw], following[lane])
            if not (rated[:draw] == last).any():
                _rate(last, error[lane], priority[lane], previous[lane], following[lane], ends[lane], alpha, omega)
            rated[draw] = last


@njit(cache=True)
def _rate(slot, error, priority, previous, following, ends, alpha, omega):
    """Give every transition of an episode the priority that follows from all of its errors."""
    last = _last(slot, following)
    total = _sum(last, error, previous)
    bound = total if ends[last] else _largest_sum(error, previous, following)
    later = bound - total
    at = last
    while at >= 0:
        reliability = 1 - later / bound if bound > 0 else 1.0
        priority[at] = max(reliability, 0.0) ** omega * error[at] ** alpha
        later += error[at]
        at = previous[at]


@njit(cache=True)
def _largest_sum(error, previous, following):
    """Return the largest sum of errors of any stored episode."""
    largest = 0.0
    for slot in range(len(error)):
        if following[slot] < 0:
            largest = max(largest, _sum(slot, error, previous))
    return largest


@njit(cache=True)
def _last(slot, following):
    while following[slot] >= 0:
        slot = following[slot]
    return slot


@njit(cache=True)
def _sum(last, error, previous):
    total = 0.0
    while last >= 0:
        total += error[last]
        last = previous[last]
    return total


@njit(cache=True)
def _remove(slot, lane, previous, following, ends, latest):
    """Take an item out of its episode; return another slot of the episode, -1 if there is none."""
    before, after = previous[slot], following[slot]
    if before >= 0:
        following[before] = after
        if after < 0:
            ends[before] = ends[slot]
    if after >= 0:
        previous[after] = before
    if latest[lane] == slot:
        latest[lane] = before
    previous[slot] = following[slot] = -1
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
