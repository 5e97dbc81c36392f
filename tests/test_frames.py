"""Replay of frames kept once against a naive twin that keeps every observation whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ablation.config.cell import Cell
from ablation.config.parse import parse
from ablation.numerics.pixels import BYTE_VALUES
from ablation.replay.frame_format import FrameFormat
from ablation.replay.frame_ring import FrameRing
from ablation.replay.frame_store import FrameStore
from ablation.sweep.estimates.memory import replay_bytes

from .conftest import Configure, values
from .frame_walks import BITS, BYTES, LANES, Walk, differences, equal, twins

WALKS = [(0.0, 0.0), (0.3, 0.0), (1.0, 0.0), (0.1, 0.2)]


@pytest.mark.parametrize("form", [BITS, BYTES])
@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize(("terminates", "loses_life"), WALKS)
def test_every_stored_transition_is_the_naive_twins(
    configure: Configure, form: FrameFormat, n_step: int, terminates: float, loses_life: float
) -> None:
    sizes = {"replay__capacity": 13, "replay__min_replay_size": 13, "agent__batch_size": 8}
    config = configure(replay__n_step=n_step, **sizes)
    frames, whole = twins(config, form)
    walk = Walk(form, terminates, loses_life)
    for found, expected in differences(frames, whole, walk, 120):
        assert equal(found, expected)
    assert len(found["reward"][0]) == 13


@pytest.mark.parametrize("longest", [1, 2, 5])
def test_no_frame_could_be_spared(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, longest: int
) -> None:
    form = FrameFormat("byte", 10, 1, longest)
    config = configure(replay__capacity=13, replay__min_replay_size=13, agent__batch_size=8)
    enough = form.frames_kept(13, 1)

    def all_equal(kept: int) -> bool:
        monkeypatch.setattr(FrameFormat, "frames_kept", lambda *_: kept)
        return all(equal(*pair) for pair in differences(*twins(config, form), Walk(form, 0.0), 120))

    assert all_equal(enough)
    assert not all_equal(enough - 1)


KINDS: list[dict[str, Any]] = [
    {"replay__kind": "none"},
    {"replay__kind": "recent"},
    {"replay__kind": "uniform"},
    {"replay__kind": "uniform", "replay__combined": True, "replay__replacement": False},
    {"replay__kind": "proportional", "replay__n_step": 3},
    {"replay__kind": "rank", "replay__combined": True},
]


@pytest.mark.parametrize("form", [BITS, BYTES])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_replay_draws_what_it_draws_of_whole_observations(
    configure: Configure, form: FrameFormat, kind: dict[str, Any]
) -> None:
    config = configure(replay__capacity=16, replay__min_replay_size=12, agent__batch_size=8, **kind)
    frames, whole = twins(config, form)
    walk = Walk(form, 0.2)
    for env_step in range(60):
        transition, ended, cut = walk.step()
        for experience in (frames, whole):
            experience.add(transition, ended, env_step, env_step, cut)
        if env_step < 20:
            continue
        found, expected = (made.sample(env_step, env_step) for made in (frames, whole))
        assert torch.equal(found.slots, expected.slots)
        assert torch.equal(found.weights, expected.weights)
        assert equal(found.batch, expected.batch)
        errors = torch.rand(found.slots.shape)
        for made in (frames, whole):
            made.update_priorities(found.slots, errors)


@pytest.mark.parametrize("form", [BITS, BYTES])
def test_a_restored_replay_goes_on_as_the_one_that_was_saved(
    configure: Configure, form: FrameFormat
) -> None:
    config = configure(replay__capacity=13, replay__min_replay_size=13, agent__batch_size=8)
    (saved, whole), (restored, _) = twins(config, form), twins(config, form)
    walk = Walk(form, 0.2)
    list(differences(saved, whole, walk, 40))
    restored.restore(saved.state())
    for found, expected in differences(restored, whole, walk, 40):
        assert equal(found, expected)


def test_every_byte_comes_back_as_the_number_that_was_emitted() -> None:
    made = FrameStore(FrameFormat("byte", 256, 1, 5), 1, 3)
    emitted = torch.from_numpy(BYTE_VALUES).unsqueeze(0)
    yes = torch.ones(1, dtype=torch.bool)
    handle, _ = made.add(emitted, emitted, ~yes, yes)
    assert made.rows[0].tolist() == list(range(256))
    places = made.index(handle).unsqueeze(1)
    assert torch.equal(made.load(places, torch.zeros_like(places))[0], emitted)


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("form", [BITS, BYTES])
def test_planned_bytes_are_the_bytes_allocated(form: FrameFormat, n_step: int) -> None:
    ring = FrameRing(form, LANES, 1000, n_step)
    allocated = ring._items.nbytes + ring.frames.rows.nbytes + LANES * 1000 * 12
    cell = Cell(parse(values(replay__capacity=1000, replay__n_step=n_step, train__env_steps=1000)))
    assert replay_bytes(cell, form.stack * form.size, LANES, form) == allocated


def test_a_million_atari_frames_and_minatars_hundred_thousand_take_what_they_may() -> None:
    def cell(capacity: int) -> Cell:
        return Cell(parse(values(replay__capacity=capacity, train__env_steps=10**7)))

    atari = FrameFormat("byte", 84 * 84, 4, 27_000)
    assert replay_bytes(cell(1_000_000), 4 * 84 * 84, 1, atari) <= 7.2 * 2**30
    assert replay_bytes(cell(100_000), 1000, 1, FrameFormat("bit", 1000, 1, 5000)) <= 15e6


def test_more_discounts_than_a_byte_can_name_are_refused() -> None:
    ring = FrameRing(BITS, 1, 10, 1)
    for number in range(256):
        ring._code(number / 256)
    with pytest.raises(IndexError):
        ring._code(2.0)
