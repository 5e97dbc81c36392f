"""A run is on disk whole or not at all, in the columns of the contract."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ablation.config.identity import name_of
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.store.tables import EPISODE_COLUMNS, EVALUATION_COLUMNS
from ablation.sweep.inventory import read_inventory

CONFIG = {"env": {"id": "CartPole-v1"}}
KEY = RunKey(name_of(CONFIG), 7)
EPISODE = dict(zip(EPISODE_COLUMNS, (9, 3, 0, 9.0, 9, True, False), strict=True))
LEARNER = {"env_step": 5, "gradient_step": 1, "loss": 0.5}


def run(status: str, attempt: int = 1) -> RunRecord:
    return RunRecord(cell=KEY.cell, seed=KEY.seed, status=status, attempt=attempt, config=CONFIG)


def test_a_run_is_stored_under_its_cell_and_four_digit_seed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    directory = store.write_run(run("complete"), {"episodes": [EPISODE], "learner": [LEARNER]})
    assert directory == tmp_path / "runs" / KEY.cell / "0007"
    assert {path.name for path in directory.iterdir()} == {
        "run.json",
        "episodes.parquet",
        "evaluations.parquet",
        "learner.parquet",
    }
    record = store.read_record(KEY)
    assert record is not None
    assert (record.schema, record.cell, record.seed) == (2, KEY.cell, 7)
    assert store.read_table(KEY, "episodes").to_pylist() == [EPISODE]
    assert store.read_table(KEY, "learner").to_pylist() == [LEARNER]
    assert store.read_table(KEY, "evaluations").column_names == list(EVALUATION_COLUMNS)
    assert list(store.run_keys()) == [KEY]


def test_a_later_attempt_replaces_an_earlier_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_run(run("failed"), {"episodes": [EPISODE]})
    store.write_run(run("complete"), {})
    record = store.read_record(KEY)
    assert record is not None
    assert record.status == "complete"
    assert store.read_table(KEY, "episodes").num_rows == 0


def test_a_write_that_breaks_off_leaves_the_earlier_run_and_no_debris(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.write_run(run("failed", attempt=1), {})

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ablation.store.runs.write_json", full_disk)
    with pytest.raises(OSError, match="No space"):
        store.write_run(run("failed", attempt=2), {})
    record = store.read_record(KEY)
    assert record is not None
    assert record.attempt == 1
    assert [path.name for path in (tmp_path / "runs" / KEY.cell).iterdir()] == ["0007"]
    assert list(store.run_keys()) == [KEY]


def test_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    directory = store.write_run(run("complete"), {})
    (directory / "run.json").write_text('{"status": "comp')
    assert store.read_record(KEY) is None


def test_a_run_with_data_that_counts_is_never_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_run(run("complete", attempt=1), {"episodes": [EPISODE]})
    store.write_run(run("failed", attempt=2), {})
    record, damage = store.inspect(KEY)
    assert record is not None
    assert (record.status, record.attempt, damage) == ("complete", 1, None)
    assert store.read_table(KEY, "episodes").num_rows == 1


@pytest.mark.parametrize(
    ("name", "content", "damage"),
    [
        ("run.json", b'{"status": "comp', "run.json is missing or cannot be read"),
        ("run.json", None, "run.json is missing or cannot be read"),
        ("run.json", b'{"status": "done"}', "run.json has the status 'done'"),
        (
            "run.json",
            b'{"schema": 1, "status": "complete"}',
            "run.json has schema 1, this version reads 2: train again or use the version that wrote it",
        ),
        ("episodes.parquet", None, "episodes.parquet is missing or of another size"),
        ("learner.parquet", b"", "learner.parquet is missing or of another size"),
        ("learner.parquet", b"PAR1 and then the power went", "learner.parquet is missing or of"),
    ],
)
def test_a_damaged_run_is_named_quarantined_whole_and_can_be_trained_again(
    tmp_path: Path, name: str, content: bytes | None, damage: str
) -> None:
    store = Store(tmp_path)
    directory = store.write_run(run("complete"), {"episodes": [EPISODE]})
    (directory / name).unlink()
    if content is not None:
        (directory / name).write_bytes(content)
    inventory = read_inventory(store, [KEY])
    assert inventory.statuses == {KEY: "corrupt"}
    assert damage in inventory.damage[KEY]
    assert inventory.to_do == [KEY]
    left = {path.name for path in directory.iterdir()}
    moved = store.quarantine(KEY)
    assert moved.parent == tmp_path / "quarantine"
    assert moved.name.startswith(f"{KEY.cell}-0007-")
    assert {path.name for path in moved.iterdir()} == left
    assert read_inventory(store, [KEY]).statuses == {KEY: "missing"}


def test_a_record_has_the_checksum_of_each_table_and_a_changed_table_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    directory = store.write_run(run("complete"), {"episodes": [EPISODE]})
    record = store.read_record(KEY)
    assert record is not None
    assert record.checksums == {
        path.name: f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_size}"
        for path in directory.glob("*.parquet")
    }
    assert store.altered_tables(KEY) == []
    shutil.copy(directory / "evaluations.parquet", directory / "episodes.parquet")
    assert store.altered_tables(KEY) == ["episodes.parquet"]


def test_writing_over_a_damaged_run_quarantines_it_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.write_run(run("complete"), {}) / "episodes.parquet").unlink()
    store.write_run(run("complete"), {})
    assert store.inspect(KEY)[1] is None
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_what_a_killed_writer_left_is_found_counted_as_nothing_and_quarantined(tmp_path: Path) -> None:
    store = Store(tmp_path)
    tmp = store.run_directory(KEY).with_name(f".0007.{uuid4().hex}")
    tmp.mkdir(parents=True)
    (tmp / "episodes.parquet").write_bytes(b"PAR1")
    assert list(store.run_keys()) == []
    assert read_inventory(store, [KEY]).statuses == {KEY: "missing"}
    assert list(store.half_written()) == [(KEY, tmp)]
    moved = store.quarantine(KEY, tmp)
    assert [path.name for path in moved.iterdir()] == ["episodes.parquet"]
    assert list(store.half_written()) == []


def test_a_record_is_read_as_it_was_written() -> None:
    record = RunRecord(cell="c", seed=3, status="complete", config={"env": {"id": "X"}}, git_dirty=False)
    text = json.dumps(record.as_json())
    assert RunRecord.from_json(text) == record
    assert "wandb_id" not in record.as_json(), "only the job of a run can say it"
    assert RunRecord().setting("env", "id") is None
    assert record.setting("env", "id") == "X"
