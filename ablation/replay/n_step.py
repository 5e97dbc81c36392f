"""Sums rewards over several steps before a transition is stored (Sutton 1988; Hessel et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from operator import mul
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.replay.lane_kernels import Window

Item = Mapping[str, Tensor]
NStepItem = tuple[Item, Tensor | None]
"""An item, values `[L, ...]`, and the lanes to store it for, int64 `[M]`, or None for all of them."""


class NStep:
    """Turns one-step transitions into `n`-step ones, lane by lane and never across an episode's end.

    An item is complete when its `n` rewards are known. Where an episode ends, terminated or truncated,
    the shorter tails are complete too, each with the discount of its own length.
    """

    def __init__(self, n: int, discount: float, example: Item) -> None:
        """Prepare for transitions shaped like `example`, values `[L, ...]`."""
        self._n = n
        self._discount = discount
        # By products, not by PyTorch's power: its last bit depends on the processor.
        powers = list(accumulate([1.0, *[discount] * n], mul))
        self._powers = torch.tensor(powers, dtype=example["reward"].dtype)
        self._window = {
            name: torch.stack([torch.zeros_like(example[name])] * n)
            for name in ("observation", "action", "reward")
        }
        self._count = torch.zeros_like(example["action"])

    def push(self, transition: Item, ended: Tensor) -> Iterator[NStepItem]:
        """Take one transition of every lane and yield the items that it completes, oldest first.

        `ended` is bool `[L]`: the episode ended with this transition. `transition["discount"]` is
        the factor on the next state's value, for this one step.
        """
        if self._n == 1:
            yield transition, None
            return
        self._store(transition)
        returns = self._returns()
        last_discount = transition["discount"]
        for start in range(self._n):
            length = self._count - start
            ready = (length >= 1) & (ended | (length == self._n))
            lanes = ready.nonzero().flatten()
            if len(lanes):
                factor = self._powers[(length - 1).clamp(min=0)]
                item = {
                    "observation": self._window["observation"][start],
                    "action": self._window["action"][start],
                    "reward": returns[start],
                    "discount": factor * last_discount,
                    "next_observation": transition["next_observation"],
                }
                yield item, lanes
        self._forget(ended)

    def arrays(self) -> Window:
        """Return the transitions as compiled loops read and change them."""
        arrays = {name: values.numpy() for name, values in self._window.items()}
        discount, powers = np.float32(self._discount), self._powers.numpy()
        return Window(**arrays, filled=self._count.numpy(), discount=discount, factors=powers)

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        window = {name: values.transpose(0, 1) for name, values in self._window.items()}
        return {"window": window, "count": self._count}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        for name, values in self._window.items():
            values.copy_(state["window"][name].transpose(0, 1))
        self._count.copy_(state["count"])

    def _store(self, transition: Item) -> None:
        lanes = torch.arange(len(self._count))
        for name, values in self._window.items():
            values[self._count, lanes] = transition[name]
        self._count += 1

    def _returns(self) -> Tensor:
        """Return, for each start, the discounted sum of its rewards: `[n, L]`."""
        rewards = self._window["reward"]
        returns = torch.zeros_like(rewards)
        following = torch.zeros_like(rewards[0])
        for start in range(self._n - 1, -1, -1):
            known = torch.where(self._count > start, rewards[start], 0.0)
            following = known + self._discount * following
            returns[start] = following
        return returns

    def _forget(self, ended: Tensor) -> None:
        full = self._count == self._n
        for values in self._window.values():
            values.copy_(torch.where(_like(full, values[0]), values.roll(-1, dims=0), values))
        self._count.copy_(torch.where(ended, 0, torch.where(full, self._n - 1, self._count)))


def _like(mask: Tensor, values: Tensor) -> Tensor:
    return mask.view(-1, *[1] * (values.dim() - 1))
