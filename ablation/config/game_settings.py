"""Games that are registered here, MinAtar's and Atari's: their settings, and what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MINATAR = "MinAtar/"
ATARI = "Atari/"

MINATAR_SETTINGS: dict[str, Any] = {
    "time_limit": 5000,
    "sticky_actions": 0.1,
    "ramping": True,
    "minimal_actions": False,
}
"""Young & Tian 2019, who end no episode early: a limit is ours, so that every evaluation ends."""

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

SETTINGS = tuple(dict.fromkeys((*MINATAR_SETTINGS, *ATARI_SETTINGS)))
LONGEST_N_STEP = 100
"""What stored transitions of frames can span."""
LEARNED_ONLY = ("reward_clipping", "life_loss_terminates")
"""Settings of what is learned, not of the environment."""


def usual(env_id: str) -> Mapping[str, Any]:
    """Return the settings that a game has and their usual values; nothing for other environments."""
    if env_id.startswith(MINATAR):
        return MINATAR_SETTINGS
    return ATARI_SETTINGS if env_id.startswith(ATARI) else {}


def options(settings: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return those of a game's settings that it is made with, hashable."""
    left = ("time_limit", *LEARNED_ONLY)
    return tuple((key, settings[key]) for key in SETTINGS if key in settings and key not in left)
