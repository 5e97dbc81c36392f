"""An environment of this project, for Gymnasium."""

import gymnasium
import numpy as np


class Corridor(gymnasium.Env):
    """Walk to the right end of a corridor; a wind blows one cell back now and then."""

    observation_space = gymnasium.spaces.Box(0.0, 1.0, (10,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        """Begin at the left end."""
        super().reset(seed=seed)
        self.cell = 0
        return self._observation(), {}

    def step(self, action):
        """Go left (0) or right (1); each step costs 0.01, the right end pays 1."""
        wind = self.np_random.random() < 0.2
        self.cell = int(np.clip(self.cell + 2 * action - 1 - wind, 0, 9))
        arrived = self.cell == 9
        return self._observation(), float(arrived) - 0.01, arrived, False, {}

    def _observation(self):
        return np.eye(10, dtype=np.float32)[self.cell]


gymnasium.register("Corridor-v0", Corridor, max_episode_steps=100)
