"""Atari games through the Arcade Learning Environment, as Mnih et al. 2015 prepare them."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

from ablation.envs.games import needed

SIDE = 84
"""Pixels of a frame's side."""


def atari_game(
    game: str,
    sticky_actions: float = 0.0,
    minimal_actions: bool = True,
    frame_skip: int = 4,
    frame_stack: int = 4,
    noop_max: int = 30,
    render_mode: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """Return a game observed as the latest grey frames, bytes `[frame_stack, 84, 84]`, oldest first.

    An action is held for `frame_skip` frames, the last two of which are merged by their maxima. An
    episode begins with 1 to `noop_max` idle frames, and black ones where a stack needs more than it
    has. Rewards are the game's, and it ends where the game does.
    """
    ale = needed("ale_py")
    # Silent: what made it would otherwise be printed once for every copy.
    ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)
    made = ale.AtariEnv(
        game,
        obs_type="grayscale",
        render_mode=render_mode,
        frameskip=1,
        repeat_action_probability=sticky_actions,
        full_action_space=not minimal_actions,
        # The limit is in steps and set outside.
        max_num_frames_per_episode=0,
    )
    prepared = AtariPreprocessing(made, noop_max, frame_skip, SIDE)
    return FrameStackObservation(prepared, frame_stack, padding_type="zero")
