"""Makes the sampler that the table of replay kinds names, and the samplers of this package."""

from __future__ import annotations

from ablation.config.registry import load_component
from ablation.config.replay_kinds import REPLAY_KINDS
from ablation.replay.greedy import Greedy
from ablation.replay.prioritized import Draws, Prioritized
from ablation.replay.priority_schemes import PriorityScheme, Proportional, Rank
from ablation.replay.samplers import (
    Combined,
    NewItems,
    Recent,
    Sampler,
    SamplerInputs,
    Uniform,
    UniformSubset,
)


def make_sampler(inputs: SamplerInputs) -> tuple[Sampler, Prioritized | None]:
    """Return a cell's sampler, and the prioritized one that it is or that it adds the newest item to."""
    kind = REPLAY_KINDS[inputs.config.kind]
    combined = inputs.config.combined and kind.stores
    if combined:
        inputs = inputs.with_batch_size(inputs.batch_size - 1)
    sampler = load_component(kind.make)(inputs)
    return Combined(sampler) if combined else sampler, sampler if kind.prioritized else None


def new_items(inputs: SamplerInputs) -> Sampler:
    """Return the sampler of the items that no gradient step has seen."""
    return NewItems(inputs.batch_size)


def recent(inputs: SamplerInputs) -> Sampler:
    """Return the sampler of the newest items."""
    return Recent(inputs.lanes, inputs.batch_size)


def uniform(inputs: SamplerInputs) -> Sampler:
    """Return the sampler of equal probabilities, with replacement or without."""
    return Uniform(inputs.batch_size) if inputs.config.replacement else UniformSubset(inputs.batch_size)


def greedy(inputs: SamplerInputs) -> Sampler:
    """Return the sampler of the largest TD errors."""
    return Greedy(inputs.batch_size, inputs.lanes, inputs.capacity)


def proportional(inputs: SamplerInputs) -> Sampler:
    """Return the sampler of proportional prioritization."""
    config = inputs.config
    epsilon, enters = config.priority_epsilon, config.priority_epsilon_enters
    return _prioritized(inputs, Proportional(epsilon, enters, config.priority_exponent.constant))


def rank(inputs: SamplerInputs) -> Sampler:
    """Return the sampler of rank-based prioritization."""
    return _prioritized(inputs, Rank(inputs.lanes, inputs.capacity))


def _prioritized(inputs: SamplerInputs, scheme: PriorityScheme) -> Prioritized:
    config = inputs.config
    draws = Draws(
        batch_size=inputs.batch_size,
        new_error=config.new_priority,
        stratified=config.stratified,
        replacement=config.replacement,
        uniform_share=config.uniform_share,
        refresh_period=config.priority_refresh_period,
        buffer_minimum=config.weight_normalisation == "pool_max",
    )
    return Prioritized(scheme, draws, inputs.lanes, inputs.capacity)
