"""What an environment of Gymnasium is made with beside its id: arguments, wrappers, scaling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ablation.config.schema import EnvConfig
from ablation.config.validation import ConfigError

LASTING_WRAPPERS = frozenset(
    {
        "Autoreset",
        "HumanRendering",
        "NormalizeObservation",
        "NormalizeReward",
        "RecordEpisodeStatistics",
        "RecordVideo",
        "RenderCollection",
    }
)
"""Gymnasium's wrappers that keep something beyond an episode, or begin the next one by themselves."""

INSTEAD = {
    "NormalizeObservation": "; env.scale_observation=true scales by the bounds of the space",
    "NormalizeReward": "; TransformReward or ClipReward change each reward by itself",
    "RecordEpisodeStatistics": "; returns and lengths of all episodes are stored anyway",
}


def changes_of(env: EnvConfig) -> dict[str, Any]:
    """Return what is not at its neutral value, as plain values that count in the identity."""
    wrappers = [
        {"name": wrapper.name} | ({"kwargs": wrapper.kwargs} if wrapper.kwargs else {})
        for wrapper in env.wrappers
    ]
    values = {"kwargs": env.kwargs, "wrappers": wrappers, "scale_observation": env.scale_observation}
    return {key: value for key, value in values.items() if value}


def as_options(changes: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return them hashable, each value as JSON."""
    return tuple((key, json.dumps(value, sort_keys=True)) for key, value in changes.items())


def check_changes(env: EnvConfig, allowed: bool, having: str) -> None:
    """Raise `ConfigError` for changes of a task that has none, and for wrappers by name."""
    for key, value in changes_of(env).items():
        if not allowed:
            raise ConfigError(f"env.{key}", value, f"only {having} has it")
    for number, wrapper in enumerate(env.wrappers):
        check_wrapper(f"env.wrappers.{number}", wrapper.name)


def check_wrapper(key: str, name: str) -> None:
    """Raise `ConfigError` for a wrapper of Gymnasium's whose state outlives an episode."""
    last = name.rpartition(":")[2].rpartition(".")[2]
    if last in LASTING_WRAPPERS:
        allowed = (
            "keeps something from one episode to the next; an environment's state must follow from "
        )
        allowed += f"its reset seed and the actions since{INSTEAD.get(last, '')}"
        raise ConfigError(key, name, allowed)
