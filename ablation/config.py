"""The schema of a cell's configuration: types, ranges, cross-field checks and the cell's identity."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

CORE_VERSION = 1
"""Raised whenever training would give other numbers than before: old runs then count as others."""

HASH_DIGITS = 12

TENSOR_ENVIRONMENTS = frozenset({"CartPole-v0", "CartPole-v1"})
"""Environments with batched dynamics, `ablation.envs.classic_control.DYNAMICS`; named here because
the schema knows no PyTorch."""

T = TypeVar("T")


class ConfigError(Exception):
    """A refused configuration: the key, the value given and what is allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        self.key = key
        self.value = value
        self.allowed = allowed
        super().__init__(f"{key} = {value}: {allowed}")

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, object, str]]:
        """Let the error cross process borders."""
        return type(self), (self.key, self.value, self.allowed)


# Strict: "64" is no integer, 1 is no boolean; an integer where a real number is due is fine.
Count = Annotated[int, Field(ge=1, strict=True)]
Width = Annotated[int, Field(ge=2, strict=True)]
Steps = Annotated[int, Field(ge=0, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]
Switch = Annotated[bool, Field(strict=True)]

_SCHEMA = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_SCHEMA)
class Schedule:
    """A value that moves linearly from `start` to `end` over `steps` environment steps.

    `steps = None` means the whole run. A bare number in a configuration is a constant schedule.
    """

    start: NonNegative
    end: NonNegative
    steps: Steps | None = None


def _constant(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"start": value, "end": value, "steps": 0}
    return value


@dataclass(frozen=True, config=_SCHEMA)
class EnvConfig:
    """Which environment: a registered Gymnasium id with a flat box observation, discrete actions.

    `backend` is what steps it: `auto` takes batched tensor dynamics where there are any.
    """

    id: str
    backend: Literal["auto", "gymnasium"]

    @property
    def stepped_by(self) -> Literal["tensor", "gymnasium"]:
        """Return the backend that `auto` stands for."""
        return "tensor" if self.backend == "auto" and self.id in TENSOR_ENVIRONMENTS else "gymnasium"


@dataclass(frozen=True, config=_SCHEMA)
class AgentConfig:
    """The DQN core (Mnih et al. 2015) with double Q-learning (van Hasselt et al. 2016) as an option.

    Periods are in environment steps. `max_gradient_norm` clips each lane's gradient by its own
    Euclidean norm. `adam_epsilon` is added to the root of the second moment.
    """

    hidden_sizes: tuple[Width, ...]
    batch_size: Count
    learning_rate: Positive
    adam_epsilon: Positive
    discount: Fraction
    loss: Literal["huber", "squared"]
    double_q: Switch
    max_gradient_norm: Positive | None
    target_network: Switch
    target_update_period: Count
    learn_period: Count
    exploration_epsilon: Annotated[Schedule, BeforeValidator(_constant)]


@dataclass(frozen=True, config=_SCHEMA)
class ReplayConfig:
    """Which past transitions are learned from: see `docs/configuration.md` for each kind.

    `min_replay_size` and `capacity` are in transitions. The exponents are alpha and beta of
    prioritized replay (Schaul et al. 2016, equations 1 and 2).
    """

    kind: Literal["none", "recent", "uniform", "proportional"]
    capacity: Count
    min_replay_size: Count
    priority_exponent: NonNegative
    priority_epsilon: Positive
    importance_sampling_exponent: Annotated[Schedule, BeforeValidator(_constant)]


@dataclass(frozen=True, config=_SCHEMA)
class TrainConfig:
    """Length of a run and how often it is looked at, in environment steps."""

    env_steps: Count
    evaluate_every: Count
    evaluation_episodes: Count
    log_every: Count


@dataclass(frozen=True, config=_SCHEMA)
class CellConfig:
    """Everything that decides a run's numbers, apart from its seed."""

    env: EnvConfig
    agent: AgentConfig
    replay: ReplayConfig
    train: TrainConfig


CELL_SECTIONS = tuple(field.name for field in dataclasses.fields(CellConfig))

_REPLAY_KEYS_USED = {
    "none": set[str](),
    "recent": {"min_replay_size"},
    "uniform": {"capacity", "min_replay_size"},
    "proportional": {
        "capacity",
        "min_replay_size",
        "priority_exponent",
        "priority_epsilon",
        "importance_sampling_exponent",
    },
}


def parse(values: Mapping[str, Any]) -> CellConfig:
    """Return the validated configuration of a cell from nested plain values.

    Raises `ConfigError` for the first key that is unknown, missing, of a wrong type or out of range,
    or for values that exclude each other.
    """
    config = validate(CellConfig, values)
    _check_combinations(config)
    return config


def validate(schema: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """Return plain values as an instance of a pydantic dataclass, or raise `ConfigError`.

    `prefix` goes before the key that the error names.
    """
    try:
        return TypeAdapter(schema).validate_python(dict(values))
    except ValidationError as error:
        raise _explain(error, schema, prefix) from None


def canonical(config: CellConfig) -> dict[str, Any]:
    """Return the configuration as plain values that are equal exactly when training is.

    Fields that cannot matter are dropped: what the replay kind does not read, the period of an
    absent target network, a capacity beyond the length of the run.
    """
    plain = dataclasses.asdict(config)
    replay, agent, steps = plain["replay"], plain["agent"], config.train.env_steps
    used = _REPLAY_KEYS_USED[config.replay.kind]
    plain["replay"] = {"kind": replay["kind"]} | {key: replay[key] for key in replay if key in used}
    if "capacity" in used:
        plain["replay"]["capacity"] = min(replay["capacity"], steps)
    if "importance_sampling_exponent" in used:
        _resolve_schedule(plain["replay"]["importance_sampling_exponent"], steps)
    if config.replay.kind == "none":
        agent["batch_size"] = 1
    if not config.agent.target_network:
        del agent["target_update_period"]
    _resolve_schedule(agent["exploration_epsilon"], steps)
    agent["hidden_sizes"] = list(agent["hidden_sizes"])
    plain["env"]["backend"] = config.env.stepped_by
    plain["core_version"] = CORE_VERSION
    return plain


def cell_name(config: CellConfig) -> str:
    """Return `<env>-<hash>`: the first 12 hex digits of SHA-256 over the canonical configuration."""
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


def _resolve_schedule(schedule: dict[str, Any], run_steps: int) -> None:
    if schedule["start"] == schedule["end"]:
        schedule["steps"] = 0
    elif schedule["steps"] is None:
        schedule["steps"] = run_steps


def _check_combinations(config: CellConfig) -> None:
    replay, agent, train = config.replay, config.agent, config.train
    if replay.kind in ("uniform", "proportional"):
        if replay.capacity < agent.batch_size:
            raise ConfigError(
                "replay.capacity",
                replay.capacity,
                f"must be at least agent.batch_size ({agent.batch_size})",
            )
        if replay.min_replay_size > replay.capacity:
            raise ConfigError(
                "replay.min_replay_size",
                replay.min_replay_size,
                f"must be at most replay.capacity ({replay.capacity}), or learning never starts",
            )
    if replay.kind != "none" and replay.min_replay_size < agent.batch_size:
        raise ConfigError(
            "replay.min_replay_size",
            replay.min_replay_size,
            f"must be at least agent.batch_size ({agent.batch_size})",
        )
    if agent.exploration_epsilon.start > 1 or agent.exploration_epsilon.end > 1:
        schedule = agent.exploration_epsilon
        raise ConfigError(
            "agent.exploration_epsilon",
            f"{schedule.start} to {schedule.end}",
            "both ends must lie between 0 and 1",
        )
    if train.evaluate_every > train.env_steps:
        raise ConfigError(
            "train.evaluate_every",
            train.evaluate_every,
            f"must be at most train.env_steps ({train.env_steps}), or there is no evaluation",
        )


def _explain(error: ValidationError, schema: type, prefix: str) -> ConfigError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = prefix + ".".join(path)
    if first["type"] == "unexpected_keyword_argument":
        known = ", ".join(_known_keys(schema, path[:-1]))
        return ConfigError(key, first["input"], f"unknown key; allowed here: {known}")
    if first["type"] == "missing":
        return ConfigError(key, "(missing)", "is required")
    message = first["msg"]
    return ConfigError(key, first["input"], message[0].lower() + message[1:])


def _known_keys(schema: Any, path: list[str]) -> list[str]:
    for part in path:
        schema = get_type_hints(schema)[part]
    return [field.name for field in dataclasses.fields(schema)]
