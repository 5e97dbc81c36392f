"""The buffer's parts as the arrays that compiled loops over steps read and change."""

from __future__ import annotations

import numpy as np

from ablation.config.schema import ReplayConfig
from ablation.replay.frame_ring import FrameRing
from ablation.replay.item_usage import ItemUsage
from ablation.replay.lane_kernels import (
    BATCH_MAX,
    BUFFER_MAX,
    NEW_ITEMS,
    NOT_NORMALIZED,
    OWN,
    PRIORITIZED,
    RECENT,
    SUBSET,
    UNIFORM,
    Buffer,
    Priorities,
    Sampling,
    Window,
)
from ablation.replay.n_step import NStep
from ablation.replay.own import OwnSampler
from ablation.replay.own_kernels import NO_KERNELS, OwnKernels
from ablation.replay.prioritized import NO_TREE, Prioritized
from ablation.replay.ring import Ring
from ablation.replay.samplers import Combined, NewItems, Recent, Sampler, Uniform, UniformSubset

SAMPLERS: dict[type, int] = {
    Recent: RECENT,
    NewItems: NEW_ITEMS,
    Uniform: UNIFORM,
    UniformSubset: SUBSET,
    Prioritized: PRIORITIZED,
    OwnSampler: OWN,
}
"""Samplers that `lane_kernels` know, by the very type: a subclass may draw otherwise."""
NORMALIZATIONS = {"none": NOT_NORMALIZED, "batch_max": BATCH_MAX, "pool_max": BUFFER_MAX}

NO_WINDOW = Window(
    np.empty((0, 0, 0), np.float32),
    np.empty((0, 0), np.int64),
    np.empty((0, 0), np.float32),
    np.empty(0, np.int64),
    np.float32(0),
    np.empty(0, np.float32),
)
NO_PRIORITIES = Priorities(
    starts=np.zeros(0, np.int64),
    sums=NO_TREE,
    minima=NO_TREE,
    maxima=NO_TREE,
    errors=NO_TREE,
    ranked=NO_TREE,
    largest=NO_TREE,
    inside=0.0,
    outside=0.0,
    new_error=-1.0,
)


def compiled_buffer(
    config: ReplayConfig,
    ring: Ring,
    usage: ItemUsage,
    n_step: NStep | None,
    sampler: Sampler,
    draws: int,
) -> Buffer | None:
    """Return a buffer as `lane_kernels` read and change it; None: they cannot.

    `draws` are the items of a batch, the newest one included where it is combined with them.
    """
    combined = isinstance(sampler, Combined)
    drawn = sampler.sampler if isinstance(sampler, Combined) else sampler
    priorities = drawn.arrays() if isinstance(drawn, Prioritized) else NO_PRIORITIES
    kernels: OwnKernels | None = NO_KERNELS
    if isinstance(drawn, OwnSampler):
        kernels = drawn.kernels if _fits(drawn, config, combined) else None
    known = type(drawn) in SAMPLERS and not isinstance(ring, FrameRing)
    if not known or priorities is None or kernels is None:
        return None
    sampling = Sampling(
        SAMPLERS[type(drawn)],
        draws - combined,
        combined,
        config.stratified,
        config.replacement,
        config.uniform_share,
        NORMALIZATIONS[config.weight_normalisation],
        drawn.weighted,
    )
    window = NO_WINDOW if n_step is None else n_step.arrays()
    return Buffer(ring.arrays(usage.table.numpy()), window, sampling, priorities, kernels)


def _fits(sampler: OwnSampler, config: ReplayConfig, combined: bool) -> bool:
    """Return whether a user's kernels give all that a compiled step needs: no more than their draws."""
    asks_probabilities = combined or config.weight_normalisation == "pool_max"
    return not sampler.needs and not (sampler.weighted and asks_probabilities)
