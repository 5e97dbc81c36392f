"""The training loop: lanes interact, remember, learn and are evaluated, all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ablation.agent.exploration import EXPLORE_WIDTH, epsilon_greedy
from ablation.agent.learner import Learner, Update
from ablation.config import CellConfig, Schedule
from ablation.envs.lanes import LaneStep, episode_seeds
from ablation.envs.make import lane_maker
from ablation.envs.spec import EnvSpec, env_spec
from ablation.evaluation import Evaluator
from ablation.records import Records
from ablation.replay.ring import Field, Ring
from ablation.replay.samplers import Proportional, Recent, Sampler, Uniform
from ablation.replay.weights import importance_weights
from ablation.schedules import linear
from ablation.streams import BlockStream, Stream

OnPeriod = Callable[[int, Records], None]
"""Called with the environment step after every evaluation and at the end of the run."""


def transition_fields(spec: EnvSpec) -> dict[str, Field]:
    """Return what a stored transition holds."""
    vector = Field((spec.observation_size,), torch.float32)
    scalar = Field((), torch.float32)
    return {
        "observation": vector,
        "action": Field((), torch.int64),
        "reward": scalar,
        "discount": scalar,
        "next_observation": vector,
    }


def replay_shape(config: CellConfig) -> tuple[int, int, int]:
    """Return (capacity, batch size, transitions before learning starts) that a cell really uses."""
    replay, batch_size = config.replay, config.agent.batch_size
    if replay.kind == "none":
        return 1, 1, 1
    if replay.kind == "recent":
        return batch_size, batch_size, replay.min_replay_size
    return min(replay.capacity, config.train.env_steps), batch_size, replay.min_replay_size


def make_sampler(config: CellConfig, lanes: int, device: torch.device) -> Sampler:
    """Return the sampler that a cell's replay kind names."""
    replay = config.replay
    capacity, batch_size, _ = replay_shape(config)
    if replay.kind == "uniform":
        return Uniform(batch_size)
    if replay.kind == "proportional":
        return Proportional(
            lanes,
            capacity,
            batch_size,
            replay.priority_exponent,
            replay.priority_epsilon,
            device,
        )
    return Recent(lanes, batch_size, device)


class Trainer:
    """All lanes of one job between two environment steps."""

    def __init__(self, config: CellConfig, seeds: Sequence[int], device: torch.device) -> None:
        self._config = config
        spec = env_spec(config.env.id)
        make = lane_maker(config.env.id, config.env.stepped_by, device)
        lanes = len(seeds)
        capacity, _, self._min_replay_size = replay_shape(config)
        self._environment = make(lanes, episode_seeds(seeds, Stream.RESET), True)
        self._evaluator = Evaluator(make, seeds, config.train.evaluation_episodes)
        self._learner = Learner(config.agent, seeds, spec.observation_size, spec.actions, device)
        self._ring = Ring(transition_fields(spec), lanes, capacity, device)
        self._sampler = make_sampler(config, lanes, device)
        self._explore_bits = BlockStream(seeds, Stream.EXPLORE, EXPLORE_WIDTH, device)
        self._replay_bits = BlockStream(seeds, Stream.REPLAY, self._sampler.width, device)
        self._observation = self._environment.reset()
        self.env_step = 0
        self.records = Records(lanes)

    @property
    def gradient_steps(self) -> int:
        """Return the gradient steps that every lane has taken."""
        return self._learner.gradient_steps

    def run(self, on_period: OnPeriod) -> Records:
        """Train to the end of the run and return its records."""
        train = self._config.train
        while self.env_step < train.env_steps:
            period = train.evaluate_every - self.env_step % train.evaluate_every
            self.advance(min(period, train.env_steps - self.env_step))
            if self.env_step % train.evaluate_every == 0:
                self._evaluate()
            on_period(self.env_step, self.records)
        return self.records

    def advance(self, steps: int) -> None:
        """Take environment steps, learning and logging as configured, without evaluation."""
        for _ in range(steps):
            self._interact()
            update = self._learn()
            if update is not None and self.env_step % self._config.train.log_every == 0:
                self._log(update)

    def close(self) -> None:
        """Close the environments."""
        self._environment.close()
        self._evaluator.close()

    def _interact(self) -> None:
        values = self._learner.action_values(self._observation.unsqueeze(1)).squeeze(1)
        epsilon = self._scheduled(self._config.agent.exploration_epsilon)
        actions = epsilon_greedy(values, epsilon, self._explore_bits.at(self.env_step))
        step = self._environment.step(actions)
        self._sampler.added(self._ring.append(self._transition(actions, step)))
        self._observation = step.observation
        self.env_step += 1
        self.records.add_step(
            self.env_step,
            self._learner.gradient_steps,
            step.reward.cpu().numpy(),
            step.terminated.cpu().numpy(),
            step.truncated.cpu().numpy(),
        )

    def _transition(self, actions: Tensor, step: LaneStep) -> Mapping[str, Tensor]:
        return {
            "observation": self._observation,
            "action": actions,
            "reward": step.reward,
            # Termination ends the return; truncation only ends what was seen of it.
            "discount": self._config.agent.discount * (~step.terminated).float(),
            "next_observation": step.final_observation,
        }

    def _learn(self) -> Update | None:
        agent = self._config.agent
        update = None
        if self.env_step >= self._min_replay_size and self.env_step % agent.learn_period == 0:
            bits = self._replay_bits.at(self._learner.gradient_steps)
            slots, probabilities = self._sampler.sample(self._ring, bits)
            exponent = self._scheduled(self._config.replay.importance_sampling_exponent)
            weights = importance_weights(probabilities, self._ring.size, exponent)
            update = self._learner.update(self._ring.gather(slots), weights)
            self._sampler.learned(slots, update.errors)
        if agent.target_network and self.env_step % agent.target_update_period == 0:
            self._learner.refresh_target()
        return update

    def _log(self, update: Update) -> None:
        tensors = {
            "loss": update.losses.mean(dim=1),
            "td_error_abs": update.errors.abs().mean(dim=1),
            "q_value": update.values.mean(dim=1),
            "gradient_norm": self._learner.gradient_norm(),
        }
        values = {name: tensor.double().cpu().numpy() for name, tensor in tensors.items()}
        epsilon = self._scheduled(self._config.agent.exploration_epsilon)
        values["exploration_epsilon"] = np.full(len(self.records.lanes), epsilon)
        self.records.add_learner(self.env_step, self._learner.gradient_steps, values)

    def _evaluate(self) -> None:
        round_ = self.env_step // self._config.train.evaluate_every - 1
        returns, lengths = self._evaluator(round_, self._learner.action_values)
        self.records.add_evaluation(self.env_step, self._learner.gradient_steps, returns, lengths)

    def _scheduled(self, schedule: Schedule) -> float:
        steps = self._config.train.env_steps if schedule.steps is None else schedule.steps
        return linear(self.env_step, schedule.start, schedule.end, steps)
