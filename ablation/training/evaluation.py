"""Greedy evaluation: fresh episodes per lane on seeds of their own, without exploration or learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ablation.agent.compiled_backend import CompiledBackend
from ablation.envs.array_lanes import ArrayLanes
from ablation.envs.lanes import EnvFailure
from ablation.envs.make import MakeLanes
from ablation.numerics.random_streams import Stream, words
from ablation.store.records import Evaluation
from ablation.training.evaluation_kernels import play_episodes
from ablation.training.lane_threads import LaneThreads


class Evaluator:
    """Plays `episodes` greedy episodes in every lane each time it is asked."""

    def __init__(self, make: MakeLanes, seeds: Sequence[int], episodes: int, discount: float) -> None:
        self._seeds = tuple(seeds)
        self._episodes, self._discount = episodes, discount
        self._round = 0
        self.failures: dict[int, EnvFailure] = {}
        """What environments raised in the last round, by run."""
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
        failures = reversed(self._environments.take_failures().items())
        self.failures = {copy // self._episodes: failure for copy, failure in failures}
        columns = (returns, lengths, start_values.double(), discounted)
        return Evaluation(*(values.view(lanes, -1).numpy() for values in columns))

    @property
    def compiled(self) -> bool:
        """Whether the environments can be stepped by compiled loops, as `play` does."""
        return isinstance(self._environments, ArrayLanes)

    def play(self, round_: int, backend: CompiledBackend, threads: LaneThreads) -> Evaluation:
        """Play one round in one compiled call, each episode to its end; the same numbers."""
        assert isinstance(self._environments, ArrayLanes)
        self._round = round_
        observation = self._environments.reset()
        copies, lanes = len(observation), len(self._seeds)
        seeds = np.array([self._seed(copy, 0) for copy in range(copies)])
        results = np.zeros((copies, 4))
        state, network, _ = backend.arrays()
        episodes = self._episodes, self._discount, seeds, self._environments.arrays()
        networks = state.online, network, observation.numpy()

        def play(_: int, first: int, last: int) -> None:
            space = backend.new_workspace(1)
            play_episodes(first, last, *episodes, *networks, space, results)

        threads.share(copies, play)
        returns, lengths, start_values, discounted = results.T.reshape(4, lanes, -1)
        return Evaluation(returns, lengths.astype(np.int64), start_values, discounted)

    def close(self) -> None:
        """Close the environments."""
        self._environments.close()

    def _seed(self, copy: int, _episode: int) -> int:
        lane, episode = divmod(copy, self._episodes)
        index = self._round * self._episodes + episode
        return int(words(self._seeds[lane], Stream.EVALUATE, index, 1, 1)[0, 0])
