"""Chooses the sampler that a replay kind names."""

from __future__ import annotations

from ablation.config.schema import ReplayConfig
from ablation.replay.greedy import Greedy
from ablation.replay.prioritized import Draws, Prioritized
from ablation.replay.priority_schemes import PriorityScheme, Proportional, Rank
from ablation.replay.samplers import Recent, Sampler, Uniform, UniformSubset


def make_prioritized(
    config: ReplayConfig, capacity: int, batch_size: int, lanes: int
) -> Prioritized | None:
    """Return the prioritized sampler that a kind names, or None."""
    if not config.prioritized:
        return None
    scheme: PriorityScheme = Rank(lanes, capacity)
    if config.kind == "proportional":
        scheme = Proportional(
            config.priority_epsilon, config.priority_epsilon_enters, config.priority_exponent.constant
        )
    draws = Draws(
        batch_size=batch_size,
        new_error=config.new_priority,
        stratified=config.stratified,
        replacement=config.replacement,
        uniform_share=config.uniform_share,
        refresh_period=config.priority_refresh_period,
        buffer_minimum=config.weight_normalisation == "pool_max",
    )
    return Prioritized(scheme, draws, lanes, capacity)


def make_other(config: ReplayConfig, capacity: int, batch_size: int, lanes: int) -> Sampler:
    """Return the sampler of a kind that does not draw in proportion to priorities."""
    if not config.stores:
        return Recent(lanes, batch_size)
    if config.kind == "greedy":
        return Greedy(batch_size, lanes, capacity)
    return Uniform(batch_size) if config.replacement else UniformSubset(batch_size)
