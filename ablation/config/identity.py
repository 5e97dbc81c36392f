"""The identity of a cell: its configuration reduced to what decides its numbers, and a name from it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ablation.config.fork import parent_of
from ablation.config.losses import LOSSES, Loss
from ablation.config.optimizers import OPTIMIZERS, Optimizer
from ablation.config.own_environment import changes_of
from ablation.config.registry import load_component
from ablation.config.replay_kinds import REPLAY_KINDS
from ablation.config.schema import AgentConfig, CellConfig, EnvConfig, ReplayConfig, Schedule
from ablation.config.source import HASH_DIGITS, source_hashes
from ablation.config.step_schedule import StepSchedule, derive_schedule
from ablation.config.tasks import settings_of, stacked_frames, stepped_by, task_of
from ablation.config.training_path import trained_by

CORE_VERSION = 3
"""Raised whenever training would give other numbers than before: old runs then count as others."""

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
    "backend": "compiled",
    "adam_betas": [0.9, 0.999],
    "sgd_momentum": 0.0,
    "weight_decay": 0.0,
    "huber_threshold": 1.0,
    "target_tau": 1.0,
    "exploration_fraction": None,
    "activation": "relu",
    "layer_norm": False,
    "options": {},
    "eviction_options": {},
    "network": None,
    "network_options": {},
    "optimizer_options": {},
}
"""Keys that are left out of the identity at these values, so that a new key renames no cell."""


def canonical(config: CellConfig, schedule: StepSchedule | None = None) -> dict[str, Any]:
    """Return the configuration as plain values that are equal exactly when training is.

    A key counts unless the entry of its replay kind or optimizer says that it does not matter; a key at
    its neutral value is left out. Keys that decide the step schedule count by the schedule that they
    lead to. `schedule` is the cell's, if it is at hand. A fork counts by its step and its
    parent. Components that are no part of this program or of an installed package count by their code.
    """
    derived = schedule or derive_schedule(config)
    values = {
        "env": _env(config.env),
        "agent": _agent(config.agent, derived),
        "replay": _replay(config.replay, derived),
        "train": {
            "env_steps": derived.env_steps,
            "evaluate_every": config.train.evaluate_every,
            "evaluation_episodes": config.train.evaluation_episodes,
            "log_every": config.train.log_every,
        }
        | ({} if derived.gradient_steps is None else {"gradient_steps": derived.gradient_steps}),
        "core_version": CORE_VERSION,
    }
    code = source_hashes(values)
    values |= {"components": code} if code else {}
    fork = config.train.fork
    return values if fork is None else values | _fork(config, fork.at, values)


def cell_name(config: CellConfig) -> str:
    """Return `<env>-<hash>`; see `name_of`."""
    return name_of(canonical(config))


def name_of(values: Mapping[str, Any]) -> str:
    """Return `<env>-<hash>` of a canonical form, the hash being the first digits of its SHA-256."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
    return f"{values['env']['id'].replace('/', '-').replace(':', '-')}-{digest}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one mapping with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def _fork(config: CellConfig, at: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells a forked run from one that has `values` from its first step on.

    Nothing where the fork changes nothing: it then is its parent's run.
    """
    parent = canonical(parent_of(config))
    return {} if parent == values else {"fork": {"at": at, "parent": name_of(parent)}}


def _env(env: EnvConfig) -> dict[str, Any]:
    limit = {} if env.time_limit is None else {"time_limit": env.time_limit}
    changed = {"evaluation": env.evaluation.changed} if env.evaluation.changed else {}
    stacked = {"frame_stack": stacked_frames(env)} if stacked_frames(env) > 1 else {}
    made = settings_of(env) | changes_of(env) | stacked
    return {"id": env.id, "backend": stepped_by(env)} | limit | changed | made | data_hash(env.id)


def data_hash(env_id: str) -> dict[str, str]:
    """Return the hash of a task's data as a key, nothing where they are the same everywhere."""
    path = task_of(env_id).fingerprint
    return {} if path is None else {"data": load_component(path)()}


def _agent(agent: AgentConfig, derived: StepSchedule) -> dict[str, Any]:
    values = _plain(agent, derived) | {
        "learn_period": derived.learn_period,
        "replay_ratio": str(derived.replay_ratio),
        "batch_size": derived.batch_size,
        "backend": trained_by(agent),
    }
    ignored = _read_by_others(LOSSES, agent.loss) | _read_by_others(OPTIMIZERS, agent.optimizer)
    if agent.network is not None:
        ignored |= {"hidden_sizes", "convolutions"}
    if not agent.target_network:
        ignored |= {"target_update_period", "target_update_unit", "target_tau"}
    return _counting(values, ignored)


def _replay(replay: ReplayConfig, derived: StepSchedule) -> dict[str, Any]:
    kind = REPLAY_KINDS[replay.kind]
    values = _plain(replay, derived) | {
        "capacity": derived.capacity,
        "min_replay_size": derived.min_replay_size,
        "options": kind.changed_options(replay.options),
    }
    # Said by the capacity.
    ignored = kind.ignored(replay) | {"oldest_policy"}
    if derived.capacity >= derived.env_steps:
        # Nothing is ever evicted.
        ignored |= {"eviction", "eviction_options"}
    return _counting(values, ignored)


def _plain(section: AgentConfig | ReplayConfig, derived: StepSchedule) -> dict[str, Any]:
    """Return a section as plain values, with schedules as numbers where they are constant."""
    values: dict[str, Any] = {}
    for key, value in dataclasses.asdict(section).items():
        given = getattr(section, key)
        values[key] = _schedule(given, derived) if isinstance(given, Schedule) else value
        if isinstance(given, tuple):
            values[key] = list(value)
    return values


def _schedule(schedule: Schedule, derived: StepSchedule) -> float | dict[str, Any]:
    if schedule.constant:
        return schedule.start
    steps = derived.env_steps if schedule.steps is None else schedule.steps
    return {"start": schedule.start, "end": schedule.end, "steps": steps}


def _read_by_others(entries: Iterable[Loss] | Iterable[Optimizer], chosen: str) -> frozenset[str]:
    """Return the keys that other entries of a table read and the chosen one does not."""
    keys = {entry.name: entry.reads for entry in entries}
    return frozenset[str]().union(*keys.values()) - keys.get(chosen, frozenset())


def _counting(section: dict[str, Any], ignored: Collection[str]) -> dict[str, Any]:
    return {
        key: value
        for key, value in section.items()
        if key not in ignored and (key not in NEUTRAL or value != NEUTRAL[key])
    }
