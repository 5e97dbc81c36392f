"""The lane-environment interface: independent copies of an environment, stepped together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from torch import Tensor

from ablation.numerics.random_streams import Stream, words

ResetSeed = Callable[[int, int], int]
"""(lane, episode) -> the seed that this episode is reset with."""


SEEDS_AT_ONCE = 64
"""Reset seeds that are drawn together; none of them depends on it."""


def episode_seeds(run_seeds: Sequence[int], stream: Stream) -> ResetSeed:
    """Return reset seeds that are a function of (run seed, episode) alone."""

    @lru_cache(maxsize=2 * len(run_seeds))
    def block(lane: int, number: int) -> list[int]:
        first = number * SEEDS_AT_ONCE
        drawn: list[int] = words(run_seeds[lane], stream, first, SEEDS_AT_ONCE, 1)[:, 0].tolist()
        return drawn

    return lambda lane, episode: block(lane, episode // SEEDS_AT_ONCE)[episode % SEEDS_AT_ONCE]


@dataclass(frozen=True)
class EnvFailure:
    """An exception of a lane's environment: what and where, and the traceback.

    `episode_seed` is the reset seed of its episode and `step` the step of the episode, 0 for the reset.
    """

    what: str
    episode_seed: int
    step: int
    traceback: str


@dataclass(frozen=True)
class LaneStep:
    """What a step returns, every tensor with `L` first.

    `observation` is the one to act on next: the next episode's first where an episode ended.
    `final_observation` is the one that the step led to, which a transition stores. `life_lost` is None
    for environments without lives.
    """

    observation: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    final_observation: Tensor
    life_lost: Tensor | None = None


class LaneEnvironment(Protocol):
    """Copies of an environment, one for each lane, each episode reset from a seed of its own.

    Made to repeat, a lane whose episode ends begins its next one at once. Made not to, it becomes
    inactive. An inactive lane stays where it is: no end, no reward.
    """

    active: Tensor
    """Which lanes are stepped, bool `[L]`; may be set to False from outside."""

    def reset(self) -> Tensor:
        """Begin episode 0 in every lane and return the observations `[L, O]`."""

    def step(self, actions: Tensor) -> LaneStep:
        """Take `actions [L]`, int64."""

    def take_failures(self) -> dict[int, EnvFailure]:
        """Return what environments raised since the last call, by lane; such lanes are inactive."""

    def close(self) -> None:
        """Release what the environments hold."""

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
