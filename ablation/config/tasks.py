"""The tasks that cells train on: environments, games, labeled streams, a table of values.

Each entry says what configuration, identity, memory plan and training need of a task. Sizes of its
observations and its trainer are import paths: planning loads only the first, and without PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ablation.config.env_settings import ATARI_SETTINGS, MINATAR_SETTINGS, OF_TRAINING
from ablation.config.own_environment import as_options, changes_of, check_changes
from ablation.config.registry import Registry
from ablation.config.replay_kinds import REPLAY_KINDS
from ablation.config.schema import CellConfig, EnvConfig
from ablation.config.validation import ConfigError

BATCHED = {
    "CartPole-v0": "ablation.envs.classic_control:CartPole",
    "CartPole-v1": "ablation.envs.classic_control:CartPole",
    "MountainCar-v0": "ablation.envs.classic_control:MountainCar",
    "Acrobot-v1": "ablation.envs.classic_control:Acrobot",
    "ablation/GridWorld-v0": "ablation.envs.grid_world:GridWorld",
}
"""Environments that are stepped as array operations over all lanes, and their dynamics' import paths."""
_VERSIONED = re.compile(r"-v\d+$")
CART_POLES = ("CartPole-v0", "CartPole-v1")

MINATAR, ATARI, CLIFFWALK = "MinAtar/", "Atari/", "BlindCliffwalk-"
LONGEST_N_STEP = 100
"""Steps that a stored transition of frames can span."""
LONGEST_CHAIN = 20

IN_ENVIRONMENTS = "ablation.training.dqn:DQNTrainer"
"""Trains agents that act, by episodes."""
FLOAT_BYTES = 4
ACTION_BYTES = EXAMPLE_BYTES = 8
CHAIN_BYTES = 32
"""State, action, reward and discount of a Blind Cliffwalk's transition."""


def _transition_bytes(observation_size: int) -> int:
    return 2 * observation_size * FLOAT_BYTES + 2 * FLOAT_BYTES + ACTION_BYTES


def _fills_as_it_goes(env_id: str) -> int | None:  # noqa: ARG001
    return None


def _accept(config: CellConfig) -> None:
    pass


@dataclass(frozen=True)
class Task:
    """One way to train a cell, and the environment ids that it is for."""

    name: str
    """How its environment ids look, for messages."""
    owns: Callable[[str], bool]
    """Whether an environment id belongs to it; the first task that says so has it."""
    trainer: str = IN_ENVIRONMENTS
    """Import path of its `Trainer`."""
    spec: str = "ablation.envs.spec:registered_spec"
    """Import path of a function (environment id, options) -> `EnvSpec`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings that it has beside those of every environment, and their defaults."""
    item_bytes: Callable[[int], int] = _transition_bytes
    """(numbers in an observation) -> bytes of a stored item."""
    items_at_start: Callable[[str], int | None] = _fills_as_it_goes
    """(environment id) -> items that are stored before the first step, one of which is learned from at
    each step; None where steps bring the items."""
    check: Callable[[CellConfig], None] = _accept
    """Raises `ConfigError` for a configuration that it cannot train."""
    portable: bool = False
    """Whether it computes by our compiled loops alone, without batched dynamics."""
    fingerprint: str | None = None
    """Import path of a function that returns a hash of its data, which counts in a cell's identity; None
    where the data are the same everywhere."""
    most_steps: int | None = None
    """The environment steps after which its data are at their end; None where they have none."""


def task_of(env_id: str) -> Task:
    """Return the task that an environment id belongs to."""
    return next(task for task in TASKS if task.owns(env_id))


def is_env_id(name: str, files: Collection[str]) -> bool:
    """Return whether the name of an environment is no file's but an id, as the tasks write theirs."""
    written_as_id = ":" in name or _VERSIONED.search(name) or task_of(name) is not OF_GYMNASIUM
    return bool(written_as_id) and name not in files


def settings_of(env: EnvConfig) -> dict[str, Any]:
    """Return the settings that a task alone has, each as given or at its default."""
    defaults = task_of(env.id).settings
    given = {key: getattr(env, key) for key in defaults}
    return {key: default if given[key] is None else given[key] for key, default in defaults.items()}


def options_of(env: EnvConfig) -> tuple[tuple[str, Any], ...]:
    """Return what an environment is made with, hashable: a game's settings, or another's own changes."""
    settings = tuple((key, value) for key, value in settings_of(env).items() if key not in OF_TRAINING)
    stacked = {"stacked_frames": stacked_frames(env)} if stacked_frames(env) > 1 else {}
    return settings + as_options(changes_of(env) | stacked)


def stacked_frames(env: EnvConfig) -> int:
    """Return how many observations are stacked by us; a game that has the setting does it by itself."""
    own = "frame_stack" in task_of(env.id).settings
    return 1 if own or env.frame_stack is None else env.frame_stack


def stepped_by(env: EnvConfig) -> Literal["tensor", "gymnasium"]:
    """Return what steps an environment: batched dynamics where there are any and `auto` asks for it."""
    changed = changes_of(env) or stacked_frames(env) > 1
    return "tensor" if env.backend == "auto" and env.id in BATCHED and not changed else "gymnasium"


def chain_length(env_id: str) -> int | None:
    """Return the states of the Blind Cliffwalk that an id stands for, None for another id."""
    digits = env_id.removeprefix(CLIFFWALK)
    return int(digits) if env_id.startswith(CLIFFWALK) and digits.isdecimal() else None


def check_task(config: CellConfig) -> None:
    """Raise `ConfigError` for settings that the environment does not have, or that its task refuses."""
    env, task = config.env, task_of(config.env.id)
    for key, value in env.evaluation.changed.items():
        if env.id not in CART_POLES:
            raise ConfigError(f"env.evaluation.{key}", value, f"only {' and '.join(CART_POLES)} have it")
    for key in dict.fromkeys(key for other in TASKS for key in other.settings):
        value = getattr(env, key)
        shared = key == "time_limit" or (key == "frame_stack" and task.trainer == IN_ENVIRONMENTS)
        if key not in task.settings and not shared and value is not None:
            having = [other.name for other in TASKS if key in other.settings]
            raise ConfigError(f"env.{key}", value, f"only {' and '.join(having)} have it")
    check_changes(env, task is OF_GYMNASIUM, OF_GYMNASIUM.name)
    kind = REPLAY_KINDS[config.replay.kind]
    if kind.task not in (None, task.name):
        raise ConfigError("replay.kind", kind.name, f"goes only with env.id={kind.task}")
    task.check(config)


def _check_game(config: CellConfig) -> None:
    env_id, replay = config.env.id, config.replay
    if REPLAY_KINDS[replay.kind].stores and replay.eviction != "fifo":
        allowed = f"must be fifo with {env_id}, whose frames are kept once and go with their age"
        raise ConfigError("replay.eviction", replay.eviction, allowed)
    if replay.n_step > LONGEST_N_STEP:
        allowed = f"must be at most {LONGEST_N_STEP} with {env_id}"
        raise ConfigError("replay.n_step", replay.n_step, allowed)


def _check_stream(config: CellConfig) -> None:
    if config.replay.n_step > 1:
        allowed = f"must be 1 for {config.env.id}, whose examples have no rewards"
        raise ConfigError("replay.n_step", config.replay.n_step, allowed)


def _stream(name: str, fingerprint: str | None = None, most_steps: int | None = None) -> Task:
    """Return the task of a data set of `ablation.tasks.streams.data`."""
    return Task(
        name,
        owns=lambda env_id: env_id == name,
        trainer="ablation.tasks.streams.trainer:SupervisedTrainer",
        spec="ablation.tasks.streams.data:spec",
        item_bytes=lambda _: EXAMPLE_BYTES,
        check=_check_stream,
        portable=True,
        fingerprint=fingerprint,
        most_steps=most_steps,
    )


def _check_chain(config: CellConfig) -> None:
    states, replay, name = chain_length(config.env.id), config.replay, f"{CLIFFWALK}<states>"
    if states is None or not 2 <= states <= LONGEST_CHAIN:
        raise ConfigError("env.id", config.env.id, f"takes 2 to {LONGEST_CHAIN} states")
    if not REPLAY_KINDS[replay.kind].stores:
        raise ConfigError("replay.kind", replay.kind, f"{name} needs one that stores")
    rate = config.agent.learning_rate
    if not rate.constant:
        raise ConfigError("agent.learning_rate.end", rate.end, f"must be its start for {name}")
    for key, value in (("agent.batch_size", config.agent.batch_size), ("replay.n_step", replay.n_step)):
        if value != 1:
            raise ConfigError(key, value, f"must be 1 for {name}")


def _chain_items(env_id: str) -> int:
    """Return the transitions of all action sequences of a chain of `n` states, 2^(n + 1) - 2."""
    states = chain_length(env_id)
    assert states is not None
    return (1 << states + 1) - 2


OF_GYMNASIUM = Task("an environment of Gymnasium", owns=lambda _: True)

TASKS = Registry(
    "env.id",
    [
        Task(
            "MinAtar/...",
            owns=lambda env_id: env_id.startswith(MINATAR),
            settings=MINATAR_SETTINGS,
            check=_check_game,
        ),
        Task(
            "Atari/...",
            owns=lambda env_id: env_id.startswith(ATARI),
            settings=ATARI_SETTINGS,
            check=_check_game,
        ),
        _stream("digits"),
        _stream("text", "ablation.tasks.streams.text:fingerprint", most_steps=50_000),
        _stream("prices", "ablation.tasks.streams.prices:fingerprint", most_steps=4750),
        Task(
            f"{CLIFFWALK}<states>",
            owns=lambda env_id: chain_length(env_id) is not None,
            trainer="ablation.tasks.cliffwalk.trainer:TabularTrainer",
            spec="ablation.tasks.cliffwalk.spec:spec",
            item_bytes=lambda _: CHAIN_BYTES,
            items_at_start=_chain_items,
            check=_check_chain,
        ),
        OF_GYMNASIUM,
    ],
)
"""In the order in which they are asked; the last one takes every id that is left."""
