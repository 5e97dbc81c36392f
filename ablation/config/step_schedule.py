"""How a run's environment steps, gradient steps, buffer capacity and oldest policy relate.

Fedus et al. 2020: the age of the oldest policy, in gradient steps, is capacity times replay ratio
(gradient steps for each environment step). Two of the three decide the third.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ablation.config.fork import empties_buffer, parent_of
from ablation.config.replay_kinds import REPLAY_KINDS
from ablation.config.schema import CellConfig
from ablation.config.tasks import task_of
from ablation.config.validation import ConfigError


@dataclass(frozen=True)
class StepSchedule:
    """When a cell takes its steps, and the sizes that its replay kind really has."""

    env_steps: int
    capacity: int
    batch_size: int
    min_replay_size: int
    replay_ratio: Fraction
    learn_period: int = 1
    """Environment steps between which no gradient step is taken."""
    gradient_steps: int | None = None
    """Gradient steps that the run is held to, if it is."""
    learns_from: int | None = None
    """The first environment step after a fork that can have a gradient step of its own."""
    learned_before: int = 0
    """Gradient steps that the parent of a fork took until then."""

    @property
    def first_learning_step(self) -> int:
        """Return the environment step with which learning begins, or goes on after a fork."""
        return self.min_replay_size if self.learns_from is None else self.learns_from

    def gradient_steps_due(self, env_step: int) -> int:
        """Return the gradient steps taken by the end of an environment step.

        Learning begins with the step that stores transition number `min_replay_size`. Gradient steps
        fall on the environment steps that `learn_period` divides, as many as the ratio asks for.
        """
        first = self.first_learning_step
        if env_step < first:
            return self.learned_before
        due = self.learned_before + self._gradient_steps(env_step) - self._gradient_steps(first - 1)
        return due if self.gradient_steps is None else min(due, self.gradient_steps)

    def all_due(self, first: int, last: int) -> NDArray[np.int64]:
        """Return `gradient_steps_due` of environment steps `first` to `last - 1`."""
        largest, ratio = last * self.replay_ratio.numerator, self.replay_ratio
        at = np.arange(first, last).astype(np.int64 if largest < 2**63 else object)
        steps = (at - at % self.learn_period) * ratio.numerator // ratio.denominator
        first = self.first_learning_step
        due = self.learned_before + steps - self._gradient_steps(first - 1)
        due = np.where(at < first, self.learned_before, due).astype(np.int64)
        return due if self.gradient_steps is None else np.minimum(due, self.gradient_steps)

    def learnable_share(self) -> float:
        """Return the share of a run's transitions that are in the buffer at some gradient step.

        Those that the last steps store are taken as if the run went on. With `n_step` above 1 it can be
        less: an episode's end stores several transitions at once.
        """
        turn = self.learn_period * self.replay_ratio
        learned = self._gradient_steps(self.min_replay_size - 1)
        first = math.ceil((learned + 1) / turn) * self.learn_period
        if first > self.env_steps:
            return 0.0
        gap = max(Fraction(1), 1 / turn)
        longer = gap - math.floor(gap)
        kept = [min(self.capacity, self.learn_period * at(gap)) for at in (math.floor, math.ceil)]
        share = ((1 - longer) * kept[0] + longer * kept[1]) / (gap * self.learn_period)
        covered = min(self.capacity, first) + (self.env_steps - first) * share
        return float(covered / self.env_steps)

    def _gradient_steps(self, env_step: int) -> int:
        """Return the gradient steps by then if learning had begun at once."""
        last_turn = env_step - env_step % self.learn_period
        # In whole numbers: products of fractions are slow, and this is asked at every step.
        return last_turn * self.replay_ratio.numerator // self.replay_ratio.denominator


def derive_schedule(config: CellConfig) -> StepSchedule:
    """Return the step schedule of a cell; raises `ConfigError` where its keys contradict each other."""
    schedule, fork = _whole_run(config), config.train.fork
    return schedule if fork is None else _after_fork(schedule, config, fork.at)


def _after_fork(schedule: StepSchedule, config: CellConfig, at: int) -> StepSchedule:
    """Return a fork's schedule: its parent's gradient steps, then its own at the same pace.

    Where it takes over fewer transitions than learning begins with, it waits for the rest.
    """
    parent = derive_schedule(parent_of(config))
    # An empty buffer still has the transitions whose n-step returns are not complete.
    most = config.replay.n_step - 1 if empties_buffer(config) else schedule.capacity
    kept, first = min(at, parent.capacity, most), schedule.min_replay_size
    missing = max(first - at, min(first, schedule.capacity) - kept)
    learned = parent.gradient_steps_due(at)
    return replace(schedule, learns_from=at + max(missing, 1), learned_before=learned)


def _whole_run(config: CellConfig) -> StepSchedule:
    ratio, given_capacity = _ratio_and_capacity(config)
    kind = REPLAY_KINDS[config.replay.kind]
    items = task_of(config.env.id).items_at_start(config.env.id)
    if items is not None:
        # One gradient step on one item at each step, from the first on.
        return StepSchedule(_env_steps(config, Fraction(1), 1), items, 1, 1, Fraction(1))
    period = config.agent.learn_period or 1
    longest_gap = period * math.ceil(1 / (period * ratio))
    capacity, batch_size, first = kind.sizes(config, given_capacity, longest_gap)
    env_steps = _env_steps(config, ratio, first)
    if kind.stores:
        _check_capacity(config, capacity, env_steps)
    if config.train.evaluations is None and config.train.evaluate_every > env_steps:
        allowed = f"must be at most the run's environment steps ({env_steps}): give both"
        raise ConfigError("train.evaluate_every", config.train.evaluate_every, allowed)
    held = config.train.gradient_steps if config.train.hold_fixed == "gradient_steps" else None
    # learn_period * replay_ratio == 1 is the usual case of one gradient step a period: as period 1 both
    # spellings have one identity. Any other period makes blocks of gradient steps.
    period = 1 if period * ratio == 1 else period
    return StepSchedule(env_steps, min(capacity, env_steps), batch_size, first, ratio, period, held)


def _ratio_and_capacity(config: CellConfig) -> tuple[Fraction, int]:
    agent, replay = config.agent, config.replay
    ratio = Fraction(1, agent.learn_period) if agent.learn_period else None
    if agent.replay_ratio is not None:
        ratio = Fraction(str(agent.replay_ratio))
    capacity = replay.capacity
    if not REPLAY_KINDS[replay.kind].stores:
        return _required(ratio, config), capacity or 1
    if replay.oldest_policy is not None:
        oldest = Fraction(str(replay.oldest_policy))
        if ratio is not None and capacity is not None and oldest != ratio * capacity:
            allowed = (
                f"capacity {capacity} x replay ratio {ratio} is {ratio * capacity}; set one to null"
            )
            raise ConfigError("replay.oldest_policy", replay.oldest_policy, allowed)
        if capacity is None and ratio is not None:
            capacity = math.floor(oldest / ratio)
        elif capacity is not None:
            ratio = oldest / capacity
    if capacity is None:
        allowed = "is required, unless both the replay ratio and replay.oldest_policy are given"
        raise ConfigError("replay.capacity", None, allowed)
    return _required(ratio, config), capacity


def _required(ratio: Fraction | None, config: CellConfig) -> Fraction:
    if ratio is None:
        allowed = (
            "is required, unless agent.replay_ratio or replay.oldest_policy with a capacity is given"
        )
        raise ConfigError("agent.learn_period", config.agent.learn_period, allowed)
    return ratio


def _env_steps(config: CellConfig, ratio: Fraction, first: int) -> int:
    train = config.train
    if train.hold_fixed == "env_steps":
        if train.env_steps is None:
            raise ConfigError("train.env_steps", None, "is required with train.hold_fixed=env_steps")
        return train.env_steps
    if train.gradient_steps is None:
        allowed = "is required with train.hold_fixed=gradient_steps"
        raise ConfigError("train.gradient_steps", None, allowed)
    period = config.agent.learn_period or 1
    before = math.floor((first - 1) // period * period * ratio)
    steps = math.ceil((train.gradient_steps + before) / ratio)
    return max(first, math.ceil(steps / period) * period)


def _check_capacity(config: CellConfig, capacity: int, env_steps: int) -> None:
    batch_size, first = config.agent.batch_size, config.replay.min_replay_size
    if capacity < batch_size:
        allowed = f"must be at least agent.batch_size ({batch_size})"
        raise ConfigError("replay.capacity", capacity, allowed)
    if first > capacity:
        allowed = f"must be at most replay.capacity ({capacity}), or learning never starts"
        raise ConfigError("replay.min_replay_size", first, allowed)
    if first > env_steps:
        allowed = f"must be at most the run's environment steps ({env_steps}), or nothing is learned"
        raise ConfigError("replay.min_replay_size", first, allowed)
