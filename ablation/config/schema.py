"""The schema of a cell's configuration: types, ranges and cross-field checks."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from ablation.config import game_settings as games
from ablation.config.validation import (
    _SCHEMA,
    Count,
    Decay,
    Finite,
    NonNegative,
    Positive,
    Steps,
    Switch,
    UnitInterval,
    Width,
)

TENSOR_ENVIRONMENTS = frozenset(
    {"Acrobot-v1", "CartPole-v0", "CartPole-v1", "MountainCar-v0", "ablation/GridWorld-v0"}
)
"""Environments with batched dynamics, `ablation.envs.dynamics.DYNAMICS`; named here because the
schema knows no PyTorch."""

DIGITS = "digits"
"""The supervised stream, in place of an environment: see `ablation.tasks.digits.trainer`."""
CLIFFWALK = "BlindCliffwalk-"
"""The chain in place of an environment, before the number of its states."""
LONGEST_CHAIN = 20
CART_POLES = ("CartPole-v0", "CartPole-v1")


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
    what is usual there: `ablation.config.game_settings`.
    """

    id: str
    backend: Literal["auto", "gymnasium"]
    time_limit: Count | None = None
    evaluation: Physics = Physics()
    sticky_actions: UnitInterval | None = None
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
    discount: UnitInterval
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
    uniform_share: UnitInterval
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


def chain_length(env_id: str) -> int | None:
    """Return the states of the Blind Cliffwalk that an id stands for, None for another id."""
    digits = env_id.removeprefix(CLIFFWALK)
    return int(digits) if env_id.startswith(CLIFFWALK) and digits.isdecimal() else None
