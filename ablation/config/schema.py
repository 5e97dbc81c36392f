"""The schema of a cell's configuration: its keys, their types and ranges."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator
from pydantic.dataclasses import dataclass

from ablation.config.env_settings import (
    Arguments,
    GameSettings,
    Physics,
    WrapperOrName,
)
from ablation.config.validation import (
    _SCHEMA,
    Count,
    Decay,
    Finite,
    NonNegative,
    Positive,
    Share,
    Steps,
    Switch,
    UnitInterval,
    Width,
)


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


def _positive_number(value: object) -> object:
    if isinstance(value, dict | Schedule):
        return value
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("must be a number, or start, end and steps")
    if not 0 < value < math.inf:
        raise ValueError("must be finite and greater than 0")
    return _constant(value)


def _starting_positive(schedule: Schedule) -> Schedule:
    if schedule.start == 0:
        raise ValueError("must start at a number greater than 0")
    return schedule


LearningRate = Annotated[Schedule, BeforeValidator(_positive_number), AfterValidator(_starting_positive)]


@dataclass(frozen=True, config=_SCHEMA)
class EnvConfig(GameSettings):
    """Which environment: an id that one of the tasks owns, most often a registered Gymnasium id.

    With `backend: auto` environments that have batched dynamics are stepped by them. `time_limit` is in
    steps an episode, None for Gymnasium's own or the game's default. Settings of games are None in
    environments that do not have them. It is made with `kwargs` and wrapped by `wrappers`, the first one
    innermost; `scale_observation` maps each number of an observation from its bounds to [0, 1].
    """

    id: str
    backend: Literal["auto", "gymnasium"]
    time_limit: Count | None = None
    evaluation: Physics = Physics()
    kwargs: Arguments = dataclasses.field(default_factory=dict)
    wrappers: tuple[WrapperOrName, ...] = ()
    scale_observation: Switch = False


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
    writes in a TD error's place (docs/article.md): it has no minimum. `backend: auto` trains by
    compiled loops where they can, `torch` by PyTorch; see `trained_by`. An update of the target network
    moves it by the share `target_tau` towards the online one, 1 copies it (Lillicrap et al. 2016).
    `weight_decay` adds that share of a parameter to its gradient, or with `adamw` shrinks the parameter
    itself (Loshchilov & Hutter 2019). `exploration_fraction` is the share of the run over which
    exploration falls, in place of its `steps`; `parse` converts it to them. `network`, `loss` and
    `optimizer` may be import paths of the user's code, which PyTorch trains (docs/networks.md).
    `layer_norm` normalizes what a hidden layer gives before its activation (Ba et al. 2016).
    """

    hidden_sizes: tuple[Width, ...]
    batch_size: Count
    learning_rate: LearningRate
    adam_epsilon: Positive
    discount: UnitInterval
    time_limit_bootstrap: Switch
    loss: str
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
    backend: Literal["auto", "torch"] = "auto"
    optimizer: str = "adam"
    rmsprop_decay: Decay = 0.95
    rmsprop_epsilon: Positive = 0.01
    rmsprop_epsilon_enters: Literal["variance", "root"] = "root"
    adam_betas: tuple[Decay, Decay] = (0.9, 0.999)
    sgd_momentum: Decay = 0.0
    weight_decay: NonNegative = 0.0
    huber_threshold: Positive = 1.0
    target_tau: Share = 1.0
    exploration_fraction: Share | None = None
    activation: Literal["relu", "tanh", "elu", "gelu", "silu"] = "relu"
    layer_norm: Switch = False
    network: str | None = None
    network_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    optimizer_options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, config=_SCHEMA)
class ReplayConfig:
    """Which past transitions are learned from: see `docs/configuration.md` for each key.

    `kind` names an entry of `ablation.config.replay_kinds` or the import path of a class, `eviction` is
    `fifo`, `random` or such a path; `options` and `eviction_options` are keys that they alone have.

    `min_replay_size` and `capacity` are in transitions, `oldest_policy` in gradient steps. The
    exponents are alpha and beta of prioritized replay (Schaul et al. 2016, equations 1 and 2).
    """

    kind: str
    capacity: Count | None
    oldest_policy: Positive | None
    min_replay_size: Count
    eviction: str
    replacement: Switch
    combined: Switch
    n_step: Count
    priority_exponent: ScheduleOrNumber
    priority_epsilon: NonNegative
    priority_epsilon_enters: Literal["error", "priority"]
    new_priority: Literal["max_seen", "max_present"] | Positive
    stratified: Switch
    uniform_share: UnitInterval
    importance_sampling_exponent: ScheduleOrNumber
    weight_normalisation: Literal["batch_max", "pool_max", "none"]
    priority_refresh_period: Count
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    eviction_options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, config=_SCHEMA)
class Fork:
    """Where a run leaves another one, its parent: after environment step `at`.

    `before` has the keys that the fork changes, such as `replay.capacity`, with the parent's values.
    """

    at: Count
    before: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, config=_SCHEMA)
class TrainConfig:
    """Length of a run and its periods of evaluation and logging, in environment steps.

    `hold_fixed = gradient_steps` makes the run as long as `gradient_steps` need. `evaluations` is the
    number of evaluations in a run, evenly spread, in place of `evaluate_every`: arms of different
    lengths are then evaluated equally often. `parse` converts it to `evaluate_every`. The values of a
    configuration with a `fork` hold from there on (docs/forks.md).
    """

    hold_fixed: Literal["env_steps", "gradient_steps"]
    env_steps: Count | None
    gradient_steps: Count | None
    evaluate_every: Count
    evaluation_episodes: Count
    log_every: Count
    evaluations: Count | None = None
    fork: Fork | None = None


@dataclass(frozen=True, config=_SCHEMA)
class CellConfig:
    """Everything that decides a run's numbers, apart from its seed."""

    env: EnvConfig
    agent: AgentConfig
    replay: ReplayConfig
    train: TrainConfig


CELL_SECTIONS = tuple(field.name for field in dataclasses.fields(CellConfig))
