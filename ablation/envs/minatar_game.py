"""MinAtar's games (Young & Tian 2019) as Gymnasium environments; an episode is its seed's alone."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from ablation.envs.games import needed

Observation = NDArray[np.bool_]

SIDE = 20
COLORS = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0)),
    *((204, 121, 167), (170, 170, 170), (255, 255, 255), (120, 94, 60)),
)
"""Of the kinds of objects, distinguishable for the color-blind (Okabe & Ito 2008)."""


class MinAtarGame(gymnasium.Env[Any, Any]):
    """A game, observed as booleans `[C, 10, 10]`: one channel for each kind of object."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        game: str,
        sticky_actions: float = 0.1,
        ramping: bool = True,
        minimal_actions: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self._game = needed("minatar").Environment(game, sticky_actions, ramping)
        self._game.seed(0)
        count = self._game.num_actions()
        self._actions = self._game.minimal_action_set() if minimal_actions else list(range(count))
        height, width, channels = self._game.state_shape()
        self.observation_space = Box(0, 1, (channels, height, width), np.bool_)
        self.action_space = Discrete(len(self._actions))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; given a seed, all of its randomness comes from it."""
        del options
        # Gymnasium's generator is not used; it and a new one of the game's would cost ten steps.
        if seed is not None:
            self._game.random.seed(seed)
        # The package keeps it: a sticky first action would be the last one of the episode before.
        self._game.last_action = 0
        self._game.reset()
        return self._observation(), {}

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take an action, or with the chance of sticky actions the last one again."""
        reward, terminated = self._game.act(self._actions[action])
        return self._observation(), float(reward), bool(terminated), False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """Return an image, a square of `SIDE` pixels for each place: `[height, width, 3]`."""
        if self.render_mode is None:
            return None
        image = np.zeros((*self.observation_space.shape[1:], 3), np.uint8)  # type: ignore[index]
        for channel, color in zip(self._observation(), cycle(COLORS), strict=False):
            image[channel] = color
        return image.repeat(SIDE, axis=0).repeat(SIDE, axis=1)

    def _observation(self) -> Observation:
        return self._game.state().transpose(2, 0, 1)  # type: ignore[no-any-return]
