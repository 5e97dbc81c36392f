"""A study that changes keeps its earlier plans, and says what is new and what is no longer asked for."""

from __future__ import annotations

from pathlib import Path

from ablation.store.files import read_json, write_json
from ablation.store.runs import Store
from ablation.study.expand import expand
from ablation.study.history import plan_diff, save_plan, swept_meanwhile
from ablation.study.plan import plan_from_json

from .analysis_helpers import resolve
from .studies import study

CAPACITIES = {"capacity": {"key": "replay.capacity", "levels": [16, 64]}}
BATCHES = {"batch": {"key": "agent.batch_size", "levels": [2, 4]}}


def test_a_change_is_counted_in_cells_and_runs_and_recorded_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = expand(study(factors=CAPACITIES), resolve)
    assert plan_diff(store, first) is None
    save_plan(store, first, "first")
    save_plan(store, first, "first again")
    assert not plan_diff(store, first)

    second = expand(study(factors=BATCHES, seeds=4), resolve)
    found = plan_diff(store, second)
    assert found is not None
    assert found
    assert (len(found.new_cells), len(found.dropped_cells)) == (2, 1)
    # The baseline stays, with one more seed; two cells of four seeds are new, one of three went.
    assert (found.new_runs, found.dropped_runs, found.since) == (1 + 2 * 4, 3, first.hash)
    save_plan(store, second, "second")

    directory = store.study_directory("s")
    stored = read_json(directory / "plan.json")
    assert plan_from_json(stored) == second
    assert [entry["hash"] for entry in stored["history"]] == [first.hash, second.hash]
    assert [entry["command"] for entry in stored["history"]] == ["first", "second"]
    assert stored["history"][1]["dropped_cells"] == found.dropped_cells
    assert plan_from_json(read_json(directory / "plans" / f"{first.hash}.json")) == first


def test_a_stored_plan_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = expand(study(), resolve)
    write_json(store.study_directory("s") / "plan.json", {"hash": "x", "study": {}})
    assert plan_diff(store, plan) is None
    save_plan(store, plan, "again")
    assert plan_from_json(read_json(store.study_directory("s") / "plan.json")) == plan
    assert read_json(store.study_directory("s") / "plans" / "x.json") is not None


def test_a_sweep_of_the_same_name_at_the_same_time_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path)
    own, more = expand(study(), resolve), expand(study(seeds=4), resolve)
    save_plan(store, own, "own")
    assert swept_meanwhile(store, own) is None
    save_plan(store, more, "more seeds: the report has all runs of the first plan")
    assert swept_meanwhile(store, own) is None
    save_plan(store, own, "fewer seeds")
    said = swept_meanwhile(store, more)
    assert said is not None
    assert said.startswith(f"Study s was swept with another plan ({own.hash}) at the same time")
