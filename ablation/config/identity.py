"""What a cell is called: the hash of a configuration reduced to what decides its numbers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ablation.config.schema import CellConfig, EnvConfig, Schedule
from ablation.config.step_schedule import StepSchedule, derive_schedule

CORE_VERSION = 2
"""Raised whenever training would give other numbers than before: old runs then count as others."""

HASH_DIGITS = 12

NEUTRAL: dict[str, Any] = {
    "eviction": "fifo",
    "replacement": True,
    "combined": False,
    "n_step": 1,
    "uniform_share": 0.0,
    "priority_epsilon_enters": "error",
    "new_priority": "max_seen",
    "stratified": True,
    "weight_normalisation": "batch_max",
    "time_limit_bootstrap": True,
    "learn_period": 1,
    "target_update_unit": "env_steps",
    "max_gradient_norm": None,
    "termination_reward": None,
    "convolutions": [],
    "optimizer": "adam",
}
"""Options that change nothing at these values. They are left out of the identity, so that adding an
option does not give every cell another name."""


def canonical(config: CellConfig) -> dict[str, Any]:
    """Return the configuration as plain values that are equal exactly when training is.

    Fields that cannot matter are dropped: what the replay kind does not read, the period of an
    absent target network, a capacity beyond the length of the run. Clocks are kept as what they come
    to, whichever keys said it.
    """
    derived = derive_schedule(config)
    plain = dataclasses.asdict(config)
    return {
        "env": _env(config.env),
        "agent": _agent(config, plain["agent"], derived),
        "replay": _replay(config, plain["replay"], derived),
        "train": {
            "env_steps": derived.env_steps,
            "evaluate_every": config.train.evaluate_every,
            "evaluation_episodes": config.train.evaluation_episodes,
            "log_every": config.train.log_every,
        }
        | ({} if derived.gradient_steps is None else {"gradient_steps": derived.gradient_steps}),
        "core_version": CORE_VERSION,
    }


def cell_name(config: CellConfig) -> str:
    """Return `<env>-<hash>`, the hash from the first digits of SHA-256 over the canonical form."""
    text = json.dumps(canonical(config), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
    return f"{config.env.id.replace('/', '-').replace(':', '-')}-{digest}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one mapping with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def _env(env: EnvConfig) -> dict[str, Any]:
    limit = {} if env.time_limit is None else {"time_limit": env.time_limit}
    changed = {"evaluation": env.evaluation.changed} if env.evaluation.changed else {}
    return {"id": env.id, "backend": env.stepped_by} | limit | changed | env.game


def _agent(config: CellConfig, agent: dict[str, Any], derived: StepSchedule) -> dict[str, Any]:
    agent["learn_period"] = derived.learn_period
    agent["replay_ratio"] = str(derived.replay_ratio)
    agent["batch_size"] = derived.batch_size
    for key in ("convolutions", "hidden_sizes"):
        agent[key] = list(agent[key])
    agent["exploration_epsilon"] = _schedule(config.agent.exploration_epsilon, derived)
    if not config.agent.target_network:
        del agent["target_update_period"], agent["target_update_unit"]
    other = "rmsprop_" if config.agent.optimizer == "adam" else "adam_"
    return _without_neutral({key: value for key, value in agent.items() if not key.startswith(other)})


def _replay(config: CellConfig, replay: dict[str, Any], derived: StepSchedule) -> dict[str, Any]:
    kept = {"kind", "n_step"}
    if config.replay.kind != "none":
        kept |= {"min_replay_size"}
    if config.replay.stores:
        kept |= {"capacity", "eviction", "replacement", "combined"}
        replay["capacity"] = derived.capacity
        replay["min_replay_size"] = derived.min_replay_size
    if config.replay.kind in ("greedy", "oracle"):
        kept -= {"replacement"}
    if derived.capacity >= derived.env_steps:
        kept -= {"eviction"}
    if config.replay.prioritized:
        kept |= {"priority_exponent", "new_priority", "stratified", "uniform_share"}
        kept |= {"importance_sampling_exponent", "weight_normalisation"}
        replay["priority_exponent"] = _schedule(config.replay.priority_exponent, derived)
        weights = config.replay.importance_sampling_exponent
        replay["importance_sampling_exponent"] = _schedule(weights, derived)
        if weights.constant and weights.start == 0:
            kept -= {"weight_normalisation"}
    if config.replay.kind == "proportional":
        kept |= {"priority_epsilon", "priority_epsilon_enters"}
    if config.replay.kind == "rank" or not config.replay.priority_exponent.constant:
        kept |= {"priority_refresh_period"} if config.replay.prioritized else set()
    return _without_neutral({key: value for key, value in replay.items() if key in kept})


def _schedule(schedule: Schedule, derived: StepSchedule) -> float | dict[str, Any]:
    if schedule.constant:
        return schedule.start
    steps = derived.env_steps if schedule.steps is None else schedule.steps
    return {"start": schedule.start, "end": schedule.end, "steps": steps}


def _without_neutral(section: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key not in NEUTRAL or value != NEUTRAL[key]}
