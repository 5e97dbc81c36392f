"""The schema of a cell's configuration: types, ranges and cross-field checks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ablation import games

TENSOR_ENVIRONMENTS = frozenset(
    {"Acrobot-v1", "CartPole-v0", "CartPole-v1", "MountainCar-v0", "ablation/GridWorld-v0"}
)
"""Environments with batched dynamics, `ablation.envs.dynamics.DYNAMICS`; named here because the
schema knows no PyTorch."""

DIGITS = "digits"
"""The supervised stream, in place of an environment: see `ablation.supervised`."""
CLIFFWALK = "BlindCliffwalk-"
"""The chain in place of an environment, before the number of its states: see `ablation.tabular`."""
LONGEST_CHAIN = 20
CART_POLES = ("CartPole-v0", "CartPole-v1")

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
Finite = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]
Decay = Annotated[float, Field(ge=0, lt=1, strict=True)]
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

    @property
    def constant(self) -> bool:
        """Return whether the value never changes."""
        return self.start == self.end


def _constant(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"start": value, "end": value, "steps": 0}
    return value


ScheduleOrNumber = Annotated[Schedule, BeforeValidator(_constant)]


@dataclass(frozen=True, config=_SCHEMA)
class Physics:
    """What CartPole is evaluated with; None: what it is trained with.

    Half the pole's length, its mass, the force of an action, and how far from upright and centre
    episodes start, `+-start_range` in each of the four components; Gymnasium's units and meanings.
    """

    half_length: Positive | None = None
    mass_pole: Positive | None = None
    force: Positive | None = None
    start_range: Positive | None = None

    @property
    def changed(self) -> dict[str, float]:
        """Return what differs from training."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value is not None}


@dataclass(frozen=True, config=_SCHEMA)
class EnvConfig:
    """Which environment: a registered Gymnasium id with a flat box observation, discrete actions.

    `backend` is what steps it: `auto` takes batched tensor dynamics where there are any. `time_limit`
    is in steps an episode, None for Gymnasium's own. The others are MinAtar's and Atari's, None for
    what is usual there: `ablation.games`.
    """

    id: str
    backend: Literal["auto", "gymnasium"]
    time_limit: Count | None = None
    evaluation: Physics = Physics()
    sticky_actions: Fraction | None = None
    ramping: Switch | None = None
    minimal_actions: Switch | None = None
    frame_skip: Count | None = None
    frame_stack: Annotated[int, Field(ge=1, le=255, strict=True)] | None = None
    noop_max: Steps | None = None
    reward_clipping: Switch | None = None
    life_loss_terminates: Switch | None = None

    @property
    def game(self) -> dict[str, Any]:
        """Return the settings of a game, each as given or usual; nothing for other environments."""
        given = {key: getattr(self, key) for key in games.usual(self.id)}
        return {
            key: value if given[key] is None else given[key]
            for key, value in games.usual(self.id).items()
        }

    @property
    def options(self) -> tuple[tuple[str, Any], ...]:
        """Return the settings that a game is made with, beside its limit."""
        return games.options(self.game)

    @property
    def stepped_by(self) -> Literal["tensor", "gymnasium"]:
        """Return the backend that `auto` stands for."""
        return "tensor" if self.backend == "auto" and self.id in TENSOR_ENVIRONMENTS else "gymnasium"


@dataclass(frozen=True, config=_SCHEMA)
class Convolution:
    """One layer of filters over an image, without padding; sizes and strides are square, in pixels."""

    filters: Width
    kernel_size: Count
    stride: Count = 1


@dataclass(frozen=True, config=_SCHEMA)
class AgentConfig:
    """The DQN core (Mnih et al. 2015) with double Q-learning (van Hasselt et al. 2016) as an option.

    `learn_period` counts environment steps between gradient steps; `replay_ratio` is gradient steps
    for each environment step, one for each period unless said. Both together make blocks.
    `target_update_period` is in the unit that `target_update_unit` names. `max_gradient_norm` clips
    each lane's gradient by its own Euclidean norm. `adam_epsilon` is added to the root of the second
    moment, `rmsprop_epsilon` to the root of the gradient's variance or, as Mnih et al. do, to the
    variance under it. `termination_reward` is learned in place of the environment's reward where an
    episode terminates; scores keep the environment's. The loss `next_value` is one that an article
    writes in a TD error's place (docs/article.md): it has no minimum.
    """

    hidden_sizes: tuple[Width, ...]
    batch_size: Count
    learning_rate: Positive
    adam_epsilon: Positive
    discount: Fraction
    time_limit_bootstrap: Switch
    loss: Literal["huber", "squared", "next_value"]
    double_q: Switch
    max_gradient_norm: Positive | None
    target_network: Switch
    target_update_period: Count
    target_update_unit: Literal["env_steps", "gradient_steps"]
    learn_period: Count | None
    replay_ratio: Positive | None
    exploration_epsilon: ScheduleOrNumber
    termination_reward: Finite | None = None
    convolutions: tuple[Convolution, ...] = ()
    optimizer: Literal["adam", "rmsprop"] = "adam"
    rmsprop_decay: Decay = 0.95
    rmsprop_epsilon: Positive = 0.01
    rmsprop_epsilon_enters: Literal["variance", "root"] = "root"


@dataclass(frozen=True, config=_SCHEMA)
class ReplayConfig:
    """Which past transitions are learned from: see `docs/configuration.md` for each key.

    `min_replay_size` and `capacity` are in transitions, `oldest_policy` in gradient steps. The
    exponents are alpha and beta of prioritized replay (Schaul et al. 2016, equations 1 and 2).
    """

    kind: Literal["none", "recent", "uniform", "proportional", "rank", "greedy", "oracle"]
    capacity: Count | None
    oldest_policy: Positive | None
    min_replay_size: Count
    eviction: Literal["fifo", "random"]
    replacement: Switch
    combined: Switch
    n_step: Count
    priority_exponent: ScheduleOrNumber
    priority_epsilon: NonNegative
    priority_epsilon_enters: Literal["error", "priority"]
    new_priority: Literal["max_seen", "max_present"] | Positive
    stratified: Switch
    uniform_share: Fraction
    importance_sampling_exponent: ScheduleOrNumber
    weight_normalisation: Literal["batch_max", "pool_max", "none"]
    priority_refresh_period: Count

    @property
    def prioritized(self) -> bool:
        """Return whether draws are random, in proportion to what TD errors say."""
        return self.kind in ("proportional", "rank")

    @property
    def stores(self) -> bool:
        """Return whether the kind keeps more than the batch that it learns from."""
        return self.kind not in ("none", "recent")


@dataclass(frozen=True, config=_SCHEMA)
class TrainConfig:
    """Length of a run and how often it is looked at, in environment steps.

    `hold_fixed = gradient_steps` makes the run as long as its `gradient_steps` need, instead.
    `evaluations` in a run, evenly spread, take the place of `evaluate_every`: arms whose lengths differ
    are then looked at equally often. `parse` has turned the one into the other.
    """

    hold_fixed: Literal["env_steps", "gradient_steps"]
    env_steps: Count | None
    gradient_steps: Count | None
    evaluate_every: Count
    evaluation_episodes: Count
    log_every: Count
    evaluations: Count | None = None


@dataclass(frozen=True, config=_SCHEMA)
class CellConfig:
    """Everything that decides a run's numbers, apart from its seed."""

    env: EnvConfig
    agent: AgentConfig
    replay: ReplayConfig
    train: TrainConfig


CELL_SECTIONS = tuple(field.name for field in dataclasses.fields(CellConfig))


def parse(values: Mapping[str, Any]) -> CellConfig:
    """Return the validated configuration of a cell from nested plain values.

    Raises `ConfigError` for the first key that is unknown, missing, of a wrong type or out of range,
    or for values that exclude each other.
    """
    from ablation.clocks import clocks

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
    return _evenly_evaluated(config, clocks(config).env_steps)


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


def validate(schema: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """Return plain values as an instance of a pydantic dataclass, or raise `ConfigError`.

    `prefix` goes before the key that the error names.
    """
    try:
        return TypeAdapter(schema).validate_python(dict(values))
    except ValidationError as error:
        raise _explain(error, schema, prefix) from None


def chain_length(env_id: str) -> int | None:
    """Return the states of the Blind Cliffwalk that an id stands for, None for another id."""
    digits = env_id.removeprefix(CLIFFWALK)
    return int(digits) if env_id.startswith(CLIFFWALK) and digits.isdecimal() else None


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
        # A number is a place in a tuple of one kind of thing.
        schema = get_args(schema)[0] if part.isdigit() else get_type_hints(schema)[part]
    return [field.name for field in dataclasses.fields(schema)]
