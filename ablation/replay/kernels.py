"""Compiled loops of the ring, the samplers, the segment tree and the importance weights.

A tree's `values` is float64 `[L, T]`: each level's sections one after another, leaves first. `starts`,
int64, is the offset of each level. Leaves are int64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ablation.numerics.compiled import compiled
from ablation.numerics.elementary import log, power

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
        slot = (newest[lane] + 1) % capacity
        if len(words):
            full = size[lane] == capacity
            slot = (words[lane] * capacity) >> 32 if full else size[lane]
        slots[row] = newest[lane] = slot
        size[lane] = min(size[lane] + 1, capacity)
        for word in range(items.shape[1]):
            items[lane * capacity + slot, word] = arriving[lane, word]


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


@compiled
def priorities(errors: Doubles, inside: float, exponent: float, outside: float, result: Doubles) -> None:
    """Write `(error + inside) ** exponent + outside`, one number after another."""
    for row in range(errors.shape[0]):
        for column in range(errors.shape[1]):
            priority = power(errors[row, column] + inside, exponent)
            result[row, column] = priority + outside


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
        least = np.inf if by_batch else lowest[lane]
        for draw in range(len(row) if by_batch else 0):
            least = min(least, count * row[draw])
        for draw in range(len(row)):
            result[lane, draw] = power(count * row[draw] / least, -exponent)


@compiled
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


@compiled
def roots(values: Doubles, starts: Integers, operation: int, result: Doubles) -> None:
    """Write the reduction of each lane's leaves, `[L]`."""
    first = starts[-1]
    for lane in range(len(values)):
        result[lane] = _reduced(values[lane, first : first + FAN_OUT], operation)


@compiled
def write(
    values: Doubles,
    starts: Integers,
    operation: int,
    lanes: Integers,
    leaves: Integers,
    new: Doubles,
) -> None:
    """Write `new [M, B]` at `leaves [M, B]` of `lanes [M]` and renew the sections above.

    Level by level: a section read right after one of its values was written waits for the write.
    """
    index = np.empty(leaves.shape[1], np.int64)
    for row in range(len(lanes)):
        lane = values[lanes[row]]
        for draw in range(len(index)):
            index[draw] = leaves[row, draw]
            lane[index[draw]] = new[row, draw]
        for level in range(1, len(starts)):
            for draw in range(len(index)):
                index[draw] //= FAN_OUT
                first = starts[level - 1] + index[draw] * FAN_OUT
                lane[starts[level] + index[draw]] = _reduced(lane[first : first + FAN_OUT], operation)


@compiled
def renew(values: Doubles, starts: Integers, operation: int) -> None:
    """Renew all sections above the leaves."""
    for lane in range(len(values)):
        row = values[lane]
        for level in range(1, len(starts)):
            for section in range((starts[level] - starts[level - 1]) // FAN_OUT):
                first = starts[level - 1] + section * FAN_OUT
                row[starts[level] + section] = _reduced(row[first : first + FAN_OUT], operation)


@compiled
def _last_filled(section: Doubles) -> int:
    for child in range(FAN_OUT - 1, 0, -1):
        if section[child] > 0:
            return child
    return 0


@compiled
def _find(row: Doubles, starts: Integers, left: Doubles, index: Integers) -> None:
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


@compiled
def find(values: Doubles, starts: Integers, prefix_sums: Doubles, leaves: Integers) -> None:
    """Write the leaves whose running sum first exceeds `prefix_sums [L, B]`, which is overwritten."""
    for lane in range(len(values)):
        _find(values[lane], starts, prefix_sums[lane], leaves[lane])


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
    size = words.shape[1]
    first = starts[-1]
    for lane in range(len(values)):
        root = _reduced(values[lane, first : first + FAN_OUT], SUM)
        for number in range(size):
            unit = words[lane, number] * 2.0**-32
            if stratified:
                unit = (number + unit) / size
            shares[lane, number] = unit * root
        _find(values[lane], starts, shares[lane], leaves[lane])
        for number in range(size):
            shares[lane, number] = values[lane, leaves[lane, number]] / root


@compiled
def note(errors: Singles, largest: Doubles, noted: Doubles) -> None:
    """Write absolute errors `[L, B]`; raise `largest [L, 1]` to them, which replaces non-finite ones."""
    for lane in range(len(errors)):
        before = largest[lane, 0]
        for number in range(errors.shape[1]):
            error = abs(float(errors[lane, number]))
            noted[lane, number] = error if error < np.inf else before
            largest[lane, 0] = max(largest[lane, 0], noted[lane, number])
