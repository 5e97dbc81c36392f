"""A replay kind that is not among those shipped, as a user would add it; for `test_replay_kinds`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ablation.config.replay_kinds import PRIORITY_KEYS, ReplayKind
from ablation.numerics.random_streams import unit_interval
from ablation.replay.ring import Ring
from ablation.replay.samplers import PriorityFree, SamplerInputs


@dataclass(frozen=True)
class Options:
    """`decay`, the probability of an item over that of the item after it; `unused` changes nothing."""

    decay: float = 0.999
    unused: int = 0


class Recency(PriorityFree):
    """Draws an item of age `a` with a probability in proportion to `decay ** a`."""

    def __init__(self, batch_size: int, decay: float) -> None:
        self.width, self._decay = batch_size, decay

    def sample(self, ring: Ring, words: Tensor) -> tuple[Tensor, Tensor]:
        size = ring.size.unsqueeze(1)
        mass = unit_interval(words) * (1 - self._decay**size)
        ages = (torch.log1p(-mass) / torch.tensor(self._decay).log()).long().clamp(max=size - 1)
        slots = (ring.newest.unsqueeze(1) - ages) % ring.capacity
        return slots, self.probabilities(ring, slots)


def recency(inputs: SamplerInputs) -> Recency:
    return Recency(inputs.batch_size, inputs.options["decay"])


KIND = ReplayKind(
    "recency",
    "tests.recency:recency",
    ignores=PRIORITY_KEYS | {"replacement"},
    options=Options,
    priority_values=lambda replay, items: 3 * items,
)
