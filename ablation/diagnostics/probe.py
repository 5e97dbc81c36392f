"""Measures a gradient step: its batch, the buffer it was drawn from, the networks that it changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablation.agent.backend import Update
from ablation.agent.learner import Learner
from ablation.diagnostics import measures
from ablation.diagnostics.run_states import RunStates
from ablation.numerics.random_streams import Stream, integers, words
from ablation.replay.buffer import ReplayBuffer, SampledBatch
from ablation.replay.powers import bitwise_log
from ablation.replay.ring import Ring
from ablation.replay.samplers import Sampler

Doubles = NDArray[np.float64]

T = TypeVar("T")
log = logging.getLogger(__name__)

Measure = Doubles | Callable[[], Doubles]
"""A measure `[L]`, or the call that computes it."""

RAISES = False
"""Whether a measure that fails raises, as tests want it; else the run goes on without its column."""

BUFFER_SAMPLE = 256
"""Stored items that represent the buffer."""
STATES = 64
"""States of the run at which networks are compared, and stored items whose priorities are recomputed."""


class Diagnostics:
    """Measures one gradient step of all lanes: `before` it, then `row` after it.

    Nothing here changes what is learned; random numbers come from a stream of their own.
    """

    def __init__(
        self, seeds: Sequence[int], learner: Learner, buffer: ReplayBuffer, observation_size: int
    ) -> None:
        self._seeds, self._learner, self._buffer = tuple(seeds), learner, buffer
        self.run_states = RunStates(len(seeds), BUFFER_SAMPLE, observation_size)
        self._online = self._gradient = torch.empty(0)
        self._drift = np.empty(0)
        self.failed: dict[str, str] = {}
        """The exception of each measure, or group of measures, that failed."""

    def observe(self, env_step: int, observation: Tensor) -> None:
        """Add the observations `[L, O]` of an environment step to the sample of the run's states."""
        self.run_states.add(env_step, observation)

    def before(self) -> None:
        """Copy the networks and the previous gradient, before a gradient step."""
        parameters = self._learner.parameters
        self._online, self._gradient = parameters.online.clone(), parameters.gradient.cpu().clone()
        self._drift = measures.drift(parameters.online.cpu(), parameters.target.cpu())

    def row(self, env_step: int, sampled: SampledBatch, update: Update) -> dict[str, Doubles]:
        """Return every measure of the gradient step since `before`, by name, `[L]` each.

        A measure that fails, as with a network or sampler of the user's that it does not fit, is left
        out and named in `failed`.
        """
        slots = self._random_slots(env_step)
        groups: dict[str, Callable[[], Mapping[str, Measure]]] = {
            "usage of the buffer": lambda: self._usage(env_step, sampled.slots),
            "batch": lambda: self._batch(sampled, slots),
            "priorities": lambda: self._priorities(slots[:, :STATES]),
            "TD errors": lambda: _named("td_error_abs", measures.quantiles(update.errors.abs())),
            "gradients": self._gradients,
            "networks": self._networks,
        }
        row = {}
        for group, measure_group in groups.items():
            for name, measure in (self._tried(group, measure_group) or {}).items():
                values = self._tried(name, measure) if callable(measure) else measure
                if values is not None:
                    row[name] = values
        return row

    def _tried(self, name: str, measure: Callable[[], T]) -> T | None:
        """Return the result of a measure; None, with a note of the exception, if it fails."""
        if name in self.failed:
            return None
        try:
            return measure()
        except Exception as error:
            if RAISES:
                raise
            self.failed[name] = f"{type(error).__name__}: {error}"
            log.warning("The diagnostic %s is missing: %s", name, self.failed[name])
            return None

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        return self.run_states.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self.run_states.restore(state)

    def _usage(self, env_step: int, slots: Tensor) -> dict[str, Measure]:
        """Measure the ages and draws of stored items, and how evenly the sampler draws."""
        ring, sampler, usage = self._buffer.ring, self._buffer.sampler, self._buffer.usage
        # The gradient step is counted already; the batch was drawn before it.
        ages = usage.ages(slots, env_step, self._learner.gradient_steps - 1)
        counts = usage.draw_counts(ring)
        return {
            **_summary("age_env_steps", ages[0]),
            **_summary("age_gradient_steps", ages[1]),
            "pool_never_drawn_share": counts["never"].numpy(),
            "replays_mean": counts["mean"].numpy(),
            "replays_most": counts["max"].numpy(),
            **_spread(ring, sampler),
        }

    def _priorities(self, slots: Tensor) -> dict[str, Measure]:
        """Compare the priorities of stored items with those of their present TD errors."""
        prioritized = self._buffer.prioritized
        if prioritized is None:
            return {}
        errors = self._learner.td_errors(self._buffer.ring.copy_of(slots))
        return {"priority_staleness": measures.mean(prioritized.staleness(slots, errors))}

    def _batch(self, sampled: SampledBatch, random_slots: Tensor) -> dict[str, Measure]:
        """Measure a batch in itself, and its distance to the buffer and to the whole run."""
        stored_at = self._buffer.usage.stored_at(sampled.slots)
        observation = sampled.batch["observation"]
        stored = self._buffer.ring.copy_of(random_slots)["observation"]
        return {
            "batch_duplicate_share": lambda: measures.duplicate_share(sampled.slots),
            "batch_adjacent_share": lambda: measures.adjacent_share(stored_at),
            "batch_autocorrelation": lambda: measures.autocorrelation(observation, stored_at),
            "batch_pool_distance": lambda: measures.distance(observation, stored),
            "batch_run_distance": lambda: measures.distance(
                observation, self.run_states.evenly_spaced(BUFFER_SAMPLE)
            ),
            "weight_effective_share": lambda: measures.effective_share(sampled.weights),
            "weight_smallest": lambda: sampled.weights.double().amin(dim=1).numpy(),
            "weight_largest": lambda: sampled.weights.double().amax(dim=1).numpy(),
        }

    def _gradients(self) -> dict[str, Measure]:
        gradient = self._learner.parameters.gradient.cpu()
        layers = enumerate(self._learner.layers(gradient), start=1)
        norms = {f"gradient_norm_layer_{number}": measures.norm(layer) for number, layer in layers}
        return {**norms, "gradient_cosine": lambda: measures.cosine(gradient, self._gradient)}

    def _networks(self) -> dict[str, Measure]:
        states = self.run_states.evenly_spaced(STATES)
        before = self._learner.activations(self._online, states)
        after = self._learner.activations(self._learner.parameters.online, states)
        hidden = after[1:-1]
        return {
            "target_drift": self._drift,
            "action_gap": lambda: measures.action_gap(after[-1]),
            # A linear network has no units that could be dormant.
            **({"dormant_share": lambda: measures.dormant_share(hidden)} if hidden else {}),
            "policy_churn": lambda: measures.churn(before[-1], after[-1]),
        }

    def _random_slots(self, env_step: int) -> Tensor:
        """Return slots `[L, BUFFER_SAMPLE]` drawn uniformly from the buffer."""
        drawn = [words(seed, Stream.DIAGNOSE, env_step, 1, BUFFER_SAMPLE) for seed in self._seeds]
        size = self._buffer.ring.size
        bits = torch.from_numpy(np.concatenate(drawn).astype(np.int64))
        return integers(bits, size.unsqueeze(1))


def _spread(ring: Ring, sampler: Sampler) -> dict[str, Measure]:
    """Measure how evenly a sampler draws; nothing where it does not say with which probabilities."""
    spread = sampler.sampling_entropy(ring)
    if spread is None:
        return {}
    entropy, effective = (values.numpy() for values in spread)
    size, largest = ring.size.numpy(), bitwise_log(ring.size).numpy()
    return {
        "sampling_entropy": entropy,
        "sampling_entropy_share": np.divide(entropy, largest, np.ones(len(size)), where=size > 1),
        "sampling_effective_share": effective / size,
    }


def _summary(name: str, values: Tensor) -> dict[str, Measure]:
    return {f"{name}_mean": measures.mean(values)} | _named(name, measures.quantiles(values))


def _named(name: str, values: Mapping[str, Doubles]) -> dict[str, Measure]:
    return {f"{name}_{suffix}": value for suffix, value in values.items()}
