"""The sizes of a Blind Cliffwalk, for planning: without PyTorch."""

from __future__ import annotations

from ablation.envs.making import Options
from ablation.envs.spec import EnvSpec


def spec(env_id: str, options: Options) -> EnvSpec:  # noqa: ARG001
    """Return the sizes of any chain: an observation is the number of its state."""
    return EnvSpec((1,), 2)
