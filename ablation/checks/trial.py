"""Tries a sampler or eviction rule in a process of its own: `python -m ablation.checks.trial`.

Reads a pickled configuration from standard input. The last line of its output is `ANSWER` and what is
wrong with the component, nothing if it runs through a short script.
"""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

from ablation.config.schema import CellConfig, EnvConfig

STEPS = 60
ANSWER = "trial: "


def small(config: CellConfig) -> CellConfig:
    """Return a configuration with the same component, in a buffer that wraps around in a few steps."""
    replay = replace(config.replay, capacity=40, min_replay_size=1, oldest_policy=None)
    agent = replace(config.agent, batch_size=4)
    env = EnvConfig(id="CartPole-v1", backend="auto")
    return replace(config, replay=replay, agent=agent, env=env)


def main() -> None:
    """Run the script with the configuration that is given."""
    from ablation.checks.play import Play
    from ablation.checks.sampler import where
    from ablation.numerics.global_generators import states, used_since
    from ablation.replay.component import ComponentError

    config: CellConfig = pickle.load(sys.stdin.buffer)
    said = ""
    try:
        play, before = Play(config, [0, 1]), states()
        play.run(STEPS)
        if used := used_since(before):
            said = f"draws from {used}; use its argument random"
    except ComponentError as error:
        said = str(error)
    except Exception as error:
        said = f"{type(error).__name__}: {error}{where(error)}"
    print(f"\n{ANSWER}{' '.join(said.split())}")


if __name__ == "__main__":
    main()
