"""A fork shares its parent's run to the last bit up to its step, and goes on as its changes say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from ablation.config.cell import Cell
from ablation.config.fork import forked, parent_of
from ablation.config.identity import cell_name
from ablation.config.schema import CellConfig, Fork
from ablation.config.validation import ConfigError
from ablation.replay.fork import forked_buffer
from ablation.replay.frame_format import FrameFormat
from ablation.training.dqn import DQNTrainer
from ablation.training.fork import forked_state, joined, lane_of

from .conftest import Configure
from .frame_walks import BITS, BYTES, Walk, differences, equal, twins
from .training_runs import counting_id, digest, train

CPU = torch.device("cpu")
SEEDS = [0, 3, 8]
STEPS = 200

PARENTS: list[dict[str, Any]] = [
    {},
    {"replay__kind": "none"},
    {"replay__kind": "recent", "replay__n_step": 3},
    {"replay__eviction": "random"},
    {"replay__kind": "proportional", "replay__priority_exponent": {"start": 0.2, "end": 0.9}},
    {"replay__kind": "rank"},
    {"replay__kind": "greedy", "replay__combined": True},
    {"agent__backend": "torch"},
    {"env__backend": "gymnasium", "replay__n_step": 4},
]


def parent_at(config: CellConfig, step: int, seeds: list[int] | None = None) -> dict[str, Any]:
    """Return the state of a run after a step."""
    trainer = DQNTrainer(config, seeds or SEEDS, CPU)
    trainer.run(step)
    assert trainer.env_step == step
    return trainer.state()


def fork(config: CellConfig, state: Mapping[str, Any], seeds: list[int] | None = None) -> DQNTrainer:
    """Return a trainer at the beginning of a fork."""
    trainer = DQNTrainer(config, seeds or SEEDS, CPU)
    trainer.restore(forked_state(config, state))
    return trainer


def finished(trainer: DQNTrainer) -> DQNTrainer:
    trainer.run()
    return trainer


def fork_of(configure: Configure, step: int, changes: dict[str, Any], **before: Any) -> CellConfig:
    return forked(configure(**before), configure(**before | changes), step / STEPS)


@pytest.mark.parametrize("changes", PARENTS)
@pytest.mark.parametrize("step", [7, 50, 133])
def test_a_fork_that_changes_nothing_is_its_parent_bit_by_bit(
    configure: Configure, changes: dict[str, Any], step: int
) -> None:
    parent = configure(**changes)
    config = forked(parent, parent, step / STEPS)
    assert cell_name(config) == cell_name(parent)
    whole, again = train(parent, SEEDS), finished(fork(config, parent_at(parent, step)))
    for lane in range(len(SEEDS)):
        assert digest(again, lane) == digest(whole, lane)


CHANGES: list[dict[str, Any]] = [
    {"replay__kind": "none"},
    {"replay__kind": "recent"},
    {"replay__capacity": 20},
    {"replay__kind": "proportional"},
    {"replay__kind": "rank"},
    {"replay__kind": "greedy"},
    {"agent__batch_size": 3},
    {"agent__target_network": False},
    {"replay__kind": "proportional", "replay__capacity": 30, "agent__batch_size": 12},
]


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("before", [{}, {"replay__kind": "rank", "replay__n_step": 3}])
def test_a_fork_differs_from_its_parent_after_its_step_alone(
    configure: Configure, changes: dict[str, Any], before: dict[str, Any]
) -> None:
    if changes.get("replay__kind") == before.get("replay__kind", "uniform"):
        pytest.skip("no change")
    config = fork_of(configure, 110, changes, **before)
    whole = train(configure(**before), SEEDS)
    changed = finished(fork(config, parent_at(configure(**before), 110)))
    assert cell_name(config) not in (cell_name(configure(**before)), cell_name(configure(**changes)))
    for one, other in zip(whole.records.lanes, changed.records.lanes, strict=True):
        for rows, rows_after in zip(one.tables().values(), other.tables().values(), strict=True):
            until = [row for row in rows if row["env_step"] <= 110]
            assert until
            assert until == [row for row in rows_after if row["env_step"] <= 110]
    assert all(digest(whole, lane) != digest(changed, lane) for lane in range(len(SEEDS)))
    assert changed.gradient_steps == whole.gradient_steps


@pytest.mark.parametrize("changes", [*CHANGES, {}])
def test_a_forks_numbers_do_not_depend_on_who_was_trained_beside_it(
    configure: Configure, changes: dict[str, Any]
) -> None:
    before = {"replay__kind": "rank", "replay__n_step": 3}
    config = fork_of(configure, 110, changes, **before)
    group, alone = parent_at(configure(**before), 110), parent_at(configure(**before), 110, [8])
    together = finished(fork(config, group))
    mixed = joined([lane_of(alone, 0), lane_of(group, 1)])
    others = finished(fork(config, mixed, [8, 3]))
    assert [digest(others, 0), digest(others, 1)] == [digest(together, 2), digest(together, 1)]


def test_no_replay_empties_the_buffer_and_learns_at_the_parents_pace(configure: Configure) -> None:
    trainer = fork(fork_of(configure, 110, {"replay__kind": "none"}), parent_at(configure(), 110))
    assert trainer._buffer.ring.size.tolist() == [0, 0, 0]
    before = trainer.gradient_steps
    trainer.advance(1)
    assert trainer.gradient_steps == before + 1
    assert trainer._buffer.ring.size.tolist() == [1, 1, 1]


def test_a_smaller_buffer_keeps_the_newest_and_their_priorities(configure: Configure) -> None:
    before = {"replay__kind": "proportional"}
    parent = fork(
        forked(configure(**before), configure(**before), 110 / STEPS),
        parent_at(configure(**before), 110),
    )
    smaller = fork(
        fork_of(configure, 110, {"replay__capacity": 20}, **before), parent_at(configure(**before), 110)
    )
    ring, cut = parent._buffer.ring, smaller._buffer.ring
    slots = (ring.newest.unsqueeze(1) - torch.arange(19, -1, -1)) % ring.capacity
    kept, first = ring.copy_of(slots), torch.arange(20).repeat(3, 1)
    for name, values in cut.copy_of(first).items():
        assert torch.equal(values, kept[name])
    assert parent._buffer.prioritized is not None
    assert smaller._buffer.prioritized is not None
    sums, cut_sums = parent._buffer.prioritized._sums, smaller._buffer.prioritized._sums
    assert torch.equal(sums.get(slots), cut_sums.get(first))
    assert cut.size.tolist() == [20, 20, 20]


@pytest.mark.parametrize("kind", ["proportional", "rank", "greedy"])
def test_prioritization_begins_with_the_largest_priority_for_all(
    configure: Configure, kind: str
) -> None:
    trainer = fork(fork_of(configure, 110, {"replay__kind": kind}), parent_at(configure(), 110))
    state = trainer._buffer.sampler.state()
    leaves = state["trees"][0] if "trees" in state else state["errors"]
    assert (leaves[:, :64] == leaves[:, :1]).all()
    assert (leaves[:, :1] > 0).all()


def test_without_a_target_network_the_target_is_the_online_one_from_the_fork_on(
    configure: Configure,
) -> None:
    state = parent_at(configure(), 110)
    assert not torch.equal(state["learner"]["parameters"], state["learner"]["target_parameters"])
    trainer = fork(fork_of(configure, 110, {"agent__target_network": False}), state)
    for _ in range(3):
        parameters = trainer._learner.parameters
        assert torch.equal(parameters.online, parameters.target)
        trainer.advance(1)


def test_replay_switched_on_waits_until_its_buffer_is_filled(configure: Configure) -> None:
    before = {"replay__kind": "none"}
    config = fork_of(configure, 110, {"replay__kind": "uniform"}, **before)
    trainer = fork(config, parent_at(configure(**before), 110))
    taken, (held,) = trainer.gradient_steps, set(trainer._buffer.ring.size.tolist())
    trainer.advance(16 - held - 1)
    assert trainer.gradient_steps == taken
    trainer.advance(1)
    assert trainer.gradient_steps == taken + 1
    assert finished(trainer).env_step == STEPS


def test_a_run_that_ended_before_the_fork_stays_ended(configure: Configure) -> None:
    before = {"agent__learning_rate": 1e30, "agent__loss": "squared", "env__id": counting_id(5, 0)}
    parent = train(configure(**before), SEEDS)
    config = fork_of(configure, 150, {"replay__kind": "none"}, **before)
    parent.advance(150 - parent.env_step)
    trainer = fork(config, parent.state())
    assert trainer.done
    assert [one.ended for one in trainer.records.lanes] == [one.ended for one in parent.records.lanes]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"agent__learning_rate": 0.01}, "agent.learning_rate other than"),
        ({"replay__n_step": 3}, "replay.n_step other than 1"),
        ({"agent__hidden_sizes": [8]}, "agent.hidden_sizes other than"),
        ({"replay__min_replay_size": 20}, "replay.min_replay_size other than 16"),
    ],
)
def test_what_cannot_change_in_the_middle_of_a_run_is_refused(
    configure: Configure, changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(ConfigError, match="cannot change in the middle of a run") as refused:
        fork_of(configure, 110, changes)
    assert refused.value.key == "fork"
    assert key in str(refused.value.value)
    assert "replay.capacity" in refused.value.allowed


def test_a_fork_of_runs_of_a_number_of_gradient_steps_is_refused(configure: Configure) -> None:
    config = configure(train__hold_fixed="gradient_steps", train__gradient_steps=50)
    with pytest.raises(ConfigError, match=r"train\.hold_fixed"):
        forked(config, config, 0.5)


def test_a_fork_before_the_first_or_after_the_last_step_is_refused(configure: Configure) -> None:
    for share in (0.001, 0.999):
        with pytest.raises(ConfigError, match="allowed are 1 to 199"):
            forked(configure(), configure(replay__kind="none"), share)


def test_a_buffer_of_ones_own_or_evicted_at_random_is_not_changed(configure: Configure) -> None:
    with pytest.raises(ConfigError, match="class of your own"):
        fork_of(configure, 110, {"replay__kind": "tests.own_samplers:Proportional"})
    with pytest.raises(ConfigError, match="must be fifo"):
        fork_of(configure, 110, {"replay__capacity": 20}, replay__eviction="random")
    config = configure(replay__eviction="random")
    forked_config = fork_of(configure, 110, {"agent__target_network": False}, replay__eviction="random")
    assert forked_config.train.fork == Fork(110, {"agent.target_network": True})
    assert parent_of(forked_config) == config


@pytest.mark.parametrize("form", [BITS, BYTES])
@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("changes", [{"replay__capacity": 13}, {"replay__kind": "none"}])
def test_frames_that_are_kept_once_follow_their_transitions_into_another_buffer(
    configure: Configure, form: FrameFormat, n_step: int, changes: dict[str, Any]
) -> None:
    sizes = {"replay__capacity": 40, "replay__min_replay_size": 12, "replay__n_step": n_step}
    config = fork_of(configure, 90, changes, **sizes)
    before, after = twins(configure(**sizes), form), twins(config, form)
    walk = Walk(form, 0.2)
    list(differences(*before, walk, 90))
    for old, new, own_form in zip(before, after, (form, None), strict=True):
        new.restore(forked_buffer(Cell(config), old.state(), 90, own_form))
    kept = torch.arange(int(after[0].ring.size.min())).expand(3, -1)
    assert kept.shape[1] == (13 if "replay__capacity" in changes else 0)
    assert equal(after[0].ring.copy_of(kept), after[1].ring.copy_of(kept))
    for found, expected in differences(*after, walk, 60):
        assert equal(found, expected)
