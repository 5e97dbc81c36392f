"""What the environment and the sampler of this project promise."""

import unittest
from types import SimpleNamespace

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env
from my_project.samplers import Recency


class TestMyProject(unittest.TestCase):
    """`make test` runs these, `make check` what every sampler must do."""

    def test_the_environment_follows_gymnasiums_interface(self):
        """Let Gymnasium check it."""
        check_env(gymnasium.make("my_project.environments:Corridor-v0").unwrapped)

    def test_new_items_are_drawn_more_often(self):
        """Of 100 items, half of the draws are of the newest quarter."""
        items = SimpleNamespace(size=np.array([100]), newest=np.array([99]), capacity=100)
        draws = (np.arange(1000)[None, :] + 0.5) / 1000
        slots = Recency(lanes=1, capacity=100, batch_size=1000).sample(items, draws)
        self.assertEqual((slots >= 75).mean(), 0.5)


if __name__ == "__main__":
    unittest.main()
