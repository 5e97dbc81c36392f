"""The training loop: lanes interact, remember, learn and are evaluated, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablation.agent.backend import Update
from ablation.agent.exploration import EXPLORE_WIDTH, exploration
from ablation.agent.learner import Learner
from ablation.capture import captured
from ablation.config.schedules import value_at
from ablation.config.schema import CellConfig
from ablation.config.step_schedule import derive_schedule
from ablation.diagnostics.probe import Diagnostics
from ablation.envs.failures import bad_values
from ablation.envs.lanes import LaneStep, episode_seeds
from ablation.envs.make import lane_maker
from ablation.envs.spec import env_spec
from ablation.envs.tensor_lanes import STEPS_AHEAD, TensorLanes
from ablation.frames import frame_format
from ablation.held import Held
from ablation.numerics.random_streams import BlockStream, Stream
from ablation.outcomes import Outcomes
from ablation.replay.buffer import ReplayBuffer, transition_fields
from ablation.store.records import EarlyEnd, Records
from ablation.training.evaluation import Evaluator
from ablation.training.trainer import OnPeriod


class Trainer:
    """All lanes of one job between two environment steps."""

    def __init__(
        self,
        config: CellConfig,
        seeds: Sequence[int],
        device: torch.device,
        diagnosed: bool = True,
    ) -> None:
        """Prepare the first step; without `diagnosed` the learner's table has fewer columns."""
        self._config, self._schedule, self._seeds = config, derive_schedule(config), tuple(seeds)
        env, limit, options = config.env, config.env.time_limit, config.env.options
        self._game = env.game
        spec = env_spec(env.id, options)
        make = lane_maker(env.id, env.stepped_by, device, limit, options=options)
        physics = env.evaluation.changed
        make_evaluated = lane_maker(env.id, env.stepped_by, device, limit, physics, options)
        self._environment = make(len(seeds), episode_seeds(seeds, Stream.RESET), True)
        episodes = config.train.evaluation_episodes
        self._evaluator = Evaluator(make_evaluated, seeds, episodes, config.agent.discount)
        self._learner = Learner(config.agent, seeds, spec.observation_shape, spec.actions, device)
        fields, form = transition_fields(spec), frame_format(spec, self._game.get("time_limit"))
        self._buffer = ReplayBuffer(config, self._schedule, fields, seeds, device, form)
        size = spec.observation_size
        watched = Diagnostics(seeds, self._learner, self._buffer, size) if diagnosed else None
        self._diagnostics, self._diagnosis = watched, dict[str, np.ndarray]()
        explore = partial(exploration, actions=spec.actions)
        self._exploration = BlockStream(seeds, Stream.EXPLORE, EXPLORE_WIDTH, device, explore)
        self._epsilon = Held(device)
        self._discount_at_end, self._discount = torch.tensor([0.0, config.agent.discount], device=device)
        self._observation = self._environment.reset().clone()
        self.env_step = 0
        self.records = Records(len(seeds))
        # Where a step waits for nothing, its outcome is read later, together with others.
        self._outcomes: Outcomes | None = None
        self._outcomes_read = 0
        if isinstance(self._environment, TensorLanes):
            self._outcomes = Outcomes(len(seeds), STEPS_AHEAD, device)
        steady = self._outcomes is not None and self._buffer.steady
        self._interaction = captured(self._interact_once, device) if steady else self._interact_once
        self._gradient_step = captured(self._learn_once, device) if steady else self._learn_once

    @property
    def gradient_steps(self) -> int:
        """Return the gradient steps that every lane has taken."""
        return self._learner.gradient_steps

    @property
    def done(self) -> bool:
        """Return whether the run is at its end, or every lane has ended early."""
        return self.env_step >= self._schedule.env_steps or not self.records.going_on()

    def run(self, on_period: OnPeriod) -> Records:
        """Train to the end of the run and return its records."""
        train, last = self._config.train, self._schedule.env_steps
        while not self.done:
            ahead = [every - self.env_step % every for every in (train.evaluate_every, train.log_every)]
            self.advance(min(*ahead, last - self.env_step))
            if self.env_step % train.evaluate_every == 0:
                self._evaluate()
            on_period(self.env_step, self.records)
        return self.records

    def advance(self, steps: int) -> None:
        """Take environment steps, learning and logging as configured, without evaluation."""
        for _ in range(steps):
            self._interact()
            update = self._learn()
            if update is not None and self._logs:
                self._read_outcomes()
                self._log(update)
        self._read_outcomes()

    def close(self) -> None:
        """Close the environments."""
        self._environment.close()
        self._evaluator.close()

    def state(self) -> dict[str, Any]:
        """Return everything that `restore` needs to go on bit by bit as this trainer would."""
        return {
            "env_step": self.env_step,
            "observation": self._observation,
            "environment": self._environment.state(),
            "learner": self._learner.state(),
            "experience": self._buffer.state(),
            "diagnostics": None if self._diagnostics is None else self._diagnostics.state(),
            "records": self.records.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned, in a trainer of the same cell and seeds."""
        self._environment.restore(state["environment"])
        self._learner.restore(state["learner"])
        self._buffer.restore(state["experience"])
        if self._diagnostics is not None:
            self._diagnostics.restore(state["diagnostics"])
        self.records.restore(state["records"])
        self._observation.copy_(state["observation"])
        self.env_step = self._outcomes_read = state["env_step"]

    def _interact(self) -> None:
        if self._diagnostics is not None:
            self._diagnostics.observe(self.env_step, self._observation)
        self._exploration.turn(self.env_step)
        self._epsilon.set(self._epsilon_now())
        self._buffer.ready_to_store(self.env_step, self.gradient_steps)
        step = self._interaction()
        self.env_step += 1
        if self._outcomes is None:
            ends = step.terminated.cpu().numpy(), step.truncated.cpu().numpy()
            self.records.add_step(self.env_step, self.gradient_steps, step.reward.cpu().numpy(), *ends)
        elif self.env_step - self._outcomes_read == STEPS_AHEAD:
            self._read_outcomes()

    def _interact_once(self) -> LaneStep:
        """Act, and store what came of it; see `Captured` for what this may not do."""
        actions = self._learner.act(self._observation, self._epsilon.value, self._exploration.current)
        step = self._environment.step(actions)
        if self._outcomes is None:
            step = self._drop_bad_values(step)
        else:
            self._outcomes.keep(step)
        ended = step.terminated | step.truncated
        ends_return = self._ends_return(step)
        transition = self._transition(actions, step, ends_return)
        self._buffer.store(transition, ended, ends_return)
        self._observation.copy_(step.observation)
        return step

    def _read_outcomes(self) -> None:
        """Put the outcomes of the steps since the last time into the records."""
        if self._outcomes is None or self._outcomes_read == self.env_step:
            return
        for outcome in self._outcomes.read():
            learned = self._schedule.gradient_steps_due(self._outcomes_read)
            self._outcomes_read += 1
            for lane in np.flatnonzero(~outcome.finite).tolist():
                self._fail(lane, "an observation or a reward is not finite", self._outcomes_read)
            ends = outcome.terminated, outcome.truncated
            self.records.add_step(self._outcomes_read, learned, outcome.reward, *ends)
        assert isinstance(self._environment, TensorLanes)
        self._environment.prepare()

    def _ends_return(self, step: LaneStep) -> Tensor:
        """Return where nothing more is to come: termination; truncation only ends what is seen."""
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
            "observation": self._observation,
            "action": actions,
            "reward": reward,
            "discount": torch.where(ends_return, self._discount_at_end, self._discount),
            "next_observation": step.final_observation,
        }

    def _learn(self) -> Update | None:
        update = None
        due = self._schedule.gradient_steps_due(self.env_step)
        while self._learner.gradient_steps < due:
            self._buffer.ready_to_draw(self.env_step, self.gradient_steps)
            last = self.gradient_steps + 1 == due
            if self._diagnostics is not None and self._logs and last:
                update = self._diagnosed(self._diagnostics)
            else:
                update = self._gradient_step()
                self._learner.count()
        self._learner.end_of_step(self.env_step)
        return update

    def _learn_once(self) -> Update:
        """Take a gradient step; see `Captured` for what this may not do."""
        drawn = self._buffer.draw()
        update = self._learner.step(drawn.batch, drawn.weights)
        self._buffer.learned(drawn.slots, update.errors)
        return update

    def _diagnosed(self, diagnostics: Diagnostics) -> Update:
        """Take a gradient step under observation."""
        drawn = self._buffer.draw()
        diagnostics.before()
        update = self._learner.update(drawn.batch, drawn.weights)
        self._diagnosis = diagnostics.row(self.env_step, drawn, update)
        self._buffer.learned(drawn.slots, update.errors)
        return update

    @property
    def _logs(self) -> bool:
        return self.env_step % self._config.train.log_every == 0

    def _log(self, update: Update) -> None:
        tensors = {
            "loss": update.losses.mean(dim=1),
            "td_error_abs": update.errors.abs().mean(dim=1),
            "q_value": update.values.mean(dim=1),
            "gradient_norm": self._learner.gradient_norm(),
        }
        values = {name: tensor.double().cpu().numpy() for name, tensor in tensors.items()}
        values["exploration_epsilon"] = np.full(len(self._seeds), self._epsilon_now())
        self._end_diverged(values)
        self.records.add_learner(self.env_step, self.gradient_steps, values | self._diagnosis)

    def _evaluate(self) -> None:
        round_ = self.env_step // self._config.train.evaluate_every - 1
        evaluation = self._evaluator(round_, self._learner.action_values)
        self.records.add_evaluation(self.env_step, self.gradient_steps, evaluation)

    def _epsilon_now(self) -> float:
        return value_at(self._config.agent.exploration_epsilon, self.env_step, self._schedule.env_steps)

    def _end_diverged(self, values: Mapping[str, np.ndarray]) -> None:
        """End the lanes whose loss, values or gradient are no longer finite."""
        for lane, _ in self.records.going_on():
            bad = [name for name, value in values.items() if not np.isfinite(value[lane])]
            if bad:
                error = f"diverged: {', '.join(bad)} not finite at environment step {self.env_step}"
                self._end(lane, "diverged", error, self.env_step)

    def _drop_bad_values(self, step: LaneStep) -> LaneStep:
        """End lanes whose environment returned something non-finite, and blank what it returned."""
        bad = bad_values(step)
        if not bad:
            return step
        for found in bad:
            self._fail(found.lane, f"{found.field} is {found.value}, not finite", self.env_step + 1)
        return replace(
            step,
            observation=step.observation.nan_to_num(0, 0, 0),
            reward=step.reward.nan_to_num(0, 0, 0),
            final_observation=step.final_observation.nan_to_num(0, 0, 0),
        )

    def _fail(self, lane: int, error: str, env_step: int) -> None:
        if self.records.lanes[lane].ended is None:
            where = f"environment {self._config.env.id}, seed {self._seeds[lane]}"
            self._end(lane, "failed", f"{where}, step {env_step}: {error}", env_step)

    def _end(self, lane: int, status: str, error: str, env_step: int) -> None:
        self.records.end(lane, EarlyEnd(status, error, env_step, self._learner.gradient_steps))
        # It stands still from here on; its place in the batch is computed and thrown away.
        self._environment.active[lane] = False
