"""What an environment id stands for, checked before anything trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

from ablation.config.near import did_you_mean
from ablation.config.registry import load_component
from ablation.config.tasks import task_of
from ablation.config.validation import ConfigError
from ablation.envs.exceptions import from_gymnasium, place, summary
from ablation.envs.making import Options, make_environment, own_options
from ablation.numerics.pixels import Pixels

KEY = "env.id"
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
    `time_limit` is the steps after which its episodes are truncated if no other limit is given, None
    for one that has none. `notes` say how it is used where that is not evident.
    """

    observation_shape: tuple[int, ...]
    actions: int
    pixels: Pixels = "float"
    frames: int = 1
    dtype: str = "float32"
    time_limit: int | None = None
    notes: tuple[str, ...] = ()
    fingerprint: str | None = None
    """A hash of the environment's code; None for those of Gymnasium and ours."""
    not_reproducible: str | None = None
    """Why the same seed and actions do not always lead to the same outcomes; None where they do."""

    @property
    def observation_size(self) -> int:
        """Return the numbers in an observation."""
        return prod(self.observation_shape)


_checked: dict[tuple[str, Options], EnvSpec] = {}


def know(env_id: str, options: Options, spec: EnvSpec) -> None:
    """Take over what a check in another process found, so that this one need not make it."""
    _checked[env_id, options] = spec
    env_spec.cache_clear()


@cache
def env_spec(env_id: str, options: Options = ()) -> EnvSpec:
    """Return the sizes of what an environment id stands for; raises `ConfigError` if it is not usable.

    `options` are those of `ablation.config.tasks.options_of`.
    """
    checked = _checked.get((env_id, options))
    spec: EnvSpec = checked or load_component(task_of(env_id).spec)(env_id, options)
    return spec


def registered_spec(env_id: str, options: Options) -> EnvSpec:
    """Return the sizes of an environment that is registered with Gymnasium."""
    from ablation.envs.spaces import IMAGE_DIMENSIONS, Unusable, adapted, stacked

    environment = made(env_id, options)
    limit = getattr(environment.spec, "max_episode_steps", None)
    try:
        own = own_options(options)
        environment, notes = adapted(environment, "scale_observation" in own)
        environment = stacked(environment, own.get("stacked_frames", 1))
    except Unusable as error:
        value = env_id if error.key == KEY else True
        raise ConfigError(error.key, value, str(error)) from None
    finally:
        environment.close()
    space = environment.observation_space
    is_game, is_image = bool(task_of(env_id).settings), len(space.shape) == IMAGE_DIMENSIONS
    pixels = PIXELS_OF.get(space.dtype.name, "float") if is_game else "float"
    frames = space.shape[0] if pixels == "byte" else 1
    shape = space.shape if is_image else (prod(space.shape),)
    said = () if is_game else tuple(notes)
    actions = int(environment.action_space.n)
    return EnvSpec(shape, actions, pixels, frames, space.dtype.name, limit, said)


def maker(
    env_id: str, limit: int | None, physics: Mapping[str, float], options: Options = ()
) -> Callable[[], Any]:
    """Return a function that makes one more copy of an environment, its spaces as agents take them.

    `limit`, `physics` and `options` are those of `lane_maker`.
    """
    from ablation.envs.spaces import adapted, stacked

    own = own_options(options)
    scaled, frames = "scale_observation" in own, own.get("stacked_frames", 1)

    def make() -> Any:
        return stacked(adapted(make_environment(env_id, options, limit, physics), scaled)[0], frames)

    return make


def time_limit(env_id: str) -> int:
    """Return the steps after which Gymnasium truncates an episode of an environment that has any."""
    import gymnasium

    limit = gymnasium.spec(env_id).max_episode_steps
    if limit is None:
        raise ValueError(f"{env_id} has no time limit")
    return int(limit)


def made(env_id: str, options: Options) -> Any:
    """Return a copy with its spaces as they are; raises `ConfigError` where there is none."""
    import gymnasium

    try:
        return make_environment(env_id, options)
    except gymnasium.error.DependencyNotInstalled as error:
        module = env_id.lower() if task_of(env_id).settings else str(gymnasium.spec(env_id).entry_point)
        extra = next((extra for part, extra in EXTRAS.items() if part in module), None)
        hint = f"pip install -e '.[{extra}]' installs it" if extra else str(error)
        raise ConfigError(KEY, env_id, f"needs a package that is not installed; {hint}") from None
    except ConfigError:
        raise
    except gymnasium.error.Error as error:
        meant = did_you_mean(env_id, set(gymnasium.registry) - {env_id}).rstrip()
        reason = f"not a usable environment id ({summary(error)})"
        raise ConfigError(KEY, env_id, f"{reason}; {meant}" if meant else reason) from None
    except Exception as raised:  # An environment may raise anything.
        cause = from_gymnasium(raised)
        what = "cannot be imported" if isinstance(cause, ImportError) else "cannot be made"
        raise ConfigError(KEY, env_id, f"{what}: {summary(cause)}{place(cause)}") from None
