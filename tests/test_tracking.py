"""What W&B is told of a run: rows that lose nothing, and runs that never mix."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ablation.store.records import LaneRecords, Records
from ablation.store.run_record import Refused
from ablation.store.runs import TABLES, RunKey, Store
from ablation.tracking import TrackingConfig, open_sink
from ablation.tracking.mirrors import Directory, directories
from ablation.tracking.rows import CARRIED, RowFeed, all_rows, leftover, tables_of
from ablation.tracking.runs import (
    RECORD,
    EndedRun,
    digest,
    fingerprint,
    tables_from,
    tracked_run,
    wandb_id,
)
from analysis.wandb.pull import Pulled, _pull_run

from . import tracked

KEY = RunKey("CartPole-v1-0123456789ab", 7)
CONFIG = {"env": {"id": "CartPole-v1"}, "agent": {"learning_rate": 0.001}}


def bits(tables: Any) -> str:
    return repr({name: [list(row.items()) for row in rows] for name, rows in tables.items()})


@pytest.mark.parametrize("periods", [1, 2, 5])
def test_rows_carry_every_bit_of_the_tables(periods: int) -> None:
    tables = tracked.tables(3, periods)
    sent = json.loads(json.dumps(all_rows(tables)))
    assert bits(tables_of(sent)) == bits(tables)


def test_a_run_without_rows_and_one_with_a_single_table_survive() -> None:
    assert all_rows({name: [] for name in TABLES}) == []
    for name in TABLES:
        tables = {other: tracked.tables(0)[other] if other == name else [] for other in TABLES}
        assert bits(tables_of(all_rows(tables))) == bits(tables)


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
    assert bits(tables_from(sent.rows(), sent.summary())) == bits(broken), "the rest is in the summary"


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
    run = tracked_run(KEY, CONFIG, "b=2", {"b": "2"}, ["a", "b"], "s" * 99, "why?")
    assert (run.id, run.name, run.group) == ("CartPole-v1-0123456789ab-0007", "b=2 #7", "b=2")
    assert (run.job_type, run.notes, run.tags) == ("train", "why?", ["s" * 64, "CartPole-v1"])
    expected = {"arm": "b=2", "study": "s" * 99, "cell": KEY.cell, "seed": 7}
    expected |= {"factor/a": "baseline", "factor/b": "2"}
    assert run.config == expected | {"env/id": "CartPole-v1", "agent/learning_rate": 0.001}


def test_the_summary_has_the_scores_and_how_the_run_ended() -> None:
    ended = EndedRun(tracked.record(1, "failed"), tracked.tables(1), {"final": 2.5})
    summary = ended.summary()
    assert summary["score/final"] == 2.5
    assert summary["status"] == "failed"
    assert summary["error"] == "ValueError: the last line"
    assert summary["peak_memory_mb"] == 200
    assert json.loads(summary["run_json"]) == ended.record.as_json()
    assert summary["rows_sha256"] == digest(ended.tables)


def test_another_attempt_has_another_fingerprint() -> None:
    assert fingerprint(tracked.record(1)) == fingerprint(tracked.record(1))
    assert fingerprint(tracked.record(1)) != fingerprint(tracked.record(1, attempt=2))


LANES = 6
FAILED = 2


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two jobs of many lanes, one after the other; in the first a lane fails in mid-run."""
    root = tmp_path_factory.mktemp("mirrored")
    for job in range(2):
        seeds = range(LANES * job, LANES * (job + 1))
        runs = [
            tracked_run(RunKey(KEY.cell, seed), CONFIG, f"arm {seed % 2}", {}, [], "s", "?")
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
    (directory,) = directories(mirrored, wandb_id(RunKey(KEY.cell, seed)))
    periods = [row for row in tracked.tables(seed)["learner"] if row["env_step"] <= 200]
    tables = tracked.tables(seed)
    if seed == FAILED:
        tables = {name: [row for row in rows if row["env_step"] <= 200] for name, rows in tables.items()}
        assert len(tables["learner"]) == len(periods) < len(tracked.tables(seed)["learner"])
    rows = tracked.offline_rows(directory.path)
    left = leftover(tables) if seed == FAILED else {}
    assert bits(tables_of([*rows, left])) == bits(tables)
    assert [row for row in rows if CARRIED + "episodes" in row]
    status = "failed" if seed == FAILED else "complete"
    assert directory.holds == fingerprint(tracked.record(seed, status))


def test_all_that_the_client_writes_is_below_the_results(mirrored: Path) -> None:
    assert {path.name for path in mirrored.iterdir()} == {"wandb"}
    assert len(list(directories(mirrored))) == 2 * LANES


def test_a_run_that_is_trained_again_replaces_its_directory(tmp_path: Path) -> None:
    run = tracked_run(KEY, CONFIG, "arm", {}, [], "s", "?")
    for attempt in (1, 2):
        sink = open_sink(TrackingConfig("offline", "p", None), [run], tmp_path)
        sink.finish(0, EndedRun(tracked.record(7, attempt=attempt), tracked.tables(attempt), {}))
        sink.close()
    (directory,) = directories(tmp_path)
    assert bits(tables_of(tracked.offline_rows(directory.path))) == bits(tracked.tables(2))
    assert directory.holds == fingerprint(tracked.record(7, attempt=2))


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
    run = tracked_run(KEY, CONFIG, "arm", {}, [], "s", "?")
    sink = open_sink(TrackingConfig("offline", "p", None), [run], tmp_path)
    sink.log(Records(1))
    sink.finish(0, EndedRun(tracked.record(1), tracked.tables(1), {}))
    sink.close()
    (warning,) = caplog.messages
    assert "W&B is not tracking this job" in warning
    assert "`make sync`" in warning


def test_directories_of_like_named_runs_are_told_apart(tmp_path: Path) -> None:
    for name in ("offline-run-20260101_000000-b-0001", "run-20260101_000000-a-b-0001"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    assert [found.path.name for found in directories(tmp_path, "b-0001")] == [
        "offline-run-20260101_000000-b-0001"
    ]
    assert Directory(tmp_path / "wandb" / "run-20260101_000000-a-b-0001").id == "a-b-0001"


def test_a_run_of_another_schema_is_not_pulled_and_says_why(tmp_path: Path) -> None:
    sent = tracked.record(3).as_json() | {"schema": 1}
    run = SimpleNamespace(id="x", summary_metrics={RECORD: json.dumps(sent)})
    with pytest.raises(Refused, match=r"run\.json has schema 1, this version reads 2"):
        _pull_run(Store(tmp_path), run, Pulled())
    assert not (tmp_path / "runs").exists()
