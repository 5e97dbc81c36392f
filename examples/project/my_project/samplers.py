"""A sampler of this project: which stored items a gradient step learns from."""

import numpy as np


class Recency:
    """Draws new items more often than old ones: of `n` items the one of age `n * u ** power`.

    Arrays have a row for each seed that is trained in parallel: `items.size [L]`, slots `[L, B]`.
    """

    def __init__(self, lanes, capacity, batch_size, power=2.0):
        if power < 1:
            raise ValueError(f"power = {power}: must be at least 1, which is uniform sampling")
        self.power = power

    def added(self, items):
        """Take note of new items; here the order in which they came is enough."""

    def sample(self, items, random):
        """Return the slots `[L, B]` to learn from; `random [L, B]` is uniform in [0, 1)."""
        size = items.size[:, None]
        ages = np.minimum((size * random**self.power).astype(np.int64), size - 1)
        return (items.newest[:, None] - ages) % items.capacity

    def update_priorities(self, slots, errors):
        """Take note of the TD errors of what was drawn; here they play no part."""

    def probabilities(self, items, slots):
        """Return the probability of each slot in one draw; without this method there are no weights."""
        size = items.size[:, None]
        ages = (items.newest[:, None] - slots) % items.capacity
        return ((ages + 1) / size) ** (1 / self.power) - (ages / size) ** (1 / self.power)
