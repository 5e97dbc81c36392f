"""A sampler or eviction rule of one's own, named by an import path, trains and is stored like ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablation.cli.components import try_components
from ablation.config.cell import Cell
from ablation.config.identity import NEUTRAL
from ablation.config.parse import parse
from ablation.config.training_path import why_not_portable
from ablation.config.validation import ConfigError
from ablation.replay.component import ComponentError, restore_state, state_of
from ablation.training.dqn import DQNTrainer

from .conftest import values

EXAMPLES = Path(__file__).parent.parent / "examples/samplers"
OWN = "tests.own_samplers"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(EXAMPLES)])


def cell(kind: str, **changes: Any) -> Cell:
    return Cell(parse(values(replay__kind=kind, **changes)))


def trainer(one: Cell, seeds: tuple[int, ...] = (0, 1), **how: Any) -> DQNTrainer:
    return DQNTrainer(one.config, list(seeds), torch.device("cpu"), **how)


def tables(one: Cell, seeds: tuple[int, ...] = (0, 1), **how: Any) -> list[dict[str, Any]]:
    return [lane.tables() for lane in trainer(one, seeds, **how).run().lanes]


def played(rows: list[dict[str, Any]]) -> list[Any]:
    return [(lane["episodes"], lane["evaluations"]) for lane in rows]


@pytest.mark.parametrize("kind", ["uniform:Uniform", "uniform:CompiledUniform"])
def test_uniform_of_ones_own_gives_the_numbers_of_ours(kind: str) -> None:
    assert played(tables(cell(kind))) == played(tables(cell("uniform")))


def test_kernels_join_the_compiled_blocks_and_give_the_numbers_of_single_steps() -> None:
    one = cell("uniform:CompiledUniform", replay__n_step=3)
    assert trainer(one).in_blocks
    assert tables(one) == tables(one, in_blocks=False)
    assert not trainer(cell("uniform:Uniform")).in_blocks


@pytest.mark.parametrize("kind", ["recency:Recency", "reaper:ReaPER", f"{OWN}:Proportional"])
def test_a_lane_is_what_it_is_alone_and_goes_on_from_a_checkpoint(kind: str) -> None:
    one = cell(kind, replay__n_step=2, replay__importance_sampling_exponent=0.5)
    together = tables(one, (0, 1))
    assert tables(one, (1,))[0] == together[1]
    first = trainer(one)
    first.advance(90)
    state = first.state()
    second = trainer(one)
    second.restore(state)
    first.advance(100)
    second.advance(100)
    for lane in (0, 1):
        assert first.records.lanes[lane].tables() == second.records.lanes[lane].tables()


def test_without_probabilities_nothing_is_weighted_and_no_spread_is_measured() -> None:
    row = tables(cell("uniform:Uniform", replay__importance_sampling_exponent=1.0))[0]["learner"][-1]
    assert row["weight_smallest"] == row["weight_largest"] == 1.0
    assert "sampling_entropy" not in row
    assert "sampling_entropy" in tables(cell("recency:Recency"))[0]["learner"][-1]


def test_its_options_reach_it_and_count() -> None:
    fast = cell("recency:Recency", replay__options={"decay": 0.5})
    slow = cell("recency:Recency", replay__options={"decay": 0.99})
    assert fast.name != slow.name
    assert played(tables(fast)) != played(tables(slow))


def test_its_code_is_part_of_the_identity_and_keys_that_never_reach_it_are_not() -> None:
    one = cell("recency:Recency")
    assert set(one.canonical["components"]) == {"recency:Recency"}
    assert cell("recency:Recency", replay__priority_epsilon=0.5).name == one.name
    assert cell("recency:Recency", replay__weight_normalisation="none").name != one.name
    assert why_not_portable(one.config) == "recency:Recency computes by code of your own"


def test_an_eviction_rule_chooses_what_is_overwritten() -> None:
    one = cell("uniform", replay__eviction=f"{OWN}:LowestError")
    run = trainer(one)
    assert not run.in_blocks
    run.advance(64)
    rule = run._buffer._eviction
    assert rule is not None
    before = rule.component.error.copy()
    run.advance(1)
    assert run._buffer.ring.newest.tolist() == before.argmin(axis=1).tolist()
    assert played(tables(one)) != played(tables(cell("uniform")))
    assert "eviction_options" in NEUTRAL


def test_it_is_told_of_episodes_positions_and_ends() -> None:
    run = trainer(cell("reaper:ReaPER", replay__n_step=3))
    run.advance(60)
    items, table = run._buffer.items, run._buffer._own[0].component.table
    for lane in (0, 1):
        size = int(items.size[lane])
        first = np.flatnonzero(items.position[lane, :size] == 0)
        assert (table.previous[lane, first] == -1).all()
        others = np.flatnonzero(items.position[lane, :size] > 0)
        before = table.previous[lane, others]
        assert (items.position[lane, before] == items.position[lane, others] - 1).all()
        ended = items.terminated[lane, :size].sum()
        assert ended > 0


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"replay__kind": "recency:Recent"}, "did you mean Recency"),
        ({"replay__kind": "no_lab.samplers:Recency"}, "no module no_lab.samplers on the Python path"),
        ({"replay__eviction": "newest"}, "allowed: fifo, random, or a class as package.module:Name"),
        ({"replay__eviction": f"{OWN}:LowestEror"}, "did you mean LowestError"),
        ({"replay__eviction_options": {"x": 1}}, "fifo has no options"),
        ({"replay__kind": "recent_", "replay__options": {}}, "allowed: none, recent"),
    ],
)
def test_what_is_not_there_is_refused_when_it_is_planned(changes: dict[str, Any], allowed: str) -> None:
    with pytest.raises(ConfigError, match=allowed):
        parse(values(**changes))


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("recency:Recency", {"decay": 2}, r"cannot be made: ValueError: decay = 2: must lie between"),
        ("recency:Recency", {"decoy": 0.5}, r"cannot be made: TypeError: .*'decoy'"),
        (f"{OWN}:NoUpdate", {}, "has no method update_priorities; it needs added, sample, update_prior"),
        (f"{OWN}:OwnGenerator", {}, "generator is a random generator"),
    ],
)
def test_a_class_that_cannot_be_used_is_named(kind: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ComponentError, match=said):
        trainer(cell(kind, replay__options=options))


def test_a_slot_out_of_range_ends_the_run_by_name() -> None:
    with pytest.raises(ComponentError, match=r"OneSlotOff\.sample returned slot 16 in lane ., whose 16"):
        trainer(cell(f"{OWN}:OneSlotOff")).run()


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("recency:Recency", {}, None),
        (
            "recency:Recency",
            {"decay": 2},
            "cannot be made: ValueError: decay = 2: must lie between 0 and 1",
        ),
        (f"{OWN}:OneSlotOff", {}, r"returned slot \d+ in lane"),
        (f"{OWN}:GlobalGenerator", {}, "draws from NumPy's global generator; use its argument random"),
        (f"{OWN}:Ends", {}, r"ends the process \(exit status 3\)"),
        (f"{OWN}:Raises", {}, r"KeyError: 'mine' \(.*own_samplers\.py, line \d+\)"),
    ],
)
def test_a_plan_tries_it_first_in_a_process_of_its_own(
    kind: str, options: dict[str, Any], said: str | None, tmp_path: Path
) -> None:
    one = cell(kind, replay__options=options)
    if said is None:
        try_components([one], tmp_path)
        assert len(list((tmp_path / "components").iterdir())) == 1
        return
    with pytest.raises(ConfigError, match=said) as refused:
        try_components([one], tmp_path)
    assert refused.value.key == "replay.kind"
    assert "\n" not in str(refused.value)


class Inner:
    def __init__(self) -> None:
        self.sums = np.zeros(3)


class Nested:
    def __init__(self) -> None:
        self.tree, self.counts = Inner(), {"a": [1, np.ones(2)], "b": ("x", None)}
        self.table = torch.zeros(2)


def test_attributes_are_kept_whatever_they_are_made_of() -> None:
    one, other = Nested(), Nested()
    one.tree.sums[1], one.table[0], one.counts["a"][0] = 5, 7, 2
    shared = other.tree.sums
    restore_state(other, state_of(one))
    assert shared is other.tree.sums
    assert (other.tree.sums == one.tree.sums).all()
    assert other.table.tolist() == [7, 0]
    assert other.counts["a"][0] == 2
    assert other.counts["b"] == ("x", None)


def test_an_attribute_that_no_checkpoint_can_keep_is_named() -> None:
    one = Nested()
    one.tree.seen = {1, 2}  # type: ignore[attr-defined]
    with pytest.raises(ComponentError, match=r"tree\.seen is a set; a checkpoint keeps arrays"):
        state_of(one)
