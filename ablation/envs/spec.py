"""What an environment id stands for, checked before anything trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from math import prod
from typing import Any

from ablation.config.registry import load_component
from ablation.config.tasks import task_of
from ablation.config.validation import ConfigError
from ablation.envs.games import register_game
from ablation.numerics.pixels import Pixels

Options = tuple[tuple[str, Any], ...]
"""Keyword arguments that an environment is made with, hashable."""

KEY = "env.id"
NEEDED = "a flat box observation and at least two discrete actions are needed"
EXTRAS = {"box2d": "box2d", "minatar": "minatar", "atari": "atari"}
"""Packages of environments that need an extra of ours, by entry-point module."""
PIXELS_OF: dict[str, Pixels] = {"bool": "bit", "uint8": "byte"}
"""What pixels are, by the type of a game's observation."""


@dataclass(frozen=True)
class EnvSpec:
    """Shape of an environment's observation, channels first for images, and size of its action set.

    Lanes observe flat vectors, `[L, observation_size]`; only networks look at the shape. An
    observation is the last `frames` frames of an episode, oldest first, black before its first. `dtype`
    is that of the environment's space: lanes observe float32, images of bytes divided by 255.
    """

    observation_shape: tuple[int, ...]
    actions: int
    pixels: Pixels = "float"
    frames: int = 1
    dtype: str = "float32"

    @property
    def observation_size(self) -> int:
        """Return the numbers in an observation."""
        return prod(self.observation_shape)


@cache
def env_spec(env_id: str, options: Options = ()) -> EnvSpec:
    """Return the sizes of what an environment id stands for; raises `ConfigError` if it is not usable.

    `options` are those of `ablation.config.tasks.options_of`.
    """
    spec: EnvSpec = load_component(task_of(env_id).spec)(env_id, options)
    return spec


def registered_spec(env_id: str, options: Options) -> EnvSpec:
    """Return the sizes of an environment that is registered with Gymnasium."""
    import gymnasium

    environment = _make(env_id, options)
    observation, action = environment.observation_space, environment.action_space
    environment.close()
    is_game = bool(task_of(env_id).settings)
    dimensions = 3 if is_game else 1
    if not isinstance(observation, gymnasium.spaces.Box) or len(observation.shape) != dimensions:
        raise ConfigError(KEY, env_id, f"observes {observation}; {NEEDED}")
    if not isinstance(action, gymnasium.spaces.Discrete) or action.n < 2:
        raise ConfigError(KEY, env_id, f"acts in {action}; {NEEDED}")
    if action.start != 0:
        raise ConfigError(KEY, env_id, f"acts in {action}; actions must start at 0")
    pixels = PIXELS_OF.get(observation.dtype.name, "float") if is_game else "float"
    frames = observation.shape[0] if pixels == "byte" else 1
    return EnvSpec(observation.shape, int(action.n), pixels, frames, observation.dtype.name)


def maker(
    env_id: str, limit: int | None, physics: Mapping[str, float], options: Options = ()
) -> Callable[[], Any]:
    """Return a function that makes one more copy of an environment, without Gymnasium's checks.

    `limit`, `physics` and `options` are those of `lane_maker`.
    """
    import gymnasium

    register_game(env_id)

    def make() -> Any:
        made = gymnasium.make(env_id, max_episode_steps=limit, disable_env_checker=True, **dict(options))
        if not physics:
            return made
        from ablation.envs.changed_cart_pole import ChangedCartPole

        return ChangedCartPole(made, physics)

    return make


def time_limit(env_id: str) -> int:
    """Return the steps after which Gymnasium truncates an episode of an environment that has any."""
    import gymnasium

    limit = gymnasium.spec(env_id).max_episode_steps
    if limit is None:
        raise ValueError(f"{env_id} has no time limit")
    return int(limit)


def _make(env_id: str, options: Options) -> Any:
    import gymnasium

    import ablation.envs.grid_world  # noqa: F401  Registers itself.

    try:
        register_game(env_id)
        return gymnasium.make(env_id, **dict(options))
    except gymnasium.error.DependencyNotInstalled as error:
        module = env_id.lower() if task_of(env_id).settings else str(gymnasium.spec(env_id).entry_point)
        extra = next((extra for part, extra in EXTRAS.items() if part in module), None)
        hint = f"pip install -e '.[{extra}]' installs it" if extra else str(error)
        raise ConfigError(KEY, env_id, f"needs a package that is not installed; {hint}") from None
    except ConfigError:
        raise
    except Exception as error:  # A plugin environment may raise anything.
        known = sorted(set(gymnasium.registry) - {env_id})
        close = get_close_matches(env_id, known, n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(KEY, env_id, f"not a usable environment id ({reason}){hint}") from None
