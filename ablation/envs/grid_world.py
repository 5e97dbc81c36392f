"""Zhang & Sutton's grid world, as a Gymnasium environment and as batched dynamics.

"A Deeper Look at Experience Replay" (arXiv 1712.01275), section 4 and figure 1: a room with two narrow
doors at one corner, the start in its middle, the goal outside at the corner opposite. Their network
reads the state as a one-hot vector, and so does whoever acts here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ablation.envs import codes

GRID_WORLD = "ablation/GridWorld-v0"
TIME_LIMIT = 5000

# Their figure, cell by cell: 20 x 20, S the start, G the goal, # a wall.
ROWS = (
    "....................",
    ".#.################.",
    "..................#.",
    *[".#................#."] * 7,
    ".#........S.......#.",
    *[".#................#."] * 7,
    ".##################.",
    "...................G",
)
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Rows and columns that the actions up, right, down and left move by."""


@dataclass(frozen=True)
class Maze:
    """Open cells, numbered in reading order; `after [cells, actions]` is where each move leads."""

    places: list[tuple[int, int]]
    start: int
    goal: int
    after: NDArray[np.int64]
    one_hot: NDArray[np.float32]


@cache
def maze() -> Maze:
    """Return the map; who would walk into a wall or off the map stays where they are."""
    cells = {
        (row, column): sign
        for row, line in enumerate(ROWS)
        for column, sign in enumerate(line)
        if sign != "#"
    }
    places, signs = list(cells), list(cells.values())
    number = {place: cell for cell, place in enumerate(places)}
    after = [
        [number.get((row + down, column + right), cell) for down, right in MOVES]
        for (row, column), cell in number.items()
    ]
    one_hot = np.eye(len(places), dtype=np.float32)
    return Maze(places, signs.index("S"), signs.index("G"), np.array(after), one_hot)


class GridWorldEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """A reward of -1 a step until the goal is reached; nothing is random."""

    metadata = {"render_modes": ["ansi"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0.0, 1.0, (len(maze().places),), np.float32)
        self.action_space = spaces.Discrete(len(MOVES))
        self._cell = maze().start

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin at the start."""
        super().reset(seed=seed, options=options)
        self._cell = maze().start
        return self._observation(), {}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Move up, right, down or left (0 to 3)."""
        self._cell = int(maze().after[self._cell, int(action)])
        return self._observation(), -1.0, self._cell == maze().goal, False, {}

    def render(self) -> str | None:
        """Return the map with `A` where the agent is."""
        if self.render_mode is None:
            return None
        row, column = maze().places[self._cell]
        lines = list(ROWS)
        lines[row] = lines[row][:column] + "A" + lines[row][column + 1 :]
        return "\n".join(lines)

    def _observation(self) -> NDArray[np.float32]:
        seen: NDArray[np.float32] = maze().one_hot[self._cell].copy()
        return seen


@dataclass(frozen=True)
class GridWorld:
    """The same as batched dynamics; a state `[1]` is the number of a cell."""

    code: ClassVar[int] = codes.GRID_WORLD
    state_size: ClassVar[int] = 1
    goal: float = field(default_factory=lambda: maze().goal)
    start: float = field(default_factory=lambda: maze().start)

    @property
    def observation_size(self) -> int:
        """Numbers of a one-hot vector: one for each open cell."""
        return len(maze().places)


gymnasium.register(GRID_WORLD, f"{__name__}:GridWorldEnv", max_episode_steps=TIME_LIMIT)
