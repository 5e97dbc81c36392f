"""How the observations of a cell's environment are kept as frames, if they are (without PyTorch)."""

from __future__ import annotations

from ablation.envs.spec import EnvSpec
from ablation.replay.frame_format import FrameFormat


def frame_format(spec: EnvSpec, longest_episode: int | None) -> FrameFormat | None:
    """Return how observations consist of frames, or None if they do not.

    Frames are kept once only where no episode is longer than known: a cut one needs one more.
    """
    if spec.pixels == "float" or longest_episode is None:
        return None
    size = spec.observation_size // spec.frames
    return FrameFormat(spec.pixels, size, spec.frames, longest_episode)
