"""Greedy evaluation: fresh episodes per lane on seeds of their own, without exploration or learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ablation.envs.make import MakeLanes
from ablation.numerics.random_streams import Stream, words
from ablation.store.records import Evaluation


class Evaluator:
    """Plays `episodes` greedy episodes in every lane each time it is asked."""

    def __init__(self, make: MakeLanes, seeds: Sequence[int], episodes: int, discount: float) -> None:
        self._seeds = tuple(seeds)
        self._episodes, self._discount = episodes, discount
        self._round = 0
        copies = len(self._seeds) * episodes
        self._environments = make(copies, self._seed, False)

    def __call__(self, round_: int, action_values: Callable[[Tensor], Tensor]) -> Evaluation:
        """Play one round of episodes.

        `round_` counts the evaluations of a run and decides, with the run's seed, the start states.
        `action_values` maps observations `[L, N, O]` to `[L, N, A]`.
        """
        self._round = round_
        lanes = len(self._seeds)
        observation = self._environments.reset()
        returns = torch.zeros(len(observation), dtype=torch.float64)
        lengths = torch.zeros(len(observation), dtype=torch.int64)
        discounted, factor = torch.zeros_like(returns), 1.0
        start_values = action_values(observation.view(lanes, self._episodes, -1)).amax(dim=-1)
        while self._environments.active.any():
            lengths += self._environments.active
            values = action_values(observation.view(lanes, self._episodes, -1))
            step = self._environments.step(values.argmax(dim=-1).flatten())
            observation = step.observation
            returns += step.reward
            discounted += factor * step.reward.double()
            factor *= self._discount
        columns = (returns, lengths, start_values.double(), discounted)
        return Evaluation(*(values.view(lanes, -1).numpy() for values in columns))

    def close(self) -> None:
        """Close the environments."""
        self._environments.close()

    def _seed(self, copy: int, _episode: int) -> int:
        lane, episode = divmod(copy, self._episodes)
        index = self._round * self._episodes + episode
        return int(words(self._seeds[lane], Stream.EVALUATE, index, 1, 1)[0, 0])
