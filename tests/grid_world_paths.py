"""The shortest ways through Zhang & Sutton's grid world, found from the text of its map."""

from __future__ import annotations

from collections import deque
from functools import cache

import numpy as np

from ablation.envs.grid_world import ROWS, maze


def distances_to_goal() -> dict[tuple[int, int], int]:
    """Return the steps from every open place, by breadth-first search over the text of the map."""
    found = {(19, 19): 0}
    queue = deque(found)
    while queue:
        row, column = queue.popleft()
        for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            inside = 0 <= near[0] < 20 and 0 <= near[1] < 20
            if inside and ROWS[near[0]][near[1]] != "#" and near not in found:
                found[near] = found[row, column] + 1
                queue.append(near)
    return found


@cache
def shortest_actions() -> np.ndarray:
    """Return for every cell an action that leads towards the goal."""
    left = distances_to_goal()
    ahead = [[left[maze().places[cell]] for cell in moves] for moves in maze().after]
    return np.argmin(ahead, axis=1)
