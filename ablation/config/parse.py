"""From plain values to a validated configuration."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from ablation.config.entry_points import with_import_paths
from ablation.config.fork import check_fork
from ablation.config.losses import LOSSES
from ablation.config.optimizers import OPTIMIZERS
from ablation.config.replay_kinds import REPLAY_KINDS
from ablation.config.schema import CellConfig, ReplayConfig
from ablation.config.source import check_component
from ablation.config.source_modules import is_component
from ablation.config.step_schedule import derive_schedule
from ablation.config.tasks import check_task, task_of
from ablation.config.validation import ConfigError, validate


def parse(values: Mapping[str, Any]) -> CellConfig:
    """Return the validated configuration of a cell from nested plain values.

    Raises `ConfigError` for the first key that is unknown, missing, of a wrong type or out of range,
    or for values that exclude each other.
    """
    config = validate(CellConfig, with_import_paths(values))
    _check_agent(config)
    check_task(config)
    _check_replay(config)
    _check_schedules(config)
    check_fork(config)
    env_steps = derive_schedule(config).env_steps
    most = task_of(config.env.id).most_steps
    if most is not None and env_steps > most:
        allowed = f"must be at most {most} for {config.env.id}, whose examples are shown once"
        raise ConfigError("train.env_steps", env_steps, allowed)
    return _exploring(_evenly_evaluated(config, env_steps), env_steps)


def _evenly_evaluated(config: CellConfig, env_steps: int) -> CellConfig:
    train = config.train
    if train.evaluations is None:
        return config
    if train.evaluations > env_steps:
        allowed = f"must be at most the run's environment steps ({env_steps})"
        raise ConfigError("train.evaluations", train.evaluations, allowed)
    every = env_steps // train.evaluations
    return dataclasses.replace(
        config, train=dataclasses.replace(train, evaluate_every=every, evaluations=None)
    )


def _exploring(config: CellConfig, env_steps: int) -> CellConfig:
    """Return the configuration with exploration that falls over a number of steps, not over a share."""
    agent = config.agent
    share, epsilon = agent.exploration_fraction, agent.exploration_epsilon
    if share is None:
        return config
    if epsilon.steps is not None:
        allowed = (
            f"agent.exploration_epsilon.steps is {epsilon.steps}: set one of the two, the other to null"
        )
        raise ConfigError("agent.exploration_fraction", share, allowed)
    falling = dataclasses.replace(epsilon, steps=round(share * env_steps))
    changed = dataclasses.replace(agent, exploration_epsilon=falling, exploration_fraction=None)
    return dataclasses.replace(config, agent=changed)


def _check_agent(config: CellConfig) -> None:
    agent = config.agent
    for key, table in (("loss", LOSSES), ("optimizer", OPTIMIZERS)):
        name = getattr(agent, key)
        if is_component(name):
            check_component(f"agent.{key}", name)
        else:
            _ = table[name]
    if agent.network is not None:
        check_component("agent.network", agent.network)
    for key, value in agent.network_options.items():
        if agent.network is None:
            raise ConfigError(f"agent.network_options.{key}", value, "goes with agent.network alone")
    if is_component(agent.optimizer) and agent.weight_decay:
        allowed = f"is an argument of {agent.optimizer}: put it in agent.optimizer_options"
        raise ConfigError("agent.weight_decay", agent.weight_decay, allowed)
    for key, value in agent.optimizer_options.items():
        if not is_component(agent.optimizer):
            allowed = "goes with agent.optimizer=package.module:Name alone"
            raise ConfigError(f"agent.optimizer_options.{key}", value, allowed)


def _check_replay(config: CellConfig) -> None:
    replay, batch_size = config.replay, config.agent.batch_size
    kind = REPLAY_KINDS[replay.kind]
    kind.own_options(replay.options)
    _check_eviction(replay)
    needed = batch_size + replay.n_step - 1
    if "min_replay_size" not in kind.ignores and replay.min_replay_size < needed:
        allowed = f"must be at least agent.batch_size + replay.n_step - 1 ({needed})"
        raise ConfigError("replay.min_replay_size", replay.min_replay_size, allowed)
    if "combined" not in kind.ignores and replay.combined and batch_size < 2:
        raise ConfigError("replay.combined", True, "needs agent.batch_size of at least 2")
    kind.check(config)


def _check_eviction(replay: ReplayConfig) -> None:
    if is_component(replay.eviction):
        check_component("replay.eviction", replay.eviction)
        return
    if replay.eviction not in ("fifo", "random"):
        allowed = "allowed: fifo, random, or a class as package.module:Name"
        raise ConfigError("replay.eviction", replay.eviction, allowed)
    for key, value in replay.eviction_options.items():
        raise ConfigError(f"replay.eviction_options.{key}", value, f"{replay.eviction} has no options")


def _check_schedules(config: CellConfig) -> None:
    if not math.isfinite(config.replay.priority_exponent.end):
        raise ConfigError(
            "replay.priority_exponent", config.replay.priority_exponent.end, "must be finite"
        )
    epsilon = config.agent.exploration_epsilon
    if epsilon.start > 1 or epsilon.end > 1:
        given = f"{epsilon.start} to {epsilon.end}"
        raise ConfigError("agent.exploration_epsilon", given, "both ends must lie between 0 and 1")
