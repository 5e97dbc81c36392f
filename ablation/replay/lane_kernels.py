"""The replay buffer of one lane, compiled: add a transition, sample a batch, update priorities.

The arrays are those of `ReplayBuffer`, which does the same for all lanes at once; `[L, ...]`: all lanes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ablation.numerics.compiled import borrowing, merged
from ablation.numerics.elementary import power
from ablation.replay import kernels
from ablation.replay.kernels import MAX, MIN, SUM, Counts, Doubles, Integers, Singles
from ablation.replay.new_item_kernels import lane_new_items
from ablation.replay.own_kernels import OwnKernels, sample_lane
from ablation.replay.prefetch_kernels import prefetch_items

RECENT, UNIFORM, SUBSET, PRIORITIZED, NEW_ITEMS, OWN = range(6)
"""Samplers: see the classes of these names in `samplers`, `prioritized` and `own`."""
NOT_NORMALIZED, BATCH_MAX, BUFFER_MAX = range(3)
"""What importance-sampling weights are divided by."""


class Items(NamedTuple):
    """A `Ring` and its `ItemUsage`: rows `words [L * C, W]`, the same as `singles [L * C, 2 * W]`.

    `*_at` say where an item's fields begin: the action among words, the others among singles. `usage`
    is int32 `[L, C, 3]`.
    """

    words: Integers
    singles: Singles
    action_at: int
    observation_at: int
    reward_at: int
    discount_at: int
    next_observation_at: int
    capacity: int
    size: Integers
    newest: Integers
    usage: Counts


class Window(NamedTuple):
    """The transitions of an `NStep`: `[n, L, O]`, `[n, L]`, `[n, L]`, and how many there are, `[L]`.

    Of length 0 where transitions are stored as they are. `factors [n]` are powers of the discount.
    """

    observation: Singles
    action: Integers
    reward: Singles
    filled: Integers
    discount: np.float32
    factors: Singles


class Sampling(NamedTuple):
    """How a batch is drawn: `draws` slots, and the newest if `combined`; see `prioritized.Draws`."""

    sampler: int
    draws: int
    combined: bool
    stratified: bool
    replacement: bool
    uniform_share: float
    normalization: int
    weighted: bool


class Priorities(NamedTuple):
    """The arrays of `Prioritized`: trees `[L, T]`, tables `[L, C]`; what is not needed is empty.

    `new_error` is the error of new items; if negative, the largest seen or, with `maxima`, present.
    """

    starts: Integers
    sums: Doubles
    minima: Doubles
    maxima: Doubles
    errors: Doubles
    ranked: Doubles
    largest: Doubles
    inside: float
    outside: float
    new_error: float


class Buffer(NamedTuple):
    """All parts of a `ReplayBuffer`."""

    items: Items
    window: Window
    sampling: Sampling
    priorities: Priorities
    own: OwnKernels


class Sample(NamedTuple):
    """A batch of one lane, `[B]`, and scratch of as many numbers."""

    slots: Integers
    probabilities: Doubles
    errors: Doubles
    masses: Doubles
    nodes: Integers


@borrowing
def copy(source: Singles, target: Singles) -> None:
    """Copy one vector to another of the same length."""
    for part in range(len(source)):
        target[part] = source[part]


@merged
def add(
    buffer: Buffer,
    lane: int,
    observation: Singles,
    action: int,
    reward: np.float32,
    discount: np.float32,
    next_observation: Singles,
    ended: bool,
    words: Integers,
    exponent: float,
    clocks: tuple[int, int],
    sample: Sample,
) -> None:
    """Store the items that one transition completes; see `ReplayBuffer.add` and `NStep.push`.

    `words [n]` choose what full lanes overwrite, none: the oldest. `clocks` are the environment and
    gradient steps of the new items' records.
    """
    window = buffer.window
    n = len(window.observation)
    if n == 0:
        slot = _new_slot(buffer.items, lane, words[0] if len(words) else -1, clocks)
        _write_item(buffer.items, lane, slot, observation, action, reward, discount, next_observation)
        _on_add(buffer, lane, slot, exponent, sample)
        return
    count = window.filled[lane]
    copy(observation, window.observation[count, lane])
    window.action[count, lane] = action
    window.reward[count, lane] = reward
    count += 1
    complete = count if ended else (1 if count == n else 0)
    for start in range(complete):
        total = np.float32(0)
        for step in range(count - 1, start - 1, -1):
            total = window.reward[step, lane] + window.discount * total
        slot = _new_slot(buffer.items, lane, words[start] if len(words) else -1, clocks)
        _write_item(
            buffer.items,
            lane,
            slot,
            window.observation[start, lane],
            window.action[start, lane],
            total,
            window.factors[count - start - 1] * discount,
            next_observation,
        )
        _on_add(buffer, lane, slot, exponent, sample)
    if count == n:
        _roll(window, lane)
        count -= 1
    window.filled[lane] = 0 if ended else count


@merged
def _roll(window: Window, lane: int) -> None:
    """Move every transition of a full window one place forward, the first to the end."""
    for step in range(len(window.observation) - 1):
        here, following = window.observation[step, lane], window.observation[step + 1, lane]
        for part in range(len(here)):
            here[part], following[part] = following[part], here[part]
        first, second = window.action[step, lane], window.action[step + 1, lane]
        window.action[step, lane], window.action[step + 1, lane] = second, first
        one, other = window.reward[step, lane], window.reward[step + 1, lane]
        window.reward[step, lane], window.reward[step + 1, lane] = other, one


@merged
def _new_slot(items: Items, lane: int, word: int, clocks: tuple[int, int]) -> int:
    slot = kernels.take_slot(lane, items.capacity, word, items.size, items.newest)
    usage = items.usage[lane, slot]
    usage[0], usage[1], usage[2] = clocks[0], clocks[1], 0
    return slot


@merged
def _write_item(
    items: Items,
    lane: int,
    slot: int,
    observation: Singles,
    action: int,
    reward: np.float32,
    discount: np.float32,
    next_observation: Singles,
) -> None:
    row = lane * items.capacity + slot
    items.words[row, items.action_at] = action
    single = items.singles[row]
    single[items.reward_at], single[items.discount_at] = reward, discount
    for part in range(len(observation)):
        single[items.observation_at + part] = observation[part]
        single[items.next_observation_at + part] = next_observation[part]


@merged
def _on_add(buffer: Buffer, lane: int, slot: int, exponent: float, sample: Sample) -> None:
    """Give a new item the error that new items start with; see `Prioritized.on_add`."""
    priorities = buffer.priorities
    if buffer.sampling.sampler == OWN:
        buffer.own.added(buffer.own.state[lane], slot)
    if buffer.sampling.sampler != PRIORITIZED:
        return
    error = priorities.largest[lane, 0]
    if len(priorities.maxima):
        error = kernels.root(priorities.maxima[lane], priorities.starts, MAX)
        error = error if error > -np.inf else 1.0
    elif priorities.new_error >= 0:
        error = priorities.new_error
    sample.slots[0], sample.errors[0] = slot, error
    _write(priorities, lane, sample.slots[:1], sample.errors[:1], exponent, sample)


@borrowing
def _write(
    priorities: Priorities, lane: int, slots: Integers, errors: Doubles, exponent: float, sample: Sample
) -> None:
    """Write items' absolute errors and the masses that follow from them; see `Prioritized`."""
    starts, masses, nodes = priorities.starts, sample.masses[: len(slots)], sample.nodes
    inside, outside = priorities.inside, priorities.outside
    if len(priorities.ranked):
        for draw in range(len(slots)):
            masses[draw] = kernels.rank_of(priorities.ranked[lane], -errors[draw])
        for draw in range(len(slots)):
            masses[draw] = power(masses[draw], -exponent)
    else:
        for draw in range(len(slots)):
            masses[draw] = kernels.priority(errors[draw], inside, exponent, outside)
    kernels.lane_write(priorities.sums[lane], starts, SUM, slots, masses, nodes)
    if len(priorities.minima):
        kernels.lane_write(priorities.minima[lane], starts, MIN, slots, masses, nodes)
    if len(priorities.maxima):
        kernels.lane_write(priorities.maxima[lane], starts, MAX, slots, errors, nodes)
    if priorities.errors.shape[1]:
        for draw in range(len(slots)):
            priorities.errors[lane, slots[draw]] = errors[draw]


@merged
def draw(
    buffer: Buffer, lane: int, gradient_steps: int, words: Integers, sample: Sample, weights: Singles
) -> None:
    """Write a batch's slots, prioritized draws' probabilities, new items' weights; count the draws."""
    items, sampling = buffer.items, buffer.sampling
    if sampling.sampler == NEW_ITEMS:
        at = items.usage, items.size, items.newest, lane
        lane_new_items(*at, gradient_steps, sample.slots, weights)
        return
    size, slots = items.size[lane], sample.slots[: sampling.draws]
    if sampling.sampler == PRIORITIZED:
        _draw_by_mass(buffer, lane, words, slots, sample)
        prefetch_items(items.singles, items.usage, items.capacity, lane, slots)
    elif sampling.sampler == OWN:
        counts = size, items.newest[lane], items.capacity
        sample_lane(buffer.own, lane, counts, words, slots, sample.probabilities[: sampling.draws])
    else:
        _draw_unweighted(buffer, lane, words, slots)
    if sampling.combined:
        sample.slots[sampling.draws] = items.newest[lane]
        if sampling.sampler == PRIORITIZED:
            chance = _probability(buffer, lane, items.newest[lane])
            sample.probabilities[sampling.draws] = chance
    for number in range(len(sample.slots)):
        items.usage[lane, sample.slots[number], 2] += 1


@merged
def _draw_unweighted(buffer: Buffer, lane: int, words: Integers, slots: Integers) -> None:
    """Draw by `Uniform`, `UniformSubset` or `Recent`."""
    items, sampler, size = buffer.items, buffer.sampling.sampler, buffer.items.size[lane]
    for number in range(len(slots)):
        if sampler == UNIFORM:
            slots[number] = (words[number] * size) >> 32
        elif sampler == SUBSET:
            slots[number] = kernels.new_of_subset(slots, number, size, words[number])
        elif sampler == RECENT:
            slots[number] = (items.newest[lane] - (len(slots) - 1 - number)) % items.capacity


@merged
def _draw_by_mass(buffer: Buffer, lane: int, words: Integers, slots: Integers, sample: Sample) -> None:
    sampling, priorities, count = buffer.sampling, buffer.priorities, len(slots)
    row, starts = priorities.sums[lane], priorities.starts
    chances = sample.probabilities[:count]
    if not sampling.replacement:
        _draw_subset(row, starts, words, slots, sample)
    else:
        kernels.lane_draw(row, starts, words[:count], sampling.stratified, slots, chances)
        if sampling.uniform_share:
            for number in range(count):
                if words[count + number] * 2.0**-32 < sampling.uniform_share:
                    slots[number] = (words[2 * count + number] * buffer.items.size[lane]) >> 32
    if sampling.uniform_share or not sampling.replacement:
        for number in range(count):
            chances[number] = _probability(buffer, lane, slots[number])


@merged
def _draw_subset(
    row: Doubles, starts: Integers, words: Integers, slots: Integers, sample: Sample
) -> None:
    """Draw one by one, each time from what is left; see `Prioritized`."""
    masses, zero = sample.masses[: len(slots)], sample.errors[:1]
    for number in range(len(slots)):
        one = slots[number : number + 1]
        zero[0] = words[number] * 2.0**-32 * kernels.root(row, starts, SUM)
        kernels.lane_find(row, starts, zero, one)
        masses[number] = row[one[0]]
        zero[0] = 0.0
        kernels.lane_write(row, starts, SUM, one, zero, sample.nodes)
    kernels.lane_write(row, starts, SUM, slots, masses, sample.nodes)


@borrowing
def _probability(buffer: Buffer, lane: int, slot: int) -> float:
    """Return an item's share of the mass, mixed with the uniform share."""
    row = buffer.priorities.sums[lane]
    share = row[slot] / kernels.root(row, buffer.priorities.starts, SUM)
    return _mixed(share, buffer.sampling.uniform_share, buffer.items.size[lane])


@merged
def _mixed(share: float, uniform_share: float, size: int) -> float:
    return (1 - uniform_share) * share + uniform_share / size if uniform_share else share


@merged
def weights(buffer: Buffer, lane: int, exponent: float, sample: Sample, result: Singles) -> None:
    """Write the importance-sampling weights `[B]` of a batch; see `importance_weights`."""
    sampling, priorities = buffer.sampling, buffer.priorities
    if not sampling.weighted:
        if sampling.sampler != NEW_ITEMS:  # `draw` has written those
            result[:] = 1
        return
    size, lowest = float(buffer.items.size[lane]), 1.0
    if sampling.normalization == BUFFER_MAX:
        least = kernels.root(priorities.minima[lane], priorities.starts, MIN)
        share = least / kernels.root(priorities.sums[lane], priorities.starts, SUM)
        lowest = size * _mixed(share, sampling.uniform_share, buffer.items.size[lane])
    by_batch = sampling.normalization == BATCH_MAX
    kernels.lane_weights(sample.probabilities, size, lowest, by_batch, exponent, result)


@merged
def update_priorities(
    buffer: Buffer, lane: int, errors: Singles, exponent: float, sample: Sample
) -> None:
    """Note the TD errors `[B]` of the batch that was drawn last."""
    if buffer.sampling.sampler == OWN:
        buffer.own.update_priorities(buffer.own.state[lane], sample.slots, errors)
    elif buffer.sampling.sampler == PRIORITIZED:
        kernels.lane_note(errors, lane, buffer.priorities.largest, sample.errors)
        _write(buffer.priorities, lane, sample.slots, sample.errors, exponent, sample)


@merged
def gather(
    items: Items,
    lane: int,
    slots: Integers,
    observation: Singles,
    action: Integers,
    reward: Singles,
    discount: Singles,
    next_observation: Singles,
) -> None:
    """Copy the items at `slots [B]` to the fields of a batch: `[B, O]` each, or `[B]`."""
    size = observation.shape[1]
    for number in range(len(slots)):
        row = lane * items.capacity + slots[number]
        single = items.singles[row]
        action[number] = items.words[row, items.action_at]
        reward[number], discount[number] = single[items.reward_at], single[items.discount_at]
        for part in range(size):
            observation[number, part] = single[items.observation_at + part]
            next_observation[number, part] = single[items.next_observation_at + part]
