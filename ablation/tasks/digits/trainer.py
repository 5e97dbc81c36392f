"""Supervised streams: the same replay, holding (input, label), for a classifier whose data change."""

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
from ablation.tasks.digits.classifier import Classifier
from ablation.tasks.digits.data import CLASSES, PIXELS, digits
from ablation.tasks.digits.stream import TASKS, shown_images, task_of
from ablation.training.best import BestParameters
from ablation.training.trainer import OnPeriod

FIELDS = {"pixels": Field((PIXELS,), torch.float32), "label": Field((), torch.int64)}


class SupervisedTrainer:
    """A `Trainer` for the stream of digits: each environment step shows one image to every lane.

    An evaluation's episodes are the classes: a return is the accuracy on a class's test images, a
    start value the mean probability that their predicted class was given.
    """

    def __init__(
        self,
        config: CellConfig,
        seeds: Sequence[int],
        device: torch.device,
        threads: int = 1,  # noqa: ARG002
    ) -> None:
        self._config, self._schedule = config, derive_schedule(config)
        data, lanes = digits(), len(seeds)
        self._shown = torch.from_numpy(shown_images(data.train.labels, seeds, self._schedule.env_steps))
        self._pixels = torch.from_numpy(data.train.pixels)
        self._labels = torch.from_numpy(data.train.labels)
        self._test = torch.from_numpy(data.test.pixels).expand(lanes, -1, -1).contiguous()
        self._test_labels = data.test.labels
        self._classifier = Classifier(config.agent, seeds, PIXELS, CLASSES, device)
        self._buffer = ReplayBuffer(config, self._schedule, FIELDS, seeds)
        self._never = torch.zeros(lanes, dtype=torch.bool)
        self._best = np.zeros((lanes, CLASSES))
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

    def run(self, on_period: OnPeriod) -> Records:
        """Train to the end of the run and return its records."""
        every = self._config.train.evaluate_every
        while not self.done:
            self.advance(min(every - self.env_step % every, self._schedule.env_steps - self.env_step))
            if self.env_step % every == 0 or self.done:
                self._evaluate()
            on_period(self.env_step, self.records)
        return self.records

    def advance(self, steps: int) -> None:
        """See images, learning as configured, without evaluation."""
        for _ in range(steps):
            index = self._shown[:, self.env_step]
            item = {"pixels": self._pixels[index], "label": self._labels[index]}
            self._buffer.add(item, self._never, self.env_step, self.gradient_steps)
            self.env_step += 1
            while self.gradient_steps < self._schedule.gradient_steps_due(self.env_step):
                self._sampled = self._buffer.sample(self.env_step, self.gradient_steps)
                sampled = self._sampled.batch, self._sampled.weights
                self._update = self._classifier.update(*sampled, self._learning_rate)
                self._buffer.update_priorities(self._sampled.slots, self._update.errors)

    @property
    def _learning_rate(self) -> float:
        schedule = self._config.agent.learning_rate
        return value_at(schedule, self.env_step, self._schedule.env_steps)

    def policy(self, lane: int) -> bytes:
        """Return the file of a lane's networks, whose action is the class of an image."""
        online = self._classifier.parameters.online[lane].cpu().numpy()
        about = self._config, self._seeds[lane], (PIXELS,), CLASSES
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
            "best_parameters": self._best_parameters.state(),
            "records": self.records.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned, in a trainer of the same cell and seeds."""
        self.env_step = state["env_step"]
        self._classifier.restore(state["classifier"])
        self._buffer.restore(state["buffer"])
        self._best[:] = state["best"]
        self._best_parameters.restore(state["best_parameters"])
        self.records.restore(state["records"])

    def _evaluate(self) -> None:
        """Test every class, and log what the last gradient step saw."""
        probabilities = self._classifier.probabilities(self._test).numpy()
        right = probabilities.argmax(axis=-1) == self._test_labels
        accuracy, confidence = (self._by_class(one) for one in (right, probabilities.max(axis=-1)))
        counts = np.broadcast_to(np.bincount(self._test_labels, minlength=CLASSES), accuracy.shape)
        evaluation = Evaluation(accuracy, counts.astype(np.int64), confidence, accuracy)
        self.records.add_evaluation(self.env_step, self.gradient_steps, evaluation)
        self._best = np.maximum(self._best, accuracy)
        self._best_parameters.note(self.env_step, accuracy, self._classifier.parameters.online)
        if self._update is None or self._sampled is None:
            return
        ages = self._buffer.usage.ages(self._sampled.slots, self.env_step, self.gradient_steps)
        values = {
            "loss": measures.mean(self._update.losses),
            "error": measures.mean(self._update.errors),
            "age_env_steps_mean": measures.mean(ages[0]),
            "forgetting": self._forgotten(accuracy) if self.done else np.full(len(accuracy), np.nan),
        }
        self.records.add_learner(self.env_step, self.gradient_steps, values)

    def _by_class(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of `[L, N]` over each class's test images, `[L, K]`."""
        columns = [measures.mean(values[:, self._test_labels == label]) for label in range(CLASSES)]
        return np.stack(columns, axis=1)

    def _forgotten(self, accuracy: np.ndarray) -> np.ndarray:
        """Return by how much accuracy fell from its best, over the classes of all turns but the last."""
        earlier = task_of(np.arange(CLASSES)) < TASKS - 1
        return measures.mean((self._best - accuracy)[:, earlier])
