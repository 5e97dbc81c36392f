"""Recency-weighted sampling: new experience is drawn more often than old."""

import numpy as np


class Recency:
    """Draws an item that `a` newer ones follow with a probability in proportion to `decay ** a`.

    For `replay.eviction: fifo`, where an item's slot says how many newer ones there are.
    """

    def __init__(self, lanes, capacity, batch_size, decay=0.999):
        if not 0 < decay < 1:
            raise ValueError(f"decay = {decay}: must lie between 0 and 1")
        self.decay = decay

    def added(self, items):
        """Do nothing: the draws depend on no more than the order of the items."""

    def sample(self, items, random):
        """Return slots `[L, B]` by inverting the distribution function of the geometric distribution."""
        size = items.size[:, None]
        mass = random * (1 - self.decay**size)
        newer = np.log1p(-mass) / np.log(self.decay)
        newer = np.minimum(newer.astype(np.int64), size - 1)
        return (items.newest[:, None] - newer) % items.capacity

    def update_priorities(self, slots, errors):
        """Do nothing: TD errors play no part."""

    def probabilities(self, items, slots):
        """Return the probability per draw of the items at `slots [L, B]`."""
        newer = (items.newest[:, None] - slots) % items.capacity
        return self.decay**newer * (1 - self.decay) / (1 - self.decay ** items.size[:, None])
