"""Tabular Q-learning from a buffer that is full at the start: the same replay, no environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ablation.config.schema import CellConfig
from ablation.config.step_schedule import derive_schedule
from ablation.config.tasks import chain_length
from ablation.numerics.random_streams import Stream, words
from ablation.replay.buffer import ReplayBuffer
from ablation.store.records import EarlyEnd, Evaluation, Records
from ablation.tasks.cliffwalk.chain import FIELDS, TOLERANCE, Tables, transitions
from ablation.training.trainer import OnPeriod, nothing


class TabularTrainer:
    """A `Trainer` for the Blind Cliffwalk: each environment step is one update of every lane's table.

    Tables are evaluated after 1, 2, 4, 8 ... updates, at the end of the run, and after the first update
    that brings the error below `TOLERANCE`, which ends the run. An evaluation is one episode whose
    return is minus the mean squared error, and whose discounted return is that of greedy actions. Tables
    are always on the processor.
    """

    def __init__(
        self,
        config: CellConfig,
        seeds: Sequence[int],
        device: torch.device,  # noqa: ARG002
        threads: int = 1,  # noqa: ARG002
    ) -> None:
        self._config, self._schedule = config, derive_schedule(config)
        n, lanes = chain_length(config.env.id), len(seeds)
        assert n is not None
        self._tables = Tables.initial(n, config.agent.learning_rate.start, seeds)
        self._buffer = ReplayBuffer(config, self._schedule, FIELDS, seeds, learner=self._tables)
        self._fill(n, seeds)
        self.env_step = 0
        self.records = Records(lanes)

    @property
    def gradient_steps(self) -> int:
        """Return the updates that every lane has taken."""
        return self.env_step

    @property
    def done(self) -> bool:
        """Return whether the run is at its end, or every lane's table is right."""
        return self.env_step >= self._schedule.env_steps or not self.records.going_on()

    def run(self, until: int | None = None, on_period: OnPeriod = nothing) -> Records:
        """Train to the end of the run, or `until` a step, and return its records."""
        every, last = self._config.train.evaluate_every, self._schedule.env_steps
        last = last if until is None else until
        while not self.done and self.env_step < last:
            self.advance(min(every - self.env_step % every, last - self.env_step))
            on_period()
        return self.records

    def advance(self, steps: int) -> None:
        """Learn from one transition at a time, until all tables are right."""
        for _ in range(steps):
            if self.done:
                return
            drawn = self._buffer.sample(self.env_step, self.env_step)
            errors = self._tables.update(drawn.batch, drawn.weights)
            self._buffer.update_priorities(drawn.slots, errors)
            self.env_step += 1
            self._evaluate()

    def policy(self, lane: int) -> None:
        """Return None: its tables are compared with the truth, nobody acts by them."""

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def state(self) -> dict[str, Any]:
        """Return the state from which `restore` goes on bit by bit as this trainer would."""
        return {
            "env_step": self.env_step,
            "values": torch.from_numpy(self._tables.values),
            "buffer": self._buffer.state(),
            "records": self.records.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned, in a trainer of the same cell and seeds."""
        self.env_step = state["env_step"]
        self._tables.values[:] = state["values"].numpy()
        self._buffer.restore(state["buffer"])
        self.records.restore(state["records"])

    def _fill(self, n: int, seeds: Sequence[int]) -> None:
        """Store all transitions, in each run's own order."""
        every = transitions(n)
        items = len(every["state"])
        draws = np.stack([words(seed, Stream.RESET, 0, items, 1)[:, 0] for seed in seeds])
        order = torch.from_numpy(draws.argsort(axis=1, kind="stable"))
        never = torch.zeros(len(seeds), dtype=torch.bool)
        for place in range(items):
            item = {name: values[order[:, place]] for name, values in every.items()}
            self._buffer.add(item, never, 0, 0)

    def _evaluate(self) -> None:
        """Record the error of the tables if it is time, and end the runs whose table is right."""
        error = self._tables.mean_squared_errors()
        right = error < TOLERANCE
        due = self.env_step & (self.env_step - 1) == 0 or self.env_step == self._schedule.env_steps
        if not due and not right.any():
            return
        promised, earned = self._tables.from_the_start()
        lengths = np.ones((len(error), 1), np.int64)
        evaluation = Evaluation(-error[:, None], lengths, promised[:, None], earned[:, None])
        self.records.add_evaluation(self.env_step, self.env_step, evaluation, right | due)
        for lane, _ in self.records.going_on():
            if right[lane]:
                self.records.end(lane, EarlyEnd("complete", None, self.env_step, self.env_step))
