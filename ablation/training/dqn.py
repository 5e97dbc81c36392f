"""DQN for all lanes of a job at once: act and store, learn, log, evaluate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ablation.agent.backend import Update
from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.learner import Learner
from ablation.agent.policy import Parameters, policy_bytes
from ablation.config.schedules import value_at
from ablation.config.schema import CellConfig
from ablation.config.step_schedule import derive_schedule
from ablation.config.tasks import options_of, settings_of, stepped_by
from ablation.diagnostics import measures
from ablation.diagnostics.probe import Diagnostics
from ablation.envs.make import lane_maker
from ablation.envs.spec import env_spec
from ablation.replay.buffer import ReplayBuffer, transition_fields
from ablation.replay.frame_format import frame_format
from ablation.store.records import EarlyEnd, Records
from ablation.training.best import BestParameters
from ablation.training.block import Block, block_fits
from ablation.training.evaluation import Evaluator
from ablation.training.interaction import Interaction
from ablation.training.lane_threads import LaneThreads
from ablation.training.trainer import OnPeriod, nothing


class DQNTrainer:
    """A `Trainer` of value-learning agents in environments."""

    def __init__(
        self,
        config: CellConfig,
        seeds: Sequence[int],
        device: torch.device,
        threads: int = 1,
        diagnosed: bool = True,
        in_blocks: bool = True,
    ) -> None:
        """Prepare the first step; the learner computes on `device`, all else on the processor.

        Without `diagnosed` the learner's table has fewer columns. Blocks of steps, and the `threads`
        that share their lanes, make no difference to the numbers.
        """
        self._config, self._schedule, self._seeds = config, derive_schedule(config), tuple(seeds)
        spec = env_spec(config.env.id, options_of(config.env))
        self._interaction = Interaction(config, self._schedule, seeds, spec)
        self._evaluator = _evaluator(config, seeds)
        self._learner = Learner(config.agent, seeds, spec.observation_shape, spec.actions, device)
        form = frame_format(spec, settings_of(config.env).get("time_limit"))
        self._buffer = ReplayBuffer(config, self._schedule, transition_fields(spec), seeds, form)
        self._diagnostics: Diagnostics | None = None
        if diagnosed:
            size = spec.observation_size
            self._diagnostics = Diagnostics(seeds, self._learner, self._buffer, size)
        self._diagnosis: dict[str, NDArray[np.float64]] = {}
        self._spec, self._best = spec, BestParameters(self._learner.parameters.online)
        self.env_step = 0
        self.records = Records(len(seeds))
        self._block: Block | None = None
        parts = self._interaction, self._learner, self._buffer
        self._in_blocks, self._threads = in_blocks, LaneThreads(threads)
        if in_blocks and block_fits(*parts):
            states = None if self._diagnostics is None else self._diagnostics.run_states
            self._block = Block(config, self._schedule, *parts, states, self.records, self._threads)

    @property
    def gradient_steps(self) -> int:
        """Return the gradient steps that every lane has taken."""
        return self._learner.gradient_steps

    @property
    def in_blocks(self) -> bool:
        """Return whether compiled blocks take its steps, all but those that log."""
        return self._block is not None

    @property
    def done(self) -> bool:
        """Return whether the run is at its end, or every lane has ended early."""
        return self.env_step >= self._schedule.env_steps or not self.records.going_on()

    def run(self, until: int | None = None, on_period: OnPeriod = nothing) -> Records:
        """Train to the end of the run, or `until` an environment step, and return its records."""
        train, last = self._config.train, self._schedule.env_steps if until is None else until
        while not self.done and self.env_step < last:
            periods = (train.evaluate_every, train.log_every)
            steps_to_period = [every - self.env_step % every for every in periods]
            self.advance(min(*steps_to_period, last - self.env_step))
            if self.env_step % train.evaluate_every == 0:
                self._evaluate()
            on_period()
        return self.records

    def advance(self, steps: int) -> None:
        """Take environment steps, learning and logging as configured, without evaluation."""
        last = self.env_step + steps
        while self.env_step < last:
            taken = 0
            if self._block is not None:
                taken = self._block.advance(self.env_step, last - self.env_step)
            self.env_step += taken
            if not taken:
                self._step()

    def _step(self) -> None:
        if self._diagnostics is not None:
            self._diagnostics.observe(self.env_step, self._interaction.observation)
        self._interaction.step(self.env_step, self._learner, self._buffer, self.records)
        self.env_step += 1
        update = self._learn()
        if update is not None and self._logs:
            self._log(update)

    def policy(self, lane: int) -> bytes:
        """Return the file of a lane's networks, for `load_policy`."""
        online = self._learner.parameters.online[lane].cpu().numpy()
        final, spec = Parameters(online, self.env_step), self._spec
        about = self._config, self._seeds[lane], spec.observation_shape, spec.actions
        return policy_bytes(*about, final, self._best.of(lane))

    def close(self) -> None:
        """Close the environments."""
        self._threads.close()
        self._interaction.close()
        self._evaluator.close()

    def state(self) -> dict[str, Any]:
        """Return the state from which `restore` goes on bit by bit as this trainer would."""
        return {
            "env_step": self.env_step,
            **self._interaction.state(),
            "learner": self._learner.state(),
            "best": self._best.state(),
            "buffer": self._buffer.state(),
            "diagnostics": None if self._diagnostics is None else self._diagnostics.state(),
            "records": self.records.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned, in a trainer of the same cell and seeds."""
        self.env_step = state["env_step"]
        self._interaction.restore(state)
        self._learner.restore(state["learner"])
        self._best.restore(state["best"])
        self._buffer.restore(state["buffer"])
        if self._diagnostics is not None:
            self._diagnostics.restore(state["diagnostics"])
        self.records.restore(state["records"])

    def _learn(self) -> Update | None:
        """Take the gradient steps that are due; return the last one's numbers, if there were any."""
        update = None
        due = self._schedule.gradient_steps_due(self.env_step)
        while self.gradient_steps < due:
            last = self.gradient_steps + 1 == due
            update = self._gradient_step(diagnosed=last and self._logs)
        self._learner.after_env_step(self.env_step)
        return update

    def _gradient_step(self, diagnosed: bool) -> Update:
        sampled = self._buffer.sample(self.env_step, self.gradient_steps)
        diagnostics = self._diagnostics if diagnosed else None
        if diagnostics is not None:
            diagnostics.before()
        update = self._learner.update(sampled.batch, sampled.weights, self._learning_rate)
        if diagnostics is not None:
            self._diagnosis = diagnostics.row(self.env_step, sampled, update)
            self.records.failed_diagnostics.update(diagnostics.failed)
        self._buffer.update_priorities(sampled.slots, update.errors)
        return update

    @property
    def _learning_rate(self) -> float:
        schedule = self._config.agent.learning_rate
        return value_at(schedule, self.env_step, self._schedule.env_steps)

    @property
    def _logs(self) -> bool:
        return self.env_step % self._config.train.log_every == 0

    def _log(self, update: Update) -> None:
        values = {
            "loss": measures.mean(update.losses),
            "td_error_abs": measures.mean(update.errors.abs()),
            "q_value": measures.mean(update.values),
            "gradient_norm": measures.norm(self._learner.parameters.gradient.cpu()),
        }
        values["exploration_epsilon"] = np.full(
            len(self._seeds), self._interaction.epsilon(self.env_step)
        )
        self._end_diverged(values)
        self.records.add_learner(self.env_step, self.gradient_steps, values | self._diagnosis)

    def _end_diverged(self, values: Mapping[str, NDArray[np.float64]]) -> None:
        """End the lanes whose loss, values or gradient are no longer finite."""
        for lane, _ in self.records.going_on():
            bad = [name for name, value in values.items() if not np.isfinite(value[lane])]
            if bad:
                error = f"diverged: {', '.join(bad)} not finite at environment step {self.env_step}"
                end = EarlyEnd("diverged", error, self.env_step, self.gradient_steps)
                self._interaction.end(lane, end, self.records)

    def _evaluate(self) -> None:
        round_ = self.env_step // self._config.train.evaluate_every - 1
        backend = self._learner.backend
        if self._in_blocks and isinstance(backend, CompiledBackend) and self._evaluator.compiled:
            evaluation = self._evaluator.play(round_, backend, self._threads)
        else:
            evaluation = self._evaluator(round_, self._learner.action_values)
            for lane, failure in self._evaluator.failures.items():
                counts = self.env_step, self.gradient_steps
                self._interaction.fail(lane, failure, *counts, self.records)
        self.records.add_evaluation(self.env_step, self.gradient_steps, evaluation)
        self._best.note(self.env_step, evaluation.returns, self._learner.parameters.online)


def _evaluator(config: CellConfig, seeds: Sequence[int]) -> Evaluator:
    """Return what evaluates a cell's agents, in environments with the physics of its evaluation."""
    env, physics = config.env, config.env.evaluation.changed
    make = lane_maker(env.id, stepped_by(env), env.time_limit, physics, options_of(env))
    return Evaluator(make, seeds, config.train.evaluation_episodes, config.agent.discount)
