"""From plain values to one validated configuration."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from ablation.config import game_settings as games
from ablation.config.schema import (
    CART_POLES,
    CLIFFWALK,
    DIGITS,
    LONGEST_CHAIN,
    CellConfig,
    EnvConfig,
    ReplayConfig,
    chain_length,
)
from ablation.config.validation import ConfigError, validate


def parse(values: Mapping[str, Any]) -> CellConfig:
    """Return the validated configuration of a cell from nested plain values.

    Raises `ConfigError` for the first key that is unknown, missing, of a wrong type or out of range,
    or for values that exclude each other.
    """
    from ablation.config.step_schedule import derive_schedule

    config = validate(CellConfig, values)
    _check_physics(config.env)
    _check_game(config.env, config.replay)
    if config.env.id == DIGITS and config.replay.n_step > 1:
        raise ConfigError(
            "replay.n_step", config.replay.n_step, "must be 1 for digits, which earn nothing"
        )
    _check_chain(config)
    _check_replay(config)
    _check_priorities(config.replay)
    if config.agent.exploration_epsilon.start > 1 or config.agent.exploration_epsilon.end > 1:
        schedule = config.agent.exploration_epsilon
        given = f"{schedule.start} to {schedule.end}"
        raise ConfigError("agent.exploration_epsilon", given, "both ends must lie between 0 and 1")
    return _evenly_evaluated(config, derive_schedule(config).env_steps)


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


def _check_chain(config: CellConfig) -> None:
    states, replay = chain_length(config.env.id), config.replay
    if states is None:
        if replay.kind == "oracle":
            raise ConfigError("replay.kind", "oracle", f"only {CLIFFWALK}<states> knows the true values")
        return
    if not 2 <= states <= LONGEST_CHAIN:
        raise ConfigError("env.id", config.env.id, f"takes 2 to {LONGEST_CHAIN} states")
    if not replay.stores:
        raise ConfigError("replay.kind", replay.kind, f"{CLIFFWALK}<states> needs one that stores")
    for key, value in (("agent.batch_size", config.agent.batch_size), ("replay.n_step", replay.n_step)):
        if value != 1:
            raise ConfigError(key, value, f"must be 1 for {CLIFFWALK}<states>")


def _check_physics(env: EnvConfig) -> None:
    for key, value in env.evaluation.changed.items():
        if env.id not in CART_POLES:
            raise ConfigError(f"env.evaluation.{key}", value, f"only {' and '.join(CART_POLES)} have it")


def _check_game(env: EnvConfig, replay: ReplayConfig) -> None:
    known = games.usual(env.id)
    for key in games.SETTINGS:
        value = getattr(env, key)
        if key not in known and key != "time_limit" and value is not None:
            having = [
                f"{prefix}..." for prefix in (games.MINATAR, games.ATARI) if key in games.usual(prefix)
            ]
            raise ConfigError(f"env.{key}", value, f"only {' and '.join(having)} have it")
    if not known:
        return
    if replay.stores and replay.eviction == "random":
        allowed = f"must be fifo with {env.id}, whose frames are kept once and go with their age"
        raise ConfigError("replay.eviction", replay.eviction, allowed)
    if replay.n_step > games.LONGEST_N_STEP:
        allowed = f"must be at most {games.LONGEST_N_STEP} with {env.id}"
        raise ConfigError("replay.n_step", replay.n_step, allowed)


def _check_replay(config: CellConfig) -> None:
    replay, batch_size = config.replay, config.agent.batch_size
    if replay.kind == "none":
        return
    needed = batch_size + replay.n_step - 1
    if replay.min_replay_size < needed:
        allowed = f"must be at least agent.batch_size + replay.n_step - 1 ({needed})"
        raise ConfigError("replay.min_replay_size", replay.min_replay_size, allowed)
    if replay.combined and batch_size < 2:
        raise ConfigError("replay.combined", True, "needs agent.batch_size of at least 2")
    if replay.prioritized and replay.stratified and not replay.replacement:
        allowed = "must be true with replay.stratified, which draws from every section of the pool"
        raise ConfigError("replay.replacement", False, allowed)


def _check_priorities(replay: ReplayConfig) -> None:
    share = replay.uniform_share
    if replay.prioritized and share and not replay.replacement:
        raise ConfigError("replay.uniform_share", share, "must be 0 without replacement")
    if replay.kind == "proportional" and not replay.priority_epsilon and not share:
        allowed = "must be positive, or replay.uniform_share must be: else items can starve"
        raise ConfigError("replay.priority_epsilon", replay.priority_epsilon, allowed)
    if not math.isfinite(replay.priority_exponent.end):
        raise ConfigError("replay.priority_exponent", replay.priority_exponent.end, "must be finite")
