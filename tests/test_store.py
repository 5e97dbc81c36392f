"""A run is on disk whole or not at all, in the columns of the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ablation.store import EPISODE_COLUMNS, EVALUATION_COLUMNS, RunKey, Store

KEY = RunKey("CartPole-v1-0123456789ab", 7)
EPISODE = dict(zip(EPISODE_COLUMNS, (9, 3, 0, 9.0, 9, True, False), strict=True))
LEARNER = {"env_step": 5, "gradient_step": 1, "loss": 0.5}


def test_a_run_is_stored_under_its_cell_and_four_digit_seed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    directory = store.write_run(
        KEY, {"status": "complete"}, {"episodes": [EPISODE], "learner": [LEARNER]}
    )
    assert directory == tmp_path / "runs" / KEY.cell / "0007"
    assert {path.name for path in directory.iterdir()} == {
        "run.json",
        "episodes.parquet",
        "evaluations.parquet",
        "learner.parquet",
    }
    record = store.read_record(KEY)
    assert record is not None
    assert (record["schema"], record["cell"], record["seed"]) == (1, KEY.cell, 7)
    assert store.read_table(KEY, "episodes").to_pylist() == [EPISODE]
    assert store.read_table(KEY, "learner").to_pylist() == [LEARNER]
    assert store.read_table(KEY, "evaluations").column_names == list(EVALUATION_COLUMNS)
    assert list(store.run_keys()) == [KEY]


def test_a_later_attempt_replaces_an_earlier_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_run(KEY, {"status": "failed"}, {"episodes": [EPISODE]})
    store.write_run(KEY, {"status": "complete"}, {})
    record = store.read_record(KEY)
    assert record is not None
    assert record["status"] == "complete"
    assert store.read_table(KEY, "episodes").num_rows == 0


def test_a_write_that_breaks_off_leaves_the_earlier_run_and_no_debris(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.write_run(KEY, {"status": "complete"}, {})

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ablation.store.write_json", full_disk)
    with pytest.raises(OSError, match="No space"):
        store.write_run(KEY, {"status": "failed"}, {})
    record = store.read_record(KEY)
    assert record is not None
    assert record["status"] == "complete"
    assert [path.name for path in (tmp_path / "runs" / KEY.cell).iterdir()] == ["0007"]
    assert list(store.run_keys()) == [KEY]


def test_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    directory = store.write_run(KEY, {"status": "complete"}, {})
    (directory / "run.json").write_text('{"status": "comp')
    assert store.read_record(KEY) is None
