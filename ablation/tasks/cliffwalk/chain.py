"""Blind Cliffwalk (Schaul et al. 2016, section 3.1): a chain whose end alone pays.

In each of its `n` states one of two actions goes on and the other ends the episode with nothing; only
the last step of the whole chain pays 1. The memory holds every transition of all 2^n action sequences,
so that the one that pays is one of 2^(n+1) - 2. The discount is 1 - 1/n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.numerics.compiled import compiled
from ablation.numerics.random_streams import Stream, unit_interval, words
from ablation.replay.ring import Field

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

TOLERANCE = 1e-3
"""Mean squared error over all state-action values below which a table is right (their appendix B.1)."""

SPREAD = 0.1
"""Standard deviation of the values at first."""

FIELDS = {
    "state": Field((), torch.int64),
    "action": Field((), torch.int64),
    "reward": Field((), torch.float64),
    "discount": Field((), torch.float64),
}


def discount(n: int) -> float:
    """Return the discount of a chain."""
    return 1 - 1 / n


def exact_values(n: int) -> Tensor:
    """Return Q* `[n, 2]`; action 1 goes on."""
    values = torch.zeros(n, 2, dtype=torch.float64)
    values[:, 1] = discount(n) ** torch.arange(n - 1, -1, -1).double()
    return values


def transitions(n: int) -> dict[str, Tensor]:
    """Return the transitions of all 2^n action sequences, each field `[2^(n+1) - 2]`."""
    states, actions = [], []
    for place in range(n):
        # 2^(n - place) sequences come this far; half of them go on.
        reached = 2 ** (n - place)
        states += [place] * reached
        actions += [0, 1] * (reached // 2)
    state, action = torch.tensor(states), torch.tensor(actions)
    on = (action == 1) & (state < n - 1)
    return {
        "state": state,
        "action": action,
        "reward": ((action == 1) & (state == n - 1)).double(),
        "discount": on.double() * discount(n),
    }


@dataclass(frozen=True)
class Tables:
    """The values `[L, n + 1, 2]` that each lane learns; the last state is the end, worth nothing."""

    n: int
    step_size: float
    values: Doubles
    exact: Doubles

    @classmethod
    def initial(cls, n: int, step_size: float, seeds: Sequence[int]) -> Tables:
        """Return tables of small normal values, of each run's own (their appendix B.1).

        Were they zero, all errors but one would be, and greedy draws never come back to a transition.
        """
        bits = np.concatenate([words(seed, Stream.INIT, 0, 1, 2 * n) for seed in seeds])
        # Half a step in from the end, where the normal quantile is infinite.
        units = unit_interval(torch.from_numpy(bits.astype(np.int64))) + 2.0**-33
        values = np.zeros((len(seeds), n + 1, 2))
        values[:, :n] = SPREAD * torch.special.ndtri(units).numpy().reshape(-1, n, 2)
        return cls(n, step_size, values, exact_values(n).numpy())

    def update(self, item: dict[str, Tensor], weights: Tensor) -> Tensor:
        """Learn one transition each lane, every field and `weights` `[L, 1]`; return TD errors."""
        errors = torch.empty_like(item["reward"])
        _update(
            self.values,
            item["state"][:, 0].numpy(),
            item["action"][:, 0].numpy(),
            item["reward"][:, 0].numpy(),
            item["discount"][:, 0].numpy(),
            self.step_size * weights[:, 0].double().numpy(),
            errors[:, 0].numpy(),
        )
        return errors

    def mean_squared_errors(self) -> Doubles:
        """Return how far each lane's values are off, `[L]`."""
        found = np.empty(len(self.values))
        _distance(self.values, self.exact, found)
        return found

    def from_the_start(self) -> tuple[Doubles, Doubles]:
        """Return what greedy actions promise in the first state, and what they earn, `[L]` each."""
        values = self.values[:, : self.n]
        succeeds = (values[..., 1] > values[..., 0]).all(axis=1)
        earned: Doubles = np.where(succeeds, discount(self.n) ** (self.n - 1), 0.0)
        return values[:, 0].max(axis=1), earned

    def losses_after(self) -> Doubles:
        """Return by how much each pair's update would change the squared error, `[L, n, 2]`."""
        values = self.values[:, : self.n]
        target = np.zeros_like(values)
        target[..., 1] = discount(self.n) * self.values[:, 1:].max(axis=2)
        target[:, -1, 1] = 1.0
        after = values + self.step_size * (target - values)
        change: Doubles = (after - self.exact) ** 2 - (values - self.exact) ** 2
        return change


@compiled
def _update(
    values: Doubles,
    states: Integers,
    actions: Integers,
    rewards: Doubles,
    discounts: Doubles,
    rates: Doubles,
    errors: Doubles,
) -> None:
    for lane in range(len(values)):
        state, action = states[lane], actions[lane]
        ahead = max(values[lane, state + 1, 0], values[lane, state + 1, 1])
        errors[lane] = rewards[lane] + discounts[lane] * ahead - values[lane, state, action]
        values[lane, state, action] += rates[lane] * errors[lane]


@compiled
def _distance(values: Doubles, exact: Doubles, found: Doubles) -> None:
    for lane in range(len(values)):
        found[lane] = ((values[lane, : len(exact)] - exact) ** 2).mean()
