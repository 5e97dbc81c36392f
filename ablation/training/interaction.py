"""The acting half of training: every lane takes an environment step and its transition is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ablation.agent.exploration import EXPLORE_WIDTH, exploration_draws
from ablation.agent.learner import Learner
from ablation.config.schedules import value_at
from ablation.config.schema import CellConfig
from ablation.config.step_schedule import StepSchedule
from ablation.config.tasks import options_of, settings_of, stepped_by
from ablation.envs.failures import bad_values
from ablation.envs.lanes import EnvFailure, LaneStep, episode_seeds
from ablation.envs.make import lane_maker
from ablation.envs.spec import EnvSpec
from ablation.numerics.random_streams import BlockStream, Stream
from ablation.replay.buffer import ReplayBuffer
from ablation.store.records import EarlyEnd, Records


class Interaction:
    """The environments of all lanes, the exploring agents in them, and the fate of each lane.

    `observation [L, O]` is what the next actions depend on. A lane that ends early stands still from
    there on; its place in the batch is still computed, and thrown away.
    """

    def __init__(
        self, config: CellConfig, schedule: StepSchedule, seeds: Sequence[int], spec: EnvSpec
    ) -> None:
        self._config, self._schedule, self._seeds = config, schedule, tuple(seeds)
        env = config.env
        self._game = settings_of(env)
        make = lane_maker(env.id, stepped_by(env), env.time_limit, options=options_of(env))
        self.environment = make(len(seeds), episode_seeds(seeds, Stream.RESET), True)
        draws = partial(exploration_draws, actions=spec.actions)
        self.exploration = BlockStream(seeds, Stream.EXPLORE, EXPLORE_WIDTH, draws)
        self._discount_at_end, self._discount = torch.tensor([0.0, config.agent.discount])
        self.observation = self.environment.reset().clone()

    def step(self, env_step: int, learner: Learner, buffer: ReplayBuffer, records: Records) -> None:
        """Act in every lane, the first time with `env_step` 0; store and record the outcome."""
        learned = learner.gradient_steps
        draws = self.exploration.words_at(env_step)
        actions = learner.act(self.observation, self.epsilon(env_step), draws)
        step = self.environment.step(actions)
        for lane, failure in self.environment.take_failures().items():
            self.fail(lane, failure, env_step + 1, learned, records)
        step = self._drop_bad_values(step, env_step + 1, learned, records)
        ends_return = self._ends_return(step)
        transition = self._transition(actions, step, ends_return)
        ended = step.terminated | step.truncated
        truncated = step.truncated & ~step.terminated
        buffer.add(transition, ended, env_step, learned, ends_return, truncated)
        self.observation.copy_(step.observation)
        ends = step.terminated.numpy(), step.truncated.numpy()
        records.add_step(env_step + 1, learned, step.reward.numpy(), *ends)

    def epsilon(self, env_step: int) -> float:
        """Return the probability of a random action at an environment step."""
        return value_at(self._config.agent.exploration_epsilon, env_step, self._schedule.env_steps)

    def end(self, lane: int, end: EarlyEnd, records: Records) -> None:
        """End a lane's run before its time."""
        records.end(lane, end)
        self.environment.active[lane] = False

    def fail(
        self, lane: int, failure: EnvFailure, env_step: int, gradient_steps: int, records: Records
    ) -> None:
        """End a lane's run whose environment raised an exception; its last error line says all of it."""
        where = f"environment {self._config.env.id}, seed {self._seeds[lane]}, step {env_step}"
        episode = f"step {failure.step} of the episode reset with seed {failure.episode_seed}"
        error = f"{failure.traceback.rstrip()}\n{where}: {failure.what}; {episode}"
        self.end(lane, EarlyEnd("failed", error, env_step, gradient_steps), records)

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        return {"observation": self.observation, "environment": self.environment.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self.environment.restore(state["environment"])
        self.observation.copy_(state["observation"])

    def close(self) -> None:
        """Close the environments."""
        self.environment.close()

    def _ends_return(self, step: LaneStep) -> Tensor:
        """Return the mask `[L]` of transitions that must not bootstrap (discount 0)."""
        ends_return = step.terminated
        if not self._config.agent.time_limit_bootstrap:
            ends_return = ends_return | step.truncated
        if step.life_lost is not None and self._game.get("life_loss_terminates"):
            ends_return = ends_return | step.life_lost
        return ends_return

    def _transition(self, actions: Tensor, step: LaneStep, ends_return: Tensor) -> Mapping[str, Tensor]:
        agent, reward = self._config.agent, step.reward
        if self._game.get("reward_clipping"):
            reward = reward.clamp(-1, 1)
        if agent.termination_reward is not None:
            reward = torch.where(step.terminated, agent.termination_reward, reward)
        return {
            "observation": self.observation,
            "action": actions,
            "reward": reward,
            "discount": torch.where(ends_return, self._discount_at_end, self._discount),
            "next_observation": step.final_observation,
        }

    def _drop_bad_values(
        self, step: LaneStep, env_step: int, gradient_steps: int, records: Records
    ) -> LaneStep:
        """End the lanes whose environment returned a non-finite value, and blank what it returned."""
        bad = bad_values(step)
        if not bad:
            return step
        for one in bad:
            if records.lanes[one.lane].ended is None:
                where = (
                    f"environment {self._config.env.id}, seed {self._seeds[one.lane]}, step {env_step}"
                )
                error = f"{where}: {one.field} is {one.value}, not finite"
                self.end(one.lane, EarlyEnd("failed", error, env_step, gradient_steps), records)
        return replace(
            step,
            observation=step.observation.nan_to_num(0, 0, 0),
            reward=step.reward.nan_to_num(0, 0, 0),
            final_observation=step.final_observation.nan_to_num(0, 0, 0),
        )
