"""A cell's replay, put together: what is stored, which of it is drawn, and how draws are weighted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ablation.config.schedules import value_at
from ablation.config.schema import CellConfig
from ablation.config.step_schedule import StepSchedule
from ablation.envs.spec import EnvSpec
from ablation.held import Held
from ablation.numerics.random_streams import BlockStream, Stream
from ablation.replay.build import make_other, make_prioritized
from ablation.replay.frame_format import FrameFormat
from ablation.replay.frame_ring import FIELDS, FrameRing
from ablation.replay.item_usage import Usage
from ablation.replay.n_step import Emitted, NStep
from ablation.replay.ring import Field, Ring
from ablation.replay.samplers import Combined, Sampler
from ablation.replay.weights import importance_weights


def transition_fields(spec: EnvSpec) -> dict[str, Field]:
    """Return what a stored transition holds."""
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
class Drawn:
    """A batch: slots in the ring, their items, and the weight of each one's loss; `[L, B]` each."""

    slots: Tensor
    batch: dict[str, Tensor]
    weights: Tensor


class ReplayBuffer:
    """The transitions of all lanes, from an environment's step to a learner's batch."""

    def __init__(
        self,
        config: CellConfig,
        schedule: StepSchedule,
        fields: Mapping[str, Field],
        seeds: Sequence[int],
        device: torch.device,
        form: FrameFormat | None = None,
    ) -> None:
        """Prepare for items of `fields`; only with one step do they need not be transitions.

        Given a `form`, observations are kept as frames.
        """
        self._config, self._schedule = config.replay, schedule
        lanes = len(seeds)
        self._n_step: NStep | None = None
        n_step, capacity = config.replay.n_step, schedule.capacity
        if form is None:
            self.ring = Ring(fields, lanes, capacity, device)
        else:
            self.ring = FrameRing(form, lanes, capacity, n_step, device)
            fields = FIELDS
        if config.replay.n_step > 1:
            example = {
                name: torch.zeros((lanes, *field.shape), dtype=field.dtype, device=device)
                for name, field in fields.items()
            }
            self._n_step = NStep(config.replay.n_step, config.agent.discount, example)
        combined = config.replay.combined and config.replay.stores
        batch_size = schedule.batch_size - 1 if combined else schedule.batch_size
        self.usage = Usage(lanes, schedule.capacity, device)
        self.prioritized = make_prioritized(config.replay, schedule.capacity, batch_size, lanes, device)
        drawn = self.prioritized or make_other(
            config.replay, schedule.capacity, batch_size, lanes, device
        )
        self.sampler: Sampler = Combined(drawn) if combined else drawn
        if self.prioritized is not None:
            self.prioritized.exponent.set(
                value_at(config.replay.priority_exponent, 0, schedule.env_steps)
            )
        # What the next `store` and `draw` go by: a transition's clocks and an exponent.
        self._stored_at, self._learned_at = Held(device), Held(device)
        self._correction = Held(device)
        # What `importance_weights` makes of equal probabilities, whatever its exponent.
        self._equal_weights = torch.ones((lanes, schedule.batch_size), device=device)
        self._replay_bits = BlockStream(seeds, Stream.REPLAY, self.sampler.width, device)
        random = config.replay.eviction == "random" and config.replay.stores
        width = config.replay.n_step
        self._evict_bits = BlockStream(seeds, Stream.EVICT, width, device) if random else None

    @property
    def steady(self) -> bool:
        """Whether storing and drawing are the same operations at every step, and can be captured."""
        refreshes = self.prioritized is not None and self.prioritized.refreshes
        return self._n_step is None and not refreshes and not isinstance(self.ring, FrameRing)

    def add(
        self,
        transition: Mapping[str, Tensor],
        ended: Tensor,
        env_step: int,
        gradient_step: int,
        ends_return: Tensor | None = None,
    ) -> None:
        """Store what is complete with this transition of every lane: `ready_to_store`, then `store`."""
        self.ready_to_store(env_step, gradient_step)
        self.store(transition, ended, ends_return)

    def ready_to_store(self, env_step: int, gradient_step: int) -> None:
        """Set the schedule, those before the transition was made, and the words that `store` goes by."""
        if self._evict_bits is not None:
            self._evict_bits.turn(env_step)
        self._stored_at.set(env_step + 1)
        self._learned_at.set(gradient_step)

    def store(
        self, transition: Mapping[str, Tensor], ended: Tensor, ends_return: Tensor | None = None
    ) -> None:
        """Store what is complete with this transition of every lane; `ended` is bool `[L]`.

        Returns go no further than it where the episode `ended`, or where it `ends_return`, bool
        `[L]`, with the episode going on.
        """
        if isinstance(self.ring, FrameRing):
            transition = self.ring.handled(transition, ended)
        bits = None if self._evict_bits is None else self._evict_bits.current
        complete: Iterable[Emitted] = [(transition, None)]
        if self._n_step is not None:
            cut = ended if ends_return is None else ended | ends_return
            complete = self._n_step.push(transition, cut)
        for number, (item, lanes) in enumerate(complete):
            slots = self.ring.append(item, lanes, None if bits is None else bits[:, number])
            self.sampler.added(slots, lanes)
            self.usage.added(slots, lanes, self._stored_at.value, self._learned_at.value)

    def sample(self, env_step: int, gradient_step: int) -> Drawn:
        """Return what is drawn for a gradient step: `ready_to_draw`, then `draw`."""
        self.ready_to_draw(env_step, gradient_step)
        return self.draw()

    def ready_to_draw(self, env_step: int, gradient_step: int) -> None:
        """Set the words and the exponents that `draw` goes by."""
        self._replay_bits.turn(gradient_step)
        if self.prioritized is not None:
            config, run_steps = self._config, self._schedule.env_steps
            self.prioritized.exponent.set(value_at(config.priority_exponent, env_step, run_steps))
            correction = value_at(config.importance_sampling_exponent, env_step, run_steps)
            self._correction.set(correction)

    def draw(self) -> Drawn:
        """Return what is drawn for a gradient step; valid until the next call."""
        slots, probabilities = self.sampler.sample(self.ring, self._replay_bits.current)
        self.usage.drawn(slots)
        weights = self._equal_weights
        if self.prioritized is not None:
            weights = importance_weights(
                probabilities,
                self.ring.size,
                self._correction.value,
                self._smallest_probability(),
                self._config.weight_normalisation != "none",
            )
        return Drawn(slots, self.ring.gather(slots), weights)

    def learned(self, slots: Tensor, errors: Tensor) -> None:
        """Tell the sampler the TD errors `[L, B]` that a gradient step saw."""
        self.sampler.learned(slots, errors)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs."""
        return {
            "n_step": None if self._n_step is None else self._n_step.state(),
            "ring": self.ring.state(),
            "sampler": self.sampler.state(),
            "usage": self.usage.state(self.ring),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        if self._n_step is not None:
            self._n_step.restore(state["n_step"])
        self.ring.restore(state["ring"])
        self.sampler.restore(state["sampler"])
        self.usage.restore(state["usage"])

    def _smallest_probability(self) -> Tensor | None:
        if self._config.weight_normalisation != "pool_max":
            return None
        return self.sampler.smallest_probability(self.ring)
