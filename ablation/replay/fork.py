"""The buffer with which a forked run goes on, from its parent's: both as states of `ReplayBuffer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablation.config.cell import Cell
from ablation.config.fork import empties_buffer, parent_of
from ablation.config.replay_kinds import REPLAY_KINDS
from ablation.config.schedules import value_at
from ablation.replay.build import make_sampler
from ablation.replay.frame_format import FrameFormat
from ablation.replay.frame_ring import COMPACT
from ablation.replay.kernels import MAX, MIN, SUM
from ablation.replay.ring import Layout
from ablation.replay.samplers import SamplerInputs
from ablation.replay.segment_tree import EMPTY

NO_ERROR, NO_RANK = -1.0, torch.inf
"""Of empty slots, in the tables of `Prioritized` and of its ranks."""


def forked_buffer(
    cell: Cell, state: Mapping[str, Any], env_step: int, form: FrameFormat | None = None
) -> dict[str, Any]:
    """Return the state in which a fork's buffer begins, from that of its parent after `env_step`.

    No replay empties it; a smaller one keeps the newest items. Where prioritization changes, every item
    has the priority of a new one, else it keeps its own. `form` is that of observations made of frames.
    """
    before = Cell(parent_of(cell.config))
    buffer = dict(state)
    old, new = before.schedule.capacity, cell.schedule.capacity
    if empties_buffer(cell.config) or old != new:
        slots = _newest(state["ring"], old, 0 if empties_buffer(cell.config) else new)
        buffer |= _moved(state, slots)
        if form is not None:
            kept = (form.frames_kept(capacity, cell.config.replay.n_step) for capacity in (old, new))
            buffer["ring"] |= _moved_frames(buffer["ring"], *kept)
        buffer["sampler"] = _moved_priorities(state["sampler"], slots, new)
    if _drawing(before) != _drawing(cell):
        buffer["sampler"] = _as_new_items(cell, buffer["ring"]["size"], env_step)
    return buffer


def _drawing(cell: Cell) -> dict[str, Any]:
    """Return the keys that decide how items are drawn."""
    stored = ("capacity", "min_replay_size")
    return {key: value for key, value in cell.canonical["replay"].items() if key not in stored}


def _newest(ring: Mapping[str, Any], capacity: int, most: int) -> Tensor:
    """Return the slots of each lane's newest items, at most so many, oldest first; `[L, K]`.

    The last columns of a lane with fewer items are -1.
    """
    kept = ring["size"].clamp(max=most)
    place = torch.arange(int(kept.max()))
    slots = (ring["newest"] - kept + 1).unsqueeze(1) + place
    return torch.where(place < kept.unsqueeze(1), slots % capacity, -1)


def _moved(state: Mapping[str, Any], slots: Tensor) -> dict[str, Any]:
    """Return ring and usage with the items at `slots [L, K]` in the first slots."""
    size = (slots >= 0).sum(dim=1)
    ring = dict(state["ring"]) | {"size": size, "newest": size - 1}
    ring["items"] = _taken(ring["items"], slots, 0)
    return {"ring": ring, "usage": _taken(state["usage"], slots, 0)}


def _moved_frames(ring: Mapping[str, Any], before: int, after: int) -> dict[str, Any]:
    """Return items and frames where a lane's frame number `n` lies at `n % after`, not `n % before`."""
    frames, items = ring["frames"], ring["items"].clone()
    newest = frames["count"].unsqueeze(1) - 1
    place = torch.arange(after)
    number = newest - (newest - place) % after
    there = (number >= 0) & (number > newest - before)
    rows = _taken(frames["rows"], torch.where(there, number % before, -1), 0)
    frame = Layout(COMPACT).split(items.flatten(0, 1))["frame"].view(items.shape[:2])
    frame.copy_((newest - (newest - frame) % before) % after)
    return {"items": items, "frames": dict(frames) | {"rows": rows}}


def _moved_priorities(sampler: Mapping[str, Any], slots: Tensor, capacity: int) -> dict[str, Any]:
    """Return a sampler's state with the values of the items at `slots [L, K]` in the first slots.

    Priorities that depend on the whole buffer are computed anew at the next draw.
    """
    moved = dict(sampler)
    if "trees" in sampler:
        empty = [EMPTY[operation] for operation in (SUM, MIN, MAX)]
        trees = zip(sampler["trees"], empty, strict=True)
        moved["trees"] = [None if one is None else _taken(one, slots, value) for one, value in trees]
        moved["drawn"] = 0
        if sampler["errors"].shape[1]:
            moved["errors"] = _filled(_taken(sampler["errors"], slots, NO_ERROR), capacity, NO_ERROR)
        if sampler["sorted"] is not None:
            moved["sorted"] = torch.full((len(slots), capacity), NO_RANK, dtype=torch.float64)
    elif "errors" in sampler:
        moved["errors"] = _taken(sampler["errors"], slots, EMPTY[MAX])
    return moved


def _as_new_items(cell: Cell, size: Tensor, env_step: int) -> dict[str, Any]:
    """Return the state of a cell's sampler to which each lane's `size [L]` items are new."""
    replay, schedule = cell.config.replay, cell.schedule
    options = REPLAY_KINDS[replay.kind].own_options(replay.options)
    inputs = SamplerInputs(replay, options, schedule.capacity, schedule.batch_size, len(size))
    sampler, prioritized = make_sampler(inputs)
    if prioritized is not None:
        prioritized.exponent = value_at(replay.priority_exponent, env_step, schedule.env_steps)
    for slot in range(int(size.max())):
        lanes = (size > slot).nonzero().flatten()
        every = len(lanes) == len(size)
        sampler.on_add(torch.full_like(lanes, slot), None if every else lanes)
    return sampler.state()


def _taken(values: Tensor, slots: Tensor, empty: float) -> Tensor:
    """Return `values [L, C, ...]` at `slots [L, K]`, `empty` where a slot is -1."""
    lanes = torch.arange(len(slots)).unsqueeze(1)
    taken = values[lanes, slots.clamp(min=0)]
    taken[slots < 0] = empty
    return taken


def _filled(values: Tensor, width: int, empty: float) -> Tensor:
    """Return `values [L, K]` with columns of `empty` added up to a width."""
    filled = torch.full((len(values), width), empty, dtype=values.dtype)
    filled[:, : values.shape[1]] = values
    return filled
