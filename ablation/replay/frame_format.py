"""How observations consist of frames, and how many frames a replay has to keep (without PyTorch)."""

from __future__ import annotations

from dataclasses import dataclass

from ablation.envs.spec import EnvSpec
from ablation.numerics.pixels import Pixels

ITEM_BYTES = 12
"""Bytes of a stored transition beside its frames: see `frame_ring.COMPACT`."""


@dataclass(frozen=True)
class FrameFormat:
    """Observations `[stack * size]` are the last `stack` frames of an episode, oldest first.

    Before an episode's first frame there are zeros. No episode is longer than `longest_episode`.
    """

    pixels: Pixels
    size: int
    stack: int
    longest_episode: int

    @property
    def frame_bytes(self) -> int:
        """Return the bytes that a frame takes: one a pixel, or a bit."""
        return -(-self.size // 8) if self.pixels == "bit" else self.size

    def frames_kept(self, capacity: int, n_step: int) -> int:
        """Return the frames that `capacity` transitions need, whatever their episodes' lengths.

        Each transition brings one frame, an episode that is cut one more, the newest transition its
        next frame, and the oldest one's stack reaches back. A transition is stored up to `n_step - 1`
        steps after its frame. Frames after which nothing follows are not kept.
        """
        steps = capacity + n_step - 1
        cuts = -(-(steps - 1) // self.longest_episode)
        return steps + cuts + self.stack

    def storage_bytes(self, capacity: int, n_step: int) -> int:
        """Return the bytes that a lane's frames and transitions take."""
        return capacity * ITEM_BYTES + self.frames_kept(capacity, n_step) * self.frame_bytes


def frame_format(spec: EnvSpec, longest_episode: int | None) -> FrameFormat | None:
    """Return how an environment's observations consist of frames, or None if they do not.

    Frames are kept once only where the longest episode is known: one that is cut needs a frame more.
    """
    if spec.pixels == "float" or longest_episode is None:
        return None
    size = spec.observation_size // spec.frames
    return FrameFormat(spec.pixels, size, spec.frames, longest_episode)
