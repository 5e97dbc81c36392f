"""Settings that only some environments have: games, CartPole's physics, and one of the user's own."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.dataclasses import dataclass

from ablation.config.validation import _SCHEMA, Count, Finite, Positive, Steps, Switch, UnitInterval

MINATAR_SETTINGS: dict[str, Any] = {
    "time_limit": 5000,
    "sticky_actions": 0.1,
    "ramping": True,
    "minimal_actions": False,
}
"""Young & Tian 2019. They have no time limit; ours lets every evaluation end."""

ATARI_SETTINGS: dict[str, Any] = {
    "time_limit": 27_000,
    "sticky_actions": 0.0,
    "minimal_actions": True,
    "frame_skip": 4,
    "frame_stack": 4,
    "noop_max": 30,
    "reward_clipping": True,
    "life_loss_terminates": True,
}
"""Mnih et al. 2015, methods; half an hour of play at 60 frames a second is 27,000 steps of 4."""

OF_TRAINING = ("time_limit", "reward_clipping", "life_loss_terminates")
"""Settings that the training loop applies; the others are arguments of the environment."""


@dataclass(frozen=True, config=_SCHEMA, kw_only=True)
class GameSettings:
    """Settings of games; None stands for the game's default in `MINATAR_SETTINGS`, `ATARI_SETTINGS`."""

    sticky_actions: UnitInterval | None = None
    ramping: Switch | None = None
    minimal_actions: Switch | None = None
    frame_skip: Count | None = None
    frame_stack: Annotated[int, Field(ge=1, le=255, strict=True)] | None = None
    noop_max: Steps | None = None
    reward_clipping: Switch | None = None
    life_loss_terminates: Switch | None = None


@dataclass(frozen=True, config=_SCHEMA)
class Physics:
    """The physics that CartPole is evaluated with; None: those that it is trained with.

    Half the pole's length, its mass, the force of an action, and how far from upright and centre
    episodes start, `+-start_range` in each of the four components; Gymnasium's units and meanings.
    """

    half_length: Positive | None = None
    mass_pole: Positive | None = None
    force: Positive | None = None
    start_range: Positive | None = None

    @property
    def changed(self) -> dict[str, float]:
        """Return the values that differ from training."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value is not None}


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError):
        message = "takes names and plain values: numbers, text, true, false, null, lists of these"
        raise ValueError(message) from None
    return value


Arguments = Annotated[dict[str, Any], AfterValidator(_plain)]
"""Keyword arguments, as they can stand in a YAML file."""


@dataclass(frozen=True, config=_SCHEMA)
class Wrapper:
    """A wrapper around an environment: the name of one of Gymnasium's or an import path, and arguments.

    A text argument of the form `package.module:name` stands for what it names.
    """

    name: str
    kwargs: Arguments = dataclasses.field(default_factory=dict)


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


WrapperOrName = Annotated[Wrapper, BeforeValidator(_named)]


@dataclass(frozen=True, config=_SCHEMA)
class References:
    """Returns that scores are compared with: of random actions, and from which on it is solved."""

    threshold: Finite
    random: Finite | None = None
    source: str = "the environment's settings"
