"""Compiled loops of the ring, the samplers, the segment tree and the importance weights.

A tree's `values` is float64 `[L, T]`: each level's sections one after another, leaves first. `starts`,
int64, is the offset of each level. Leaves are int64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ablation.numerics.compiled import borrowing, compiled, merged
from ablation.numerics.elementary import log, power
from ablation.numerics.scalars import address_of, prefetch

FAN_OUT = 8
"""Values of a section: one line of a processor's cache."""
SUM, MIN, MAX = 0, 1, 2

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Counts = NDArray[np.int32]


@compiled
def gather(items: Integers, capacity: int, slots: Integers, drawn: Integers) -> None:
    """Copy the items at `slots [L, B]`, rows of words `[L * capacity, W]`, to `drawn [L * B, W]`."""
    lanes, draws = slots.shape
    for lane in range(lanes):
        for draw in range(draws):
            row = lane * capacity + slots[lane, draw]
            for word in range(items.shape[1]):
                drawn[lane * draws + draw, word] = items[row, word]


@borrowing
def take_slot(lane: int, capacity: int, word: int, size: Integers, newest: Integers) -> int:
    """Return the slot for a lane's next item; `size` and `newest [L]` follow.

    In a full lane a random item is overwritten given a `word`, the oldest given a negative one.
    """
    slot: int = (newest[lane] + 1) % capacity
    if word >= 0:
        slot = (word * capacity) >> 32 if size[lane] == capacity else size[lane]
    newest[lane] = slot
    size[lane] = min(size[lane] + 1, capacity)
    return slot


@compiled
def store(
    items: Integers,
    capacity: int,
    arriving: Integers,
    lanes: Integers,
    words: Integers,
    size: Integers,
    newest: Integers,
    slots: Integers,
) -> None:
    """Copy the rows `arriving [L, W]` of `lanes [M]` to the slots `[M]` that they take.

    In a full lane a random item is overwritten given `words [L]`, the oldest given none.
    """
    for row in range(len(lanes)):
        lane = lanes[row]
        slots[row] = take_slot(lane, capacity, words[lane] if len(words) else -1, size, newest)
        for word in range(items.shape[1]):
            items[lane * capacity + slots[row], word] = arriving[lane, word]


@compiled
def uniform(words: Integers, size: Integers, slots: Integers, probabilities: Doubles) -> None:
    """Write `slots [L, B]`, uniform in `[0, size)` of each lane, and the probability of each.

    Words are mapped to slots as in `random_streams.integers`.
    """
    for lane in range(len(size)):
        probability = 1.0 / size[lane]
        for draw in range(slots.shape[1]):
            slots[lane, draw] = (words[lane, draw] * size[lane]) >> 32
            probabilities[lane, draw] = probability


@compiled
def begin(table: Counts, lanes: Integers, slots: Integers, env_step: int, gradient_step: int) -> None:
    """Begin the records of new items at `slots [M]` of `lanes [M]`; see `item_usage`."""
    for row in range(len(lanes)):
        record = table[lanes[row], slots[row]]
        record[0], record[1], record[2] = env_step, gradient_step, 0


@compiled
def count(table: Counts, slots: Integers) -> None:
    """Count the draws of `slots [L, B]` in their records."""
    for lane in range(slots.shape[0]):
        for draw in range(slots.shape[1]):
            table[lane, slots[lane, draw], 2] += 1


@compiled
def draw_counts(table: Counts, size: Integers, result: Doubles) -> None:
    """Write the share of stored items never drawn, and the mean and maximum of draws, `[3, L]`."""
    for lane in range(len(size)):
        never, total, largest = 0, 0, 0
        for slot in range(size[lane]):
            drawn = table[lane, slot, 2]
            never += drawn == 0
            total += drawn
            largest = max(largest, drawn)
        result[0, lane], result[1, lane] = never / size[lane], total / size[lane]
        result[2, lane] = largest


@compiled
def bitwise_pow(base: Doubles, exponent: float, result: Doubles) -> None:
    """Write `base ** exponent`, one number after another."""
    for index in range(len(base)):
        result[index] = power(base[index], exponent)


@compiled
def bitwise_log(values: Doubles, result: Doubles) -> None:
    """Write the natural logarithm of each number."""
    for index in range(len(values)):
        result[index] = log(values[index])


@compiled
def entropies(
    leaves: Doubles, size: Integers, roots: Doubles, uniform_share: float, result: Doubles
) -> None:
    """Write entropy in nats and effective sample size, `[2, L]`, of draws by priorities `[L, C]`.

    An item's probability is its priority over the lane's sum, mixed with the uniform share.
    """
    terms = np.empty(leaves.shape[1])
    for lane in range(len(size)):
        count, root = size[lane], roots[lane]
        added, squares, entropy = uniform_share / count, 0.0, 0.0
        for item in range(count):
            chance = (1.0 - uniform_share) * (leaves[lane, item] / root) + added
            squares += chance * chance
            terms[item] = chance
        # A loop of its own for the logarithms, which vectors compute several at a time.
        for item in range(count):
            chance = terms[item]
            value = chance * log(chance)
            terms[item] = value if chance > 0.0 else 0.0
        for item in range(count):
            entropy -= terms[item]
        result[0, lane], result[1, lane] = entropy, 1.0 / squares


@borrowing
def priority(error: float, inside: float, exponent: float, outside: float) -> float:
    """Return `(error + inside) ** exponent + outside`."""
    raised = power(error + inside, exponent)
    return raised + outside


@compiled
def priorities(errors: Doubles, inside: float, exponent: float, outside: float, result: Doubles) -> None:
    """Write the priorities of errors `[L, B]`, one number after another."""
    for row in range(errors.shape[0]):
        for column in range(errors.shape[1]):
            result[row, column] = priority(errors[row, column], inside, exponent, outside)


@borrowing
def lane_weights(
    probabilities: Doubles, size: float, lowest: float, by_batch: bool, exponent: float, result: Singles
) -> None:
    """Write `(size * P / lowest) ** -exponent`, `[B]`; `by_batch` the lowest is their least."""
    least = np.inf if by_batch else lowest
    for draw in range(len(probabilities) if by_batch else 0):
        least = min(least, size * probabilities[draw])
    for draw in range(len(probabilities)):
        result[draw] = power(size * probabilities[draw] / least, -exponent)


@compiled
def weights(
    probabilities: Doubles,
    size: Integers,
    lowest: Doubles,
    by_batch: bool,
    exponent: float,
    result: Singles,
) -> None:
    """Write `(size * P / lowest) ** -exponent`, `[L, B]`; `by_batch` the lowest is the row's least."""
    for lane in range(len(size)):
        row, count = probabilities[lane], float(size[lane])
        lane_weights(row, count, lowest[lane], by_batch, exponent, result[lane])


@borrowing
def _reduced(section: Doubles, operation: int) -> float:
    """Return the sum of `FAN_OUT` values, four running ones at a time, or the smallest or largest."""
    result: float
    a, b, c, d = section[0], section[1], section[2], section[3]
    for index in range(4, FAN_OUT, 4):
        e, f, g, h = section[index], section[index + 1], section[index + 2], section[index + 3]
        if operation == SUM:
            a, b, c, d = a + e, b + f, c + g, d + h
        elif operation == MIN:
            a, b, c, d = min(a, e), min(b, f), min(c, g), min(d, h)
        else:
            a, b, c, d = max(a, e), max(b, f), max(c, g), max(d, h)
    if operation == SUM:
        result = (a + b) + (c + d)
    elif operation == MIN:
        result = min(a, b, c, d)
    else:
        result = max(a, b, c, d)
    return result


@borrowing
def root(row: Doubles, starts: Integers, operation: int) -> float:
    """Return the reduction of a lane's leaves."""
    first = starts[-1]
    return _reduced(row[first : first + FAN_OUT], operation)


@compiled
def roots(values: Doubles, starts: Integers, operation: int, result: Doubles) -> None:
    """Write the reduction of each lane's leaves, `[L]`."""
    for lane in range(len(values)):
        result[lane] = root(values[lane], starts, operation)


@borrowing
def lane_write(
    row: Doubles, starts: Integers, operation: int, leaves: Integers, new: Doubles, index: Integers
) -> None:
    """Write `new [B]` at `leaves [B]` of a lane and renew the sections above; `index [B]` is scratch.

    Level by level: a section read right after one of its values was written waits for the write.
    """
    for draw in range(len(leaves)):
        index[draw] = leaves[draw]
        row[index[draw]] = new[draw]
    for level in range(1, len(starts)):
        for draw in range(len(leaves)):
            index[draw] //= FAN_OUT
            first = starts[level - 1] + index[draw] * FAN_OUT
            row[starts[level] + index[draw]] = _reduced(row[first : first + FAN_OUT], operation)


@compiled
def write(
    values: Doubles,
    starts: Integers,
    operation: int,
    lanes: Integers,
    leaves: Integers,
    new: Doubles,
) -> None:
    """Write `new [M, B]` at `leaves [M, B]` of `lanes [M]` and renew the sections above."""
    index = np.empty(leaves.shape[1], np.int64)
    for row in range(len(lanes)):
        lane_write(values[lanes[row]], starts, operation, leaves[row], new[row], index)


@compiled
def renew(values: Doubles, starts: Integers, operation: int) -> None:
    """Renew all sections above the leaves."""
    for lane in range(len(values)):
        row = values[lane]
        for level in range(1, len(starts)):
            for section in range((starts[level] - starts[level - 1]) // FAN_OUT):
                first = starts[level - 1] + section * FAN_OUT
                row[starts[level] + section] = _reduced(row[first : first + FAN_OUT], operation)


@borrowing
def _last_filled(section: Doubles) -> int:
    for child in range(FAN_OUT - 1, 0, -1):
        if section[child] > 0:
            return child
    return 0


@borrowing
def lane_find(row: Doubles, starts: Integers, left: Doubles, index: Integers) -> None:
    """Write the leaves at which a lane's running sum first exceeds `left [B]`, which is overwritten.

    Level by level, so that the draws' reads do not wait for one another, and by halves without
    branches, which could not be predicted.
    """
    index[:] = 0
    for level in range(len(starts) - 1, -1, -1):
        for draw in range(len(index)):
            first = starts[level] + index[draw] * FAN_OUT
            section = row[first : first + FAN_OUT]
            rest, child, half = left[draw], 0, FAN_OUT // 2
            while half:
                below = 0.0
                for candidate in range(child, child + half):
                    below += section[candidate]
                passed = below <= rest
                rest -= below * passed
                child += half * passed
                half //= 2
            if not section[child] > 0:
                # By rounding, the rest exceeds this section's sum: take its last child that is not
                # empty, here and further down.
                child, rest = _last_filled(section), np.inf
            left[draw] = rest
            index[draw] = index[draw] * FAN_OUT + child
            if level:
                # Of a large tree, the next section is far away.
                below_it = starts[level - 1] + index[draw] * FAN_OUT
                prefetch(address_of(row) + below_it * row.itemsize)


@compiled
def find(values: Doubles, starts: Integers, prefix_sums: Doubles, leaves: Integers) -> None:
    """Write the leaves whose running sum first exceeds `prefix_sums [L, B]`, which is overwritten."""
    for lane in range(len(values)):
        lane_find(values[lane], starts, prefix_sums[lane], leaves[lane])


@borrowing
def lane_draw(
    row: Doubles,
    starts: Integers,
    words: Integers,
    stratified: bool,
    leaves: Integers,
    shares: Doubles,
) -> None:
    """Write a lane's leaves `[B]` drawn by value and their shares of the sum, from words `[B]`."""
    size, total = len(leaves), root(row, starts, SUM)
    for number in range(size):
        unit = words[number] * 2.0**-32
        if stratified:
            unit = (number + unit) / size
        shares[number] = unit * total
    lane_find(row, starts, shares, leaves)
    for number in range(size):
        shares[number] = row[leaves[number]] / total


@compiled
def draw(
    values: Doubles,
    starts: Integers,
    words: Integers,
    stratified: bool,
    leaves: Integers,
    shares: Doubles,
) -> None:
    """Write leaves `[L, B]` drawn by value and their shares of the sum, from words `[L, B]`."""
    for lane in range(len(values)):
        lane_draw(values[lane], starts, words[lane], stratified, leaves[lane], shares[lane])


@borrowing
def lane_note(errors: Singles, lane: int, largest: Doubles, noted: Doubles) -> None:
    """Write a lane's absolute errors `[B]`; raise its `largest` to them; see `note`."""
    before = largest[lane, 0]
    for number in range(len(errors)):
        error = abs(float(errors[number]))
        noted[number] = error if error < np.inf else before
        largest[lane, 0] = max(largest[lane, 0], noted[number])


@compiled
def note(errors: Singles, largest: Doubles, noted: Doubles) -> None:
    """Write absolute errors `[L, B]`; raise `largest [L, 1]` to them, which replaces non-finite ones."""
    for lane in range(len(errors)):
        lane_note(errors[lane], lane, largest, noted[lane])


@borrowing
def rank_of(ranked: Doubles, value: float) -> int:
    """Return one more than how many of the rising numbers are below a value."""
    low, high = 0, len(ranked)
    while low < high:
        middle = (low + high) // 2
        if ranked[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low + 1


@merged
def new_of_subset(slots: Integers, number: int, size: int, word: int) -> int:
    """Return the next slot of a set of different ones; see `UniformSubset`."""
    last = size - len(slots) + number
    candidate = (word * (last + 1)) >> 32
    for before in range(number):
        if slots[before] == candidate:
            return last
    return candidate
