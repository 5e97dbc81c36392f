"""What W&B is told of a run: lines that people look at, and runs that never mix."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ablation.store.records import LaneRecords, Records
from ablation.store.runs import TABLES, RunKey
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.tracking import TrackingConfig, open_sink
from ablation.tracking.mirrors import directories
from ablation.tracking.rows import RowFeed
from ablation.tracking.runs import (
    EndedRun,
    Filing,
    filings,
    fingerprint,
    tracked_run,
    wandb_id,
)

from . import tracked
from .analysis_helpers import resolve
from .studies import STUDY

KEY = RunKey("CartPole-v1-0123456789ab", 7)
CONFIG = {"env": {"id": "CartPole-v1"}, "agent": {"learning_rate": 0.001}}


FILED = Filing("s", "why?", "cartpole", "arm", {})


def all_rows(tables: Any, final: bool = True) -> list[dict[str, Any]]:
    return list(RowFeed().ended(tables, final))


@pytest.mark.parametrize("periods", [1, 2, 5])
def test_every_diagnostic_is_a_point_of_its_curve_with_every_bit(periods: int) -> None:
    tables = tracked.tables(3, periods)
    sent = json.loads(json.dumps(all_rows(tables)))
    curve = [(row["env_step"], row["learner/a"]) for row in sent if "learner/a" in row]
    assert repr(curve) == repr([(row["env_step"], row["a"]) for row in tables["learner"]])
    assert not any(isinstance(value, str) for row in sent for value in row.values()), "no stored rows"


def test_a_run_without_rows_and_one_with_a_single_table_survive() -> None:
    assert all_rows({name: [] for name in TABLES}) == []
    for name in TABLES:
        tables = {other: tracked.tables(0)[other] if other == name else [] for other in TABLES}
        assert all_rows(tables)[-1]["env_step"] == tables[name][-1]["env_step"]


def test_rows_do_not_depend_on_when_they_were_asked_for() -> None:
    tables = tracked.tables(5, periods=6)
    feed, rows = RowFeed(), []
    for period in range(1, 6):
        known = {
            name: sum(row["env_step"] <= 100 * period for row in found) for name, found in tables.items()
        }
        rows += feed.grown(tables, known)
    rows += feed.ended(tables, final=True)
    # As after a resume: everything at once.
    assert rows == all_rows(tables)
    assert [row["env_step"] for row in rows] == sorted(row["env_step"] for row in rows)
    assert list(feed.ended(tables, final=True)) == []


@pytest.mark.parametrize("periods", [1, 2, 3])
def test_a_failed_run_sends_the_first_rows_of_the_run_that_is_trained_after_it(periods: int) -> None:
    whole = tracked.tables(2, periods=5)
    stopped = 100 * periods + 60
    broken = {name: [row for row in rows if row["env_step"] <= stopped] for name, rows in whole.items()}
    sent = EndedRun(tracked.record(2, "failed"), broken, {})
    rows = EndedRun(tracked.record(2), whole, {}).rows()
    assert sent.rows() == rows[: len(sent.rows())]
    assert 0 < len(sent.rows()) < len(rows)


def test_curves_show_the_means_of_each_period() -> None:
    tables = tracked.tables(1)
    row = next(row for row in all_rows(tables) if "evaluation/return" in row)
    evaluated = [found["episode_return"] for found in tables["evaluations"][:2]]
    trained = [found["episode_return"] for found in tables["episodes"][:3]]
    assert row["evaluation/return"] == pytest.approx(sum(evaluated) / 2)
    assert row["training/return"] == pytest.approx(sum(trained) / 3)
    assert row["training/episodes"] == 3
    assert row["learner/a"] == tables["learner"][1]["a"], "what shares a step shares a row"


def test_every_factor_is_a_column_of_every_arm() -> None:
    first = Filing("s" * 99, "why?", "cartpole", "b=2", {"a": "x", "b": 2})
    second = Filing("t.u", "?", "cartpole", "baseline", {"b": 3, "c": 1})
    run = tracked_run(KEY, CONFIG, [first, second])
    assert (run.id, run.name) == ("CartPole-v1-0123456789ab-0007", "b=2 #7")
    assert run.group == f"{'s' * 99}/cartpole/b=2"
    assert (run.job_type, run.notes) == ("train", "why?")
    assert run.tags == ["s" * 64, "t.u", "CartPole-v1"]
    expected = {"arm": "b=2", "study": "s" * 99, "environment": "cartpole", "cell": KEY.cell, "seed": 7}
    expected |= {f"arm/{'s' * 99}": "b=2", "arm/t_u": "baseline"}
    expected |= {"factor/a": "x", "factor/b": 2, "factor/c": 1}
    assert run.config == expected | {"env/id": "CartPole-v1", "agent/learning_rate": 0.001}


def test_levels_are_numbers_where_they_can_be_and_the_baseline_has_its_own() -> None:
    factors = {
        "capacity": {"key": "replay.capacity", "levels": [16, 64, 500]},
        "rate": {"key": "agent.learning_rate", "levels": [0.001, 0.01]},
        "replay": {"key": "replay.kind", "levels": ["none", "uniform"]},
        "window": {"levels": {"whole": {}, "short": {"replay.kind": "recent"}}},
        "other": {"levels": {"small": {"replay.capacity": 32}}},
    }
    baseline = {"replay.kind": "uniform", "replay.capacity": 64, "agent.learning_rate": 0.001}
    declared = parse_study(STUDY | {"factors": factors, "baseline": baseline, "seeds": 1})
    plan = expand(declared, resolve)
    found = {
        arm.name: next(filings([plan], RunKey(arm.cell, 0))).factors
        for arm in plan.arms
        if arm.name in ("baseline", "capacity=500", "rate=0.01", "window=short")
    }
    expected = {"capacity": 64, "rate": 0.001, "replay": "uniform", "window": "whole"}
    expected |= {"other": "baseline"}
    assert found.pop("baseline") == expected
    assert found == {
        "capacity=500": expected | {"capacity": 500},
        "rate=0.01": expected | {"rate": 0.01},
        "window=short": expected | {"window": "short", "replay": "recent"},
    }
    assert not list(filings([plan], RunKey(plan.arms[0].cell, 1))), "a seed that no study asks for"


def test_the_summary_has_the_scores_and_how_the_run_ended() -> None:
    ended = EndedRun(tracked.record(1, "failed"), tracked.tables(1), {"final": 2.5})
    summary = ended.summary()
    assert summary["score/final"] == 2.5
    assert summary["status"] == "failed"
    assert summary["error"] == "ValueError: the last line"
    assert summary["peak_memory_mb"] == 200


def test_another_attempt_has_another_fingerprint_and_so_has_another_study() -> None:
    run = tracked_run(KEY, CONFIG, [FILED])
    assert fingerprint(tracked.record(1), run) == fingerprint(tracked.record(1), run)
    assert fingerprint(tracked.record(1), run) == fingerprint(tracked.record(1), replace(run, id="x~2"))
    assert fingerprint(tracked.record(1), run) != fingerprint(tracked.record(1, attempt=2), run)
    both = tracked_run(KEY, CONFIG, [FILED, replace(FILED, study="t")])
    assert fingerprint(tracked.record(1), run) != fingerprint(tracked.record(1), both)


LANES = 6
FAILED = 2


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two jobs of many lanes, one after the other; in the first a lane fails in mid-run."""
    root = tmp_path_factory.mktemp("mirrored")
    for job in range(2):
        seeds = range(LANES * job, LANES * (job + 1))
        runs = [
            tracked_run(RunKey(KEY.cell, seed), CONFIG, [replace(FILED, arm=f"arm {seed % 2}")])
            for seed in seeds
        ]
        sink = open_sink(TrackingConfig("offline", "p", None), runs, root)
        records, whole = Records(LANES), [tracked.tables(seed) for seed in seeds]
        for step in (100, 200, 300, 400):
            for lane, tables in enumerate(whole):
                if job == 0 and lane == FAILED and step > 200:
                    continue
                for name, rows in records.lanes[lane].tables().items():
                    rows[:] = [row for row in tables[name] if row["env_step"] <= step]
            sink.log(records)
        for lane, seed in enumerate(seeds):
            status = "failed" if job == 0 and lane == FAILED else "complete"
            sink.finish(lane, EndedRun(tracked.record(seed, status), records.lanes[lane].tables(), {}))
        sink.close()
    return root


@pytest.mark.parametrize("seed", range(2 * LANES))
def test_nothing_lands_in_a_neighbours_run(mirrored: Path, seed: int) -> None:
    of_run = wandb_id(RunKey(KEY.cell, seed))
    (directory,) = (path for id, path in directories(mirrored) if id == of_run)
    tables = tracked.tables(seed)
    if seed == FAILED:
        tables = {name: [row for row in rows if row["env_step"] <= 200] for name, rows in tables.items()}
        assert len(tables["learner"]) < len(tracked.tables(seed)["learner"])
    rows = tracked.offline_rows(directory)
    assert len(rows) > 1
    assert rows == all_rows(tables, final=seed != FAILED)


def test_all_that_the_client_writes_is_below_the_results(mirrored: Path) -> None:
    assert {path.name for path in mirrored.iterdir()} == {"wandb"}
    assert len(list(directories(mirrored))) == 2 * LANES


def test_a_run_that_is_trained_again_replaces_its_directory(tmp_path: Path) -> None:
    run = tracked_run(KEY, CONFIG, [FILED])
    for attempt in (1, 2):
        sink = open_sink(TrackingConfig("offline", "p", None), [run], tmp_path)
        sink.finish(0, EndedRun(tracked.record(7, attempt=attempt), tracked.tables(attempt), {}))
        sink.close()
    ((_, directory),) = directories(tmp_path)
    assert tracked.offline_rows(directory) == all_rows(tracked.tables(2))


def test_no_tracking_opens_nothing(tmp_path: Path) -> None:
    before = threading.active_count()
    sink = open_sink(TrackingConfig("disabled", "p", None), [], tmp_path)
    sink.log(Records(1))
    sink.finish(0, EndedRun(tracked.record(1), LaneRecords().tables(), {}))
    sink.close()
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []


def test_a_results_directory_that_cannot_be_written_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "wandb").write_text("a file where the directory should be")
    run = tracked_run(KEY, CONFIG, [FILED])
    sink = open_sink(TrackingConfig("offline", "p", None), [run], tmp_path)
    sink.log(Records(1))
    sink.finish(0, EndedRun(tracked.record(1), tracked.tables(1), {}))
    sink.close()
    (warning,) = caplog.messages
    assert "W&B is not tracking this job" in warning
    assert "replay-ablation sync`" in warning


def test_directories_of_like_named_runs_are_told_apart(tmp_path: Path) -> None:
    for name in ("offline-run-20260101_000000-b-0001", "run-20260101_000000-a-b-0001"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    assert {id: path.name for id, path in directories(tmp_path)} == {
        "b-0001": "offline-run-20260101_000000-b-0001",
        "a-b-0001": "run-20260101_000000-a-b-0001",
    }
