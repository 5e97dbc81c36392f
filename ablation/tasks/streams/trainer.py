"""Supervised streams: the same replay, holding examples, for a classifier whose data change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ablation.agent.backend import Update
from ablation.agent.policy import Parameters, policy_bytes
from ablation.config.schedules import value_at
from ablation.config.schema import CellConfig
from ablation.config.step_schedule import derive_schedule
from ablation.diagnostics import measures
from ablation.replay.buffer import ReplayBuffer, SampledBatch
from ablation.replay.ring import Field
from ablation.store.records import Evaluation, Records
from ablation.tasks.streams.classifier import Classifier
from ablation.tasks.streams.data import load_stream, spec
from ablation.training.best import BestParameters
from ablation.training.trainer import OnPeriod, nothing

FIELDS = {"example": Field((), torch.int64)}
"""The buffer keeps numbers of examples, which stand for (input, label): data sets do not change."""


class SupervisedTrainer:
    """A `Trainer` for a stream of labeled examples: each environment step shows one to every lane.

    An evaluation's episodes are the groups of test examples: a return is the accuracy or the mean
    log-likelihood on a group, a start value the mean probability that their predicted class was given.
    Where each shown example is new, training episodes are the steps between evaluations, and a return
    is the mean log-likelihood of the examples before they were learned from (prequential; Gama et al.
    2013, doi:10.1007/s10994-012-5320-9).
    """

    def __init__(
        self,
        config: CellConfig,
        seeds: Sequence[int],
        device: torch.device,
        threads: int = 1,  # noqa: ARG002
    ) -> None:
        self._config, self._schedule = config, derive_schedule(config)
        self._data, lanes = load_stream(config.env.id), len(seeds)
        train, test, turns = self._data.train, self._data.test, self._data.turn_of_group
        shown = self._data.order(turns[train.groups], seeds, self._schedule.env_steps)
        self._shown = torch.from_numpy(shown)
        self._inputs, self._labels = torch.from_numpy(train.inputs), torch.from_numpy(train.labels)
        self._test = torch.from_numpy(test.inputs).expand(lanes, -1, -1).contiguous()
        self._test_labels = torch.from_numpy(test.labels).expand(lanes, -1).contiguous()
        self._spec = spec(config.env.id)
        sizes = self._spec.observation_size, self._spec.actions
        self._classifier = Classifier(config.agent, seeds, *sizes, device)
        self._buffer = ReplayBuffer(config, self._schedule, FIELDS, seeds)
        self._never = torch.zeros(lanes, dtype=torch.bool)
        self._best = np.full((lanes, len(turns)), -np.inf)
        self._running, self._tested = np.zeros(lanes), 0
        self._update: Update | None = None
        self._sampled: SampledBatch | None = None
        self._seeds = tuple(seeds)
        self._best_parameters = BestParameters(self._classifier.parameters.online)
        self.env_step = 0
        self.records = Records(lanes)

    @property
    def gradient_steps(self) -> int:
        """Return the gradient steps that every lane has taken."""
        return self._classifier.gradient_steps

    @property
    def done(self) -> bool:
        """Return whether the run is at its end."""
        return self.env_step >= self._schedule.env_steps

    def run(self, until: int | None = None, on_period: OnPeriod = nothing) -> Records:
        """Train to the end of the run, or `until` a step, and return its records."""
        every, last = self._config.train.evaluate_every, self._schedule.env_steps
        last = last if until is None else until
        while not self.done and self.env_step < last:
            self.advance(min(every - self.env_step % every, last - self.env_step))
            if self.env_step % every == 0 or self.done:
                self._evaluate()
            on_period()
        return self.records

    def advance(self, steps: int) -> None:
        """See examples, learning as configured, without evaluation."""
        for _ in range(steps):
            shown = self._shown[:, self.env_step]
            if self._data.tested_first:
                likelihoods = self._classifier.predict(*self._examples(shown.unsqueeze(1)))[1]
                self._running, self._tested = self._running + likelihoods[:, 0], self._tested + 1
            self._buffer.add({"example": shown}, self._never, self.env_step, self.gradient_steps)
            self.env_step += 1
            while self.gradient_steps < self._schedule.gradient_steps_due(self.env_step):
                self._sampled = self._buffer.sample(self.env_step, self.gradient_steps)
                inputs, labels = self._examples(self._sampled.batch["example"])
                batch = {"inputs": inputs, "label": labels}
                self._update = self._classifier.update(batch, self._sampled.weights, self._learning_rate)
                self._buffer.update_priorities(self._sampled.slots, self._update.errors)

    def _examples(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the inputs `[L, B, I]` and labels `[L, B]` of examples by their numbers `[L, B]`."""
        return self._inputs[numbers], self._labels[numbers]

    @property
    def _learning_rate(self) -> float:
        schedule = self._config.agent.learning_rate
        return value_at(schedule, self.env_step, self._schedule.env_steps)

    def policy(self, lane: int) -> bytes:
        """Return the file of a lane's networks, whose action is the class of an input."""
        online = self._classifier.parameters.online[lane].cpu().numpy()
        about = self._config, self._seeds[lane], self._spec.observation_shape, self._spec.actions
        return policy_bytes(*about, Parameters(online, self.env_step), self._best_parameters.of(lane))

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def state(self) -> dict[str, Any]:
        """Return the state from which `restore` goes on bit by bit as this trainer would."""
        return {
            "env_step": self.env_step,
            "classifier": self._classifier.state(),
            "buffer": self._buffer.state(),
            "best": self._best.tolist(),
            "running": (self._running.tolist(), self._tested),
            "best_parameters": self._best_parameters.state(),
            "records": self.records.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned, in a trainer of the same cell and seeds."""
        self.env_step = state["env_step"]
        self._classifier.restore(state["classifier"])
        self._buffer.restore(state["buffer"])
        self._best[:] = state["best"]
        self._running[:], self._tested = state["running"]
        self._best_parameters.restore(state["best_parameters"])
        self.records.restore(state["records"])

    def _evaluate(self) -> None:
        """Test every group, and log what the last gradient step saw."""
        probabilities, likelihoods = self._classifier.predict(self._test, self._test_labels)
        right = probabilities.argmax(axis=-1) == self._data.test.labels
        returns = self._by_group(right if self._data.by_accuracy else likelihoods)
        confidence, groups = self._by_group(probabilities.max(axis=-1)), self._data.test.groups
        counts = np.broadcast_to(np.bincount(groups, minlength=returns.shape[1]), returns.shape)
        evaluation = Evaluation(returns, counts.astype(np.int64), confidence, returns)
        self.records.add_evaluation(self.env_step, self.gradient_steps, evaluation)
        self._end_episode()
        self._best = np.maximum(self._best, returns)
        self._best_parameters.note(self.env_step, returns, self._classifier.parameters.online)
        if self._update is None or self._sampled is None:
            return
        ages = self._buffer.usage.ages(self._sampled.slots, self.env_step, self.gradient_steps)
        values = {
            "loss": measures.mean(self._update.losses),
            "error": measures.mean(self._update.errors),
            "age_env_steps_mean": measures.mean(ages[0]),
            "forgetting": self._forgotten(returns) if self.done else np.full(len(returns), np.nan),
        }
        self.records.add_learner(self.env_step, self.gradient_steps, values)

    def _end_episode(self) -> None:
        """Record the mean log-likelihood of the examples shown since the last evaluation."""
        if not self._tested:
            return
        for lane, total in enumerate(self._running.tolist()):
            row = self.env_step, self.gradient_steps, total / self._tested, self._tested, False, True
            self.records.add_episodes(lane, np.array([row], float))
        self._running, self._tested = np.zeros_like(self._running), 0

    def _by_group(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of `[L, N]` over each group's test examples, `[L, groups]`."""
        groups = range(len(self._data.turn_of_group))
        columns = [measures.mean(values[:, self._data.test.groups == group]) for group in groups]
        return np.stack(columns, axis=1)

    def _forgotten(self, returns: np.ndarray) -> np.ndarray:
        """Return by how much returns fell from their best, over the groups of all turns but the last."""
        turns = self._data.turn_of_group
        return measures.mean((self._best - returns)[:, turns < turns[-1]])
