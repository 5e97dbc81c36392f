"""Random walks of frames, stored by a buffer of frames and by a naive twin that keeps them whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ablation.config.schema import CellConfig
from ablation.config.step_schedule import derive_schedule
from ablation.envs.spec import EnvSpec
from ablation.numerics.pixels import BYTE_VALUES
from ablation.replay.buffer import ReplayBuffer, transition_fields
from ablation.replay.frame_format import FrameFormat

LANES = 3
SEEDS = range(LANES)
LIMIT = 6

BITS = FrameFormat("bit", 19, 1, LIMIT)
BYTES = FrameFormat("byte", 10, 4, LIMIT)


class Walk:
    """Lanes of random frames whose episodes terminate at random, or are cut at `limit`."""

    def __init__(self, form: FrameFormat, terminates: float, loses_life: float = 0.0) -> None:
        self._random = np.random.default_rng(7)
        self._form, self._chances = form, (terminates, loses_life)
        self._stack = np.zeros((LANES, form.stack, form.size), np.float32)
        self._steps = np.zeros(LANES, int)
        for lane in range(LANES):
            self._begin(lane)

    def step(self) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return a transition, where the episode ended, and where the return did."""
        before = self._flat()
        self._steps += 1
        self._stack = np.roll(self._stack, -1, axis=1)
        self._stack[:, -1] = self._frames()
        terminated, life_lost = (self._random.random(LANES) < chance for chance in self._chances)
        ended = terminated | (self._steps >= self._form.longest_episode)
        ends_return = terminated | life_lost
        transition = {
            "observation": before,
            "action": torch.from_numpy(self._random.integers(18, size=LANES)),
            "reward": torch.from_numpy(self._random.normal(size=LANES).astype(np.float32)),
            "discount": torch.from_numpy(np.where(ends_return, 0, np.float32(0.97)).astype(np.float32)),
            "next_observation": self._flat(),
        }
        for lane in np.flatnonzero(ended):
            self._begin(lane)
        return transition, torch.from_numpy(ended), torch.from_numpy(ended | ends_return)

    def _begin(self, lane: int) -> None:
        self._steps[lane] = 0
        self._stack[lane] = 0
        self._stack[lane, -1] = self._frames()[lane]

    def _frames(self) -> np.ndarray:
        shape = (LANES, self._form.size)
        if self._form.pixels == "bit":
            return self._random.integers(2, size=shape).astype(np.float32)
        return BYTE_VALUES[self._random.integers(256, size=shape)]

    def _flat(self) -> Tensor:
        return torch.from_numpy(self._stack.reshape(LANES, -1).copy())


def twins(config: CellConfig, form: FrameFormat) -> tuple[ReplayBuffer, ReplayBuffer]:
    """Return experience of frames, and of whole observations in the layout that vectors have."""
    fields = transition_fields(EnvSpec((form.stack * form.size,), 18))
    made = [
        ReplayBuffer(config, derive_schedule(config), fields, SEEDS, given) for given in (form, None)
    ]
    return made[0], made[1]


def differences(
    frames: ReplayBuffer, whole: ReplayBuffer, walk: Walk, steps: int
) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Walk, and yield after each step every stored transition as both have it."""
    for env_step in range(steps):
        transition, ended, cut = walk.step()
        for experience in (frames, whole):
            experience.add(transition, ended, env_step, 0, cut)
        assert torch.equal(frames.ring.newest, whole.ring.newest)
        slots = torch.arange(int(whole.ring.size.min())).expand(LANES, -1)
        if slots.numel():
            yield frames.ring.gather(slots), whole.ring.gather(slots)


def equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Return whether transitions are the same to the bit, but for what follows an end."""
    learned = expected["discount"] > 0
    return all(
        torch.equal(found[name][learned], values[learned])
        if name == "next_observation"
        else torch.equal(found[name], values) and found[name].dtype == values.dtype
        for name, values in expected.items()
    )
