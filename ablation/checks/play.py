"""Takes a replay buffer through scripted experience, a seed's the same whatever lanes are beside it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ablation.checks.outcome import Counterexample
from ablation.config.schema import CellConfig
from ablation.config.step_schedule import derive_schedule
from ablation.config.tasks import options_of
from ablation.envs.spec import env_spec
from ablation.numerics.random_streams import Stream, words
from ablation.replay.buffer import ReplayBuffer, transition_fields

FIRST = 10
"""Steps before the first draw; lanes may then have fewer items, where returns span several steps."""
LONGEST = 256
"""Steps that can be taken."""
EPISODE = 12
"""Mean length of an episode."""


@dataclass
class Trace:
    """What happened to each of the lanes at each step: slots drawn and weights `[B]`, slot stored."""

    slots: list[NDArray[np.int64]] = field(default_factory=list)
    weights: list[NDArray[np.float32]] = field(default_factory=list)
    newest: list[NDArray[np.int64]] = field(default_factory=list)

    def require_same(self, lane: int, other: Trace, other_lane: int, words_: tuple[str, str]) -> None:
        """Raise `Counterexample` at the first step where a lane differs from one of another trace.

        `words_` say how the lanes of each trace were trained.
        """
        for name in ("newest", "slots", "weights"):
            pairs = zip(getattr(self, name), getattr(other, name), strict=True)
            for step, (mine, theirs) in enumerate(pairs):
                one, two = mine[lane], theirs[other_lane]
                if not np.array_equal(one, two, equal_nan=True):
                    what = {"newest": "slot stored", "slots": "slots drawn"}.get(name, name)
                    raise Counterexample(
                        f"{what} at step {step}: {one.tolist()} {words_[0]}, {two.tolist()} {words_[1]}"
                    )


class Play:
    """A buffer and the experience of its lanes; each step adds an item, draws, and updates."""

    def __init__(self, config: CellConfig, seeds: Sequence[int]) -> None:
        spec = env_spec(config.env.id, options_of(config.env))
        self._config, self._seeds = config, tuple(seeds)
        self._size = spec.observation_size
        self._fields = transition_fields(spec)
        self._arrivals = self._numbers(Stream.RESET, 3 + self._size)
        self._errors = self._numbers(Stream.DIAGNOSE, config.agent.batch_size)
        self.buffer = self._new_buffer()
        self.trace = Trace()
        self.step = 0

    def run(self, steps: int, round_trip_at: int | None = None) -> Trace:
        """Take so many steps more; at one of them, save the buffer and go on with a new one."""
        for _ in range(steps):
            if self.step == round_trip_at:
                self._round_trip()
            self._add()
            if self.step >= FIRST:
                self._learn()
            self.step += 1
        return self.trace

    def _add(self) -> None:
        draws = self._arrivals[self.step]
        ended = torch.from_numpy(draws[:, 0] < 1 / EPISODE)
        truncated = ended & torch.from_numpy(draws[:, 1] < 1 / 2)
        observation = torch.from_numpy(draws[:, 3:].astype(np.float32))
        transition = {
            "observation": observation,
            "action": torch.zeros(len(self._seeds), dtype=torch.int64),
            "reward": torch.from_numpy(draws[:, 2].astype(np.float32)),
            "discount": torch.where(ended & ~truncated, 0.0, 0.99),
            "next_observation": observation,
        }
        self.buffer.add(transition, ended, self.step, self.step, None, truncated)
        self.trace.newest.append(self.buffer.ring.newest.numpy().copy())

    def _learn(self) -> None:
        sampled = self.buffer.sample(self.step + 1, self.step)
        self.trace.slots.append(sampled.slots.numpy().copy())
        self.trace.weights.append(sampled.weights.numpy().copy())
        errors = torch.from_numpy(-np.log1p(-self._errors[self.step])).float()
        self.buffer.update_priorities(sampled.slots, errors)

    def _numbers(self, stream: Stream, width: int) -> NDArray[np.float64]:
        """Return numbers for every step, `[LONGEST, L, width]`, each lane's from its seed alone."""
        lanes = [words(seed, stream, 0, LONGEST, width) for seed in self._seeds]
        return np.stack(lanes, axis=1) * 2.0**-32

    def _round_trip(self) -> None:
        file = io.BytesIO()
        torch.save(self.buffer.state(), file)
        file.seek(0)
        state: dict[str, Any] = torch.load(file, weights_only=True)
        self.buffer = self._new_buffer()
        self.buffer.restore(state)

    def _new_buffer(self) -> ReplayBuffer:
        return ReplayBuffer(self._config, derive_schedule(self._config), self._fields, self._seeds)
