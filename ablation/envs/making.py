"""Makes one copy of an environment of Gymnasium: arguments, time limit, physics, wrappers, spaces."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ablation.config.near import did_you_mean
from ablation.config.own_environment import check_wrapper
from ablation.config.registry import load_component
from ablation.config.validation import ConfigError
from ablation.envs.exceptions import place, summary
from ablation.envs.games import register_game

Options = tuple[tuple[str, Any], ...]
"""What an environment is made with, hashable: see `ablation.config.tasks.options_of`."""

OWN = ("kwargs", "wrappers", "scale_observation", "stacked_frames")
"""Options that are no arguments but settings, as JSON."""
IMPORT_PATH = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")


def make_environment(
    env_id: str,
    options: Options = (),
    limit: int | None = None,
    physics: Mapping[str, float] | None = None,
) -> Any:
    """Return a copy with its wrappers, its spaces as they are, without Gymnasium's checks.

    `limit` is the steps after which an episode is truncated, None for the registered ones; `physics`
    are fields of CartPole's dynamics that differ from Gymnasium's.
    """
    import gymnasium

    import ablation.envs.grid_world  # noqa: F401  Registers itself.

    register_game(env_id)
    own = own_options(options)
    arguments = {key: value for key, value in options if key not in OWN} | own.get("kwargs", {})
    made: Any = gymnasium.make(env_id, max_episode_steps=limit, disable_env_checker=True, **arguments)
    if physics:
        from ablation.envs.changed_cart_pole import ChangedCartPole

        made = ChangedCartPole(made, physics)
    for number, wrapper in enumerate(own.get("wrappers", ())):
        made = _wrapped(made, f"env.wrappers.{number}", **wrapper)
    return made


def own_options(options: Options) -> dict[str, Any]:
    """Return arguments, wrappers and scaling as plain values; those that are neutral are left out."""
    return {key: json.loads(value) for key, value in options if key in OWN}


def _wrapped(environment: Any, key: str, name: str, kwargs: Mapping[str, Any] | None = None) -> Any:
    wrapper = _wrapper(key, name)
    for base in getattr(wrapper, "__mro__", ()):
        if base.__module__.startswith("gymnasium."):
            check_wrapper(key, f"{base.__module__}:{base.__name__}")
    try:
        arguments = {each: _imported(value) for each, value in (kwargs or {}).items()}
        return wrapper(environment, **arguments)
    except Exception as error:  # It may be anyone's code.
        reason = f"cannot be made: {summary(error)}{place(error)}"
        raise ConfigError(key, name, reason) from None


def _wrapper(key: str, name: str) -> Any:
    import gymnasium.wrappers

    own = sorted(each for each in dir(gymnasium.wrappers) if each[0].isupper())
    if name in own:
        return getattr(gymnasium.wrappers, name)
    if ":" not in name:
        hint = did_you_mean(name, own).rstrip() or f"or one of Gymnasium's: {', '.join(own)}"
        raise ConfigError(key, name, f"write package.module:Name; {hint}")
    try:
        return load_component(name)
    except Exception as error:
        reason = f"cannot be imported: {summary(error)}"
        raise ConfigError(key, name, reason) from None


def _imported(value: Any) -> Any:
    is_path = isinstance(value, str) and IMPORT_PATH.fullmatch(value)
    return load_component(value) if is_path else value
