"""Registers MinAtar's and Atari's games with Gymnasium, when they are asked for."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from types import ModuleType

from ablation.config.env_settings import ATARI_SETTINGS, MINATAR_SETTINGS
from ablation.config.tasks import ATARI, MINATAR
from ablation.config.validation import ConfigError

MINATAR_GAMES = {
    "Asterix": "asterix",
    "Breakout": "breakout",
    "Freeway": "freeway",
    "Seaquest": "seaquest",
    "SpaceInvaders": "space_invaders",
}

FOR_TWO = {"combat", "joust", "maze_craze", "warlords"}
"""Atari games without a mode for one player: the emulator ends the process that loads them."""


def register_game(env_id: str) -> None:
    """Register the game that an id names, if it names one and it is not registered.

    Raises `ConfigError` for an unknown game.
    """
    import gymnasium

    if env_id in gymnasium.registry:
        return
    if env_id.startswith(MINATAR):
        kind, limit = "minatar_game:MinAtarGame", MINATAR_SETTINGS["time_limit"]
        known = MINATAR_GAMES
    elif env_id.startswith(ATARI):
        kind, limit = "atari_game:atari_game", ATARI_SETTINGS["time_limit"]
        known = _atari_games()
    else:
        return
    name = env_id.partition("/")[2]
    if name not in known:
        close = get_close_matches(name, known, n=5, cutoff=0)
        raise ConfigError("env.id", env_id, f"no such game; the closest are {', '.join(close)}")
    gymnasium.register(
        env_id,
        entry_point=f"ablation.envs.{kind}",
        max_episode_steps=limit,
        order_enforce=False,
        disable_env_checker=True,
        kwargs={"game": known[name]},
    )


def needed(package: str) -> ModuleType:
    """Return a package's module; raises Gymnasium's `DependencyNotInstalled` if it is missing."""
    from gymnasium.error import DependencyNotInstalled

    try:
        return import_module(package)
    except ImportError as error:
        raise DependencyNotInstalled(f"{package} is not installed") from error


def _atari_games() -> dict[str, str]:
    roms = set(needed("ale_py.roms").get_all_rom_ids()) - FOR_TWO
    return {name.title().replace("_", ""): name for name in sorted(roms)}
