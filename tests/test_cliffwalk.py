"""The Blind Cliffwalk: exact values, what an oracle replays, and runs that end with a right table."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablation.config.cell import Cell
from ablation.config.identity import canonical
from ablation.config.parse import parse
from ablation.config.schema import CellConfig
from ablation.config.validation import ConfigError
from ablation.replay.ring import Ring
from ablation.results.references import reference
from ablation.results.scores import RunRows, score_run
from ablation.sweep.estimates.memory import replay_bytes
from ablation.tasks.cliffwalk.chain import (
    FIELDS,
    TOLERANCE,
    Tables,
    discount,
    exact_values,
    transitions,
)
from ablation.tasks.cliffwalk.oracle import Oracle
from ablation.tasks.cliffwalk.trainer import TabularTrainer

from .conftest import values
from .sweeps import WITHOUT_REPORT
from .sweeps import run as sweep

CPU = torch.device("cpu")
KINDS = ["uniform", "greedy", "rank", "proportional", "oracle"]


def cell(kind: str, states: int, **changes: Any) -> CellConfig:
    settings: dict[str, Any] = {
        "env__id": f"BlindCliffwalk-{states}",
        "agent__batch_size": 1,
        "agent__learning_rate": 0.25,
        "replay__kind": kind,
        "replay__importance_sampling_exponent": 0.0,
        "train__env_steps": 200_000,
        "train__evaluate_every": 1000,
    }
    return parse(values(**(settings | changes)))


def run(kind: str, states: int, seeds: list[int], **changes: Any) -> TabularTrainer:
    trainer = TabularTrainer(cell(kind, states, **changes), seeds, CPU)
    trainer.run()
    return trainer


def updates(kind: str, states: int, seeds: int = 10) -> float:
    """Return the median of the updates that the runs needed, all of which got there."""
    ends = [lane.ended for lane in run(kind, states, list(range(seeds))).records.lanes]
    return float(np.median([end.env_step for end in ends if end is not None]))


@pytest.mark.parametrize("states", [2, 5])
def test_the_exact_values_solve_bellmans_equation_on_the_memorys_transitions(states: int) -> None:
    exact, item = exact_values(states), transitions(states)
    assert len(item["state"]) == 2 ** (states + 1) - 2
    assert item["reward"].sum() == 1
    ahead = torch.cat([exact, torch.zeros(1, 2)])[item["state"] + 1].amax(dim=1)
    target = item["reward"] + item["discount"] * ahead
    torch.testing.assert_close(exact[item["state"], item["action"]], target)


def test_the_memory_is_what_every_sequence_of_actions_leaves_behind() -> None:
    walked: dict[tuple[int, int, float, float], int] = {}
    for actions in itertools.product([0, 1], repeat=4):
        for state, action in enumerate(actions):
            goes_on = action == 1 and state < 3
            seen = (state, action, float(action == 1 and state == 3), goes_on * discount(4))
            walked[seen] = walked.get(seen, 0) + 1
            if action == 0:
                break
    stored: dict[tuple[int, int, float, float], int] = {}
    for seen in zip(*(field.tolist() for field in transitions(4).values()), strict=True):
        stored[seen] = stored.get(seen, 0) + 1
    assert stored == walked


def test_an_update_moves_a_value_by_the_step_size_times_its_error() -> None:
    tables = Tables.initial(3, 0.25, [0, 1])
    before = tables.values.copy()
    item = {
        "state": torch.tensor([[1], [2]]),
        "action": torch.tensor([[1], [1]]),
        "reward": torch.tensor([[0.0], [1.0]], dtype=torch.float64),
        "discount": torch.tensor([[discount(3)], [0.0]], dtype=torch.float64),
    }
    errors = tables.update(item, torch.tensor([[1.0], [0.5]]))[:, 0].numpy()
    expected = [discount(3) * before[0, 2].max() - before[0, 1, 1], 1 - before[1, 2, 1]]
    np.testing.assert_allclose(errors, expected)
    before[0, 1, 1] += 0.25 * expected[0]
    before[1, 2, 1] += 0.125 * expected[1]
    np.testing.assert_allclose(tables.values, before)


def test_tables_start_small_normal_and_each_runs_own() -> None:
    """Four standard errors of a normal sample's mean and standard deviation."""
    together, alone = Tables.initial(16, 0.25, list(range(200))), Tables.initial(16, 0.25, [7])
    np.testing.assert_array_equal(together.values[7], alone.values[0])
    drawn = together.values[:, :16].ravel()
    assert abs(drawn.mean()) < 4 * 0.1 / np.sqrt(len(drawn))
    assert abs(drawn.std() - 0.1) < 4 * 0.1 / np.sqrt(2 * len(drawn))
    assert (together.values[:, 16] == 0).all()


def test_the_oracle_draws_what_lowers_the_error_most_of_all_transitions_tried_one_by_one() -> None:
    states, lanes = 4, [3, 4]
    tables, every = Tables.initial(states, 0.25, lanes), transitions(states)
    items = len(every["state"])
    ring = Ring(FIELDS, len(lanes), items)
    for place in range(items):
        ring.append({name: field[place].expand(2) for name, field in every.items()})
    oracle = Oracle(tables)
    for _ in range(60):
        drawn = ring.gather(oracle.sample(ring, torch.empty(2, 0))[0])
        drawn = {name: field.clone() for name, field in drawn.items()}
        start, tried = tables.values.copy(), []
        for place in range(items):
            item = {name: field[place].expand(2, 1) for name, field in every.items()}
            tables.update(item, torch.ones(2, 1))
            tried.append(tables.mean_squared_errors())
            tables.values[:] = start
        tables.update(drawn, torch.ones(2, 1))
        np.testing.assert_allclose(tables.mean_squared_errors(), np.min(tried, axis=0), rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_ends_with_the_update_that_makes_its_table_right(kind: str) -> None:
    exact = discount(4) ** 3
    for lane in run(kind, 4, [0, 1, 2]).records.lanes:
        assert lane.ended is not None
        assert lane.ended.status == "complete"
        steps = [row["env_step"] for row in lane.evaluations]
        off = [-row["episode_return"] for row in lane.evaluations]
        assert steps[-1] == lane.ended.env_step
        assert off[-1] < TOLERANCE <= min(off[:-1])
        assert steps[:-1] == [2**power for power in range(len(steps) - 1)]
        assert lane.evaluations[-1]["discounted_return"] == exact
        assert lane.evaluations[-1]["start_value"] == pytest.approx(exact, abs=0.1)
        rows = {name: np.array([row[name] for row in lane.evaluations]) for name in lane.evaluations[0]}
        judged = RunRows({}, rows, "BlindCliffwalk-4", 200_000)
        assert score_run("steps_to_threshold", judged) == lane.ended.env_step


def test_a_run_that_does_not_get_there_is_looked_at_where_it_ends() -> None:
    lane = run("uniform", 8, [0], train__env_steps=100, train__evaluate_every=50).records.lanes[0]
    assert lane.ended is None
    assert [row["env_step"] for row in lane.evaluations] == [1, 2, 4, 8, 16, 32, 64, 100]


@pytest.mark.parametrize("states", [2, 4, 16])
def test_references_are_what_a_table_starts_with_and_when_it_is_right(states: int) -> None:
    known = reference(f"BlindCliffwalk-{states}")
    assert known is not None
    start = -Tables.initial(states, 0.25, list(range(2000))).mean_squared_errors()
    assert known.random == pytest.approx(start.mean(), abs=4 * start.std() / np.sqrt(2000) + 5e-4)
    assert known.threshold == -TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_runs_depend_on_no_neighbour_and_go_on_from_their_state(kind: str) -> None:
    together, alone = run(kind, 5, [1, 2, 3]), run(kind, 5, [2])
    assert together.records.lanes[1] == alone.records.lanes[0]
    first, second = (TabularTrainer(cell(kind, 5), [2], CPU) for _ in range(2))
    first.advance(30)
    second.restore(first.state())
    second.run()
    assert second.records.lanes[0] == alone.records.lanes[0]


def test_the_oracle_needs_fewest_updates_and_uniform_most() -> None:
    needed = {kind: updates(kind, 8) for kind in KINDS}
    order = sorted(needed, key=lambda kind: needed[kind])
    assert (order[0], order[-1]) == ("oracle", "uniform"), needed


@pytest.mark.parametrize("kind", ["greedy", "proportional", "rank"])
def test_prioritized_needs_fewer_updates_than_uniform_ever_more_so_with_the_chain(kind: str) -> None:
    _assert_growing_gain(kind, [3, 5, 8])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["greedy", "proportional", "rank"])
def test_prioritized_gains_all_the_way_to_twelve_states(kind: str) -> None:
    _assert_growing_gain(kind, [2, 4, 8, 12])


def _assert_growing_gain(kind: str, sizes: list[int]) -> None:
    gains = [updates("uniform", states) / updates(kind, states) for states in sizes]
    assert all(gain > 1 for gain in gains[1:])
    assert all(later > earlier for earlier, later in itertools.pairwise(gains)), gains


def test_planned_bytes_are_those_of_the_whole_memory() -> None:
    for kind in ("uniform", "greedy"):
        experience = TabularTrainer(cell(kind, 6), [1, 2], CPU)._buffer
        allocated = experience.ring._items.nbytes + experience.usage.table.nbytes
        if kind == "greedy":
            allocated += experience.sampler._errors.values.nbytes  # type: ignore[attr-defined]
        assert replay_bytes(Cell(cell(kind, 6)), 1, 2) == allocated


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"env__id": "CartPole-v1", "replay__kind": "oracle"}, "goes only with env.id=BlindCliffwalk"),
        ({"env__id": "BlindCliffwalk-1"}, "takes 2 to 20 states"),
        ({"env__id": "BlindCliffwalk-30"}, "takes 2 to 20 states"),
        ({"replay__kind": "recent"}, "needs one that stores"),
        ({"agent__batch_size": 2}, "must be 1"),
        ({"replay__n_step": 2, "replay__min_replay_size": 4}, "must be 1"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], allowed: str) -> None:
    settings: dict[str, Any] = {"env__id": "BlindCliffwalk-4", "agent__batch_size": 1}
    with pytest.raises(ConfigError, match=allowed):
        parse(values(**(settings | changes)))


def test_what_cannot_matter_gives_a_run_no_other_name() -> None:
    plain = canonical(cell("greedy", 4))
    assert plain == canonical(cell("greedy", 4, replay__replacement=False, replay__capacity=50))
    assert plain == canonical(cell("greedy", 4, replay__min_replay_size=30))


def test_a_sweep_counts_runs_that_end_early_as_done(tmp_path: Path) -> None:
    chosen = ["study.environments=[cliffwalk_2]", "study.seeds=2", f"results_dir={tmp_path}"]
    done = sweep("-m", "study=schaul2016", *chosen, "launch.jobs=1", module=WITHOUT_REPORT)
    assert done.returncode == 0, done.stderr
    assert "5/5 jobs, 10/10 runs, 100%" in done.stderr
