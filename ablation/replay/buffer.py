"""The replay buffer of a cell: storage, sampler, importance weights and usage, put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ablation.config.replay_kinds import REPLAY_KINDS
from ablation.config.schedules import value_at
from ablation.config.schema import CellConfig, Schedule
from ablation.config.source_modules import is_component
from ablation.config.step_schedule import StepSchedule
from ablation.envs.spec import EnvSpec
from ablation.numerics.random_streams import BlockStream, Stream
from ablation.replay.buffer_arrays import compiled_buffer
from ablation.replay.build import make_sampler
from ablation.replay.frame_format import FrameFormat
from ablation.replay.frame_ring import FIELDS, FrameRing
from ablation.replay.item_usage import ItemUsage
from ablation.replay.lane_kernels import Buffer
from ablation.replay.n_step import NStep, NStepItem
from ablation.replay.own import OwnEviction, OwnSampler
from ablation.replay.ring import Field, Ring
from ablation.replay.samplers import Combined, NewItems, SamplerInputs
from ablation.replay.stored_items import StoredItems
from ablation.replay.weights import importance_weights

OWN_PARTS = (OwnSampler, OwnEviction)


def transition_fields(spec: EnvSpec) -> dict[str, Field]:
    """Return the fields of a stored transition."""
    vector = Field((spec.observation_size,), torch.float32)
    scalar = Field((), torch.float32)
    return {
        "observation": vector,
        "action": Field((), torch.int64),
        "reward": scalar,
        "discount": scalar,
        "next_observation": vector,
    }


@dataclass(frozen=True)
class SampledBatch:
    """A batch: its slots in the ring, its items, and the weight of each one's loss; `[L, B]` each."""

    slots: Tensor
    batch: dict[str, Tensor]
    weights: Tensor


class ReplayBuffer:
    """The transitions of all lanes, from an environment's step to a learner's batch.

    `ring`, `sampler` and `usage` are its parts, which diagnostics read. Everything is in main memory.
    """

    def __init__(
        self,
        config: CellConfig,
        schedule: StepSchedule,
        fields: Mapping[str, Field],
        seeds: Sequence[int],
        form: FrameFormat | None = None,
        learner: object = None,
    ) -> None:
        """Prepare for items of `fields`, which need not be those of a transition if `n_step == 1`.

        Given a `form`, observations are stored as frames. `learner` is for samplers that look at it.
        """
        self._config, self._schedule = config.replay, schedule
        replay, lanes, capacity = config.replay, len(seeds), schedule.capacity
        self.ring = (
            Ring(fields, lanes, capacity)
            if form is None
            else FrameRing(form, lanes, capacity, replay.n_step)
        )
        self._n_step: NStep | None = None
        if replay.n_step > 1:
            example = _example(fields if form is None else FIELDS, lanes)
            self._n_step = NStep(replay.n_step, config.agent.discount, example)
        self.usage = ItemUsage(lanes, capacity)
        kind = REPLAY_KINDS[replay.kind]
        options = kind.own_options(replay.options)
        inputs = SamplerInputs(replay, options, capacity, schedule.batch_size, lanes, learner)
        self.sampler, self.prioritized = make_sampler(inputs)
        if self.prioritized is not None:
            self.prioritized.exponent = value_at(replay.priority_exponent, 0, schedule.env_steps)
        # Equal probabilities have these weights, whatever the exponent.
        self._equal_weights = torch.ones((lanes, schedule.batch_size))
        self.replay_words = BlockStream(seeds, Stream.REPLAY, self.sampler.width)
        evicts = replay.eviction != "fifo" and kind.stores
        self.evict_words = BlockStream(seeds, Stream.EVICT, replay.n_step) if evicts else None
        self._eviction: OwnEviction | None = None
        if evicts and is_component(replay.eviction):
            self._eviction = OwnEviction(replay.eviction, lanes, capacity, replay.eviction_options)
        drawing = self.sampler.sampler if isinstance(self.sampler, Combined) else self.sampler
        self._own = [part for part in (drawing, self._eviction) if isinstance(part, OWN_PARTS)]
        needs = frozenset[str]().union(*(part.needs for part in self._own))
        self.items = StoredItems(self.ring, self.usage, needs)
        for part in self._own:
            part.items = self.items

    def add(
        self,
        transition: Mapping[str, Tensor],
        ended: Tensor,
        env_step: int,
        gradient_step: int,
        ends_return: Tensor | None = None,
        truncated: Tensor | None = None,
    ) -> None:
        """Store the items that this transition of every lane completes; values `[L, *shape]`.

        Returns end with it where the episode `ended`, bool `[L]`, or where it `ends_return`, bool `[L]`,
        though the episode goes on. Of the ended ones, those `truncated`, bool `[L]`, did not terminate.
        `env_step` and `gradient_step` count the steps before it.
        """
        if isinstance(self.ring, FrameRing):
            transition = self.ring.store_frames(transition, ended)
        words = None if self.evict_words is None else self.evict_words.words_at(env_step)
        self.items.at(env_step)
        cut_short = torch.zeros_like(ended) if truncated is None else truncated
        complete: Iterable[NStepItem] = [(transition, None)]
        if self._n_step is not None:
            cut = ended if ends_return is None else ended | ends_return
            complete = self._n_step.push(transition, cut)
        for number, (item, lanes) in enumerate(complete):
            word = None if words is None else words[:, number]
            if self._eviction is not None and word is not None:
                word = self._eviction.words(self.ring, word)
            slots = self.ring.append(item, lanes, word)
            self.sampler.on_add(slots, lanes)
            self.usage.on_add(slots, lanes, env_step + 1, gradient_step)
            if self._own:
                arrived = self.items.on_add(item, lanes, slots, (ended & ~cut_short, cut_short))
                for part in self._own:
                    part.added(arrived)
        if self._own:
            self.items.end_episodes(ended)

    def sample(self, env_step: int, gradient_step: int) -> SampledBatch:
        """Return the batch of a gradient step, after so many of both; valid until the next call."""
        if self.prioritized is not None:
            self.prioritized.exponent = self._scheduled(self._config.priority_exponent, env_step)
        self.items.at(env_step)
        if isinstance(self.sampler, NewItems):
            before = self._schedule.gradient_steps_due(env_step - 1)
            slots, weights = self.sampler.sample_new(self.ring, self.usage, before)
            return SampledBatch(slots, self.ring.gather(slots), weights)
        words = self.replay_words.words_at(gradient_step)
        slots, probabilities = self.sampler.sample(self.ring, words)
        self.usage.on_draw(slots)
        weights = self._equal_weights
        if self.sampler.weighted:
            weights = self._weights(probabilities, env_step)
        return SampledBatch(slots, self.ring.gather(slots), weights)

    def update_priorities(self, slots: Tensor, errors: Tensor) -> None:
        """Tell the sampler the TD errors `[L, B]` that a gradient step found at `slots [L, B]`."""
        self.sampler.update_priorities(slots, errors)
        if self._eviction is not None:
            self._eviction.update_priorities(slots, errors)

    def arrays(self) -> Buffer | None:
        """Return the buffer as `lane_kernels` read and change it; None: they cannot."""
        if self._eviction is not None:
            return None
        parts = self.ring, self.usage, self._n_step, self.sampler
        return compiled_buffer(self._config, *parts, self._schedule.batch_size)

    def check_compiled(self) -> None:
        """Raise `ComponentError` for what a kernel of the user's did wrong in compiled steps."""
        for sampler in self._own:
            if isinstance(sampler, OwnSampler):
                sampler.check_kernels()

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        return {
            "n_step": None if self._n_step is None else self._n_step.state(),
            "ring": self.ring.state(),
            "sampler": self.sampler.state(),
            "usage": self.usage.state(self.ring),
            "items": self.items.state() if self._own else None,
            "eviction": None if self._eviction is None else self._eviction.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        if self._n_step is not None:
            self._n_step.restore(state["n_step"])
        self.ring.restore(state["ring"])
        self.sampler.restore(state["sampler"])
        self.usage.restore(state["usage"])
        if self._own:
            self.items.restore(state["items"])
        if self._eviction is not None:
            self._eviction.restore(state["eviction"])

    def _weights(self, probabilities: Tensor, env_step: int) -> Tensor:
        """Return importance-sampling weights `[L, B]`, float32."""
        normalization = self._config.weight_normalisation
        smallest = None
        if normalization == "pool_max":
            smallest = self.sampler.smallest_probability(self.ring)
        exponent = self._scheduled(self._config.importance_sampling_exponent, env_step)
        normalized = normalization != "none"
        return importance_weights(probabilities, self.ring.size, exponent, smallest, normalized)

    def _scheduled(self, schedule: Schedule, env_step: int) -> float:
        return value_at(schedule, env_step, self._schedule.env_steps)


def _example(fields: Mapping[str, Field], lanes: int) -> dict[str, Tensor]:
    """Return an empty item of `fields`, values `[L, *shape]`."""
    return {
        name: torch.zeros((lanes, *field.shape), dtype=field.dtype) for name, field in fields.items()
    }
