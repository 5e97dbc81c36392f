"""A run counts only where it lies as it was written; files are on the disk before they have a name."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ablation.config.identity import cell_name, name_of
from ablation.results.integrity import damage_of
from ablation.store.files import put_in_place, temporary
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.sweep.inventory import read_inventory
from ablation.sweep.job import run_job
from ablation.sweep.queue import JobSpec
from ablation.tracking import TrackingConfig
from ablation.training import checkpoint
from analysis.report.files import put_in_place_together

from . import tracked
from .conftest import Configure

CONFIG = {"env": {"id": "CartPole-v1"}, "agent": {"batch_size": 8}}
KEY = RunKey(name_of(CONFIG), 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.write_run(
        RunRecord(cell=KEY.cell, seed=1, status="complete", config=CONFIG), tracked.tables(1)
    )
    assert read_inventory(store, [KEY]).statuses == {KEY: "complete"}
    assert damage_of(store, KEY) is None
    return store


@pytest.mark.parametrize("other", [RunKey(KEY.cell, 2), RunKey("CartPole-v1-0123456789ab", 1)], ids=str)
def test_a_run_that_was_copied_from_another_seed_or_configuration_is_corrupt(
    store: Store, other: RunKey
) -> None:
    shutil.copytree(store.run_directory(KEY), store.run_directory(other))
    inventory = read_inventory(store, [other])
    assert inventory.statuses == {other: "corrupt"}
    assert f"run.json is that of '{KEY.cell}' seed 1" in inventory.damage[other]
    assert inventory.to_do == [other]


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"schema": 3}, "run.json has schema 3, this version reads 2: train again or use the version"),
    ({"schema": "2"}, "run.json has schema '2'"),
    ({"schema": None}, "run.json has schema None"),
    ({"attempt": "one"}, "run.json: attempt = 'one': input should be a valid integer"),
    ({"seed": True}, "run.json: seed = True: input should be a valid integer"),
    ({"checksums": {"episodes.parquet": 5}}, "run.json: checksums.episodes.parquet = 5"),
    ({"versions": []}, "run.json: versions = []: input should be an object"),
    ({"config": CONFIG | {"agent": {}}}, "the configuration in run.json is another one"),
    ({"config": {"env": "CartPole-v1"}}, "the configuration in run.json is another one"),
    ({"config": {}}, "the configuration in run.json is another one"),
]


@pytest.mark.parametrize(("changes", "damage"), CHANGES, ids=str)
def test_a_record_that_does_not_agree_with_its_place_is_corrupt_in_one_line(
    store: Store, changes: dict[str, Any], damage: str
) -> None:
    path = store.run_directory(KEY) / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    inventory = read_inventory(store, [KEY])
    assert inventory.statuses == {KEY: "corrupt"}
    assert damage in inventory.damage[KEY]
    assert "\n" not in inventory.damage[KEY]


@pytest.mark.parametrize("name", ["episodes", "evaluations", "learner"])
def test_a_table_of_another_size_is_seen_at_a_scan_and_a_flipped_bit_when_it_is_read(
    store: Store, name: str
) -> None:
    path = store.run_directory(KEY) / f"{name}.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + whole[len(whole) // 2 + 1 :])
    assert read_inventory(store, [KEY]).damage == {
        KEY: f"{name}.parquet is missing or of another size than run.json says"
    }
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    assert read_inventory(store, [KEY]).damage == {}
    assert damage_of(store, KEY) == f"{name}.parquet: another checksum than in run.json"


def test_files_and_their_names_are_flushed_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "run"
    final.mkdir()
    (final / "old").touch()
    tmp = temporary(final)
    tmp.mkdir()
    for name in ("a", "b"):
        (tmp / name).touch()
    said: list[str] = []
    opened = {os.stat(path).st_ino: path.name for path in (tmp / "a", tmp / "b", tmp_path)}
    opened[os.stat(tmp).st_ino] = "run's directory"
    replace = Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: said.append(opened[os.fstat(fd).st_ino]))
    monkeypatch.setattr(Path, "replace", lambda *paths: [said.append("renamed"), replace(*paths)])
    put_in_place(tmp, final, lambda: said.append("checked"))
    assert sorted(said[:2]) == ["a", "b"]
    assert said[2:] == ["run's directory", "checked", "renamed", tmp_path.name]
    assert {path.name for path in tmp_path.rglob("*")} == {"run", "a", "b"}


def test_what_a_check_refuses_is_not_stored(store: Store) -> None:
    def lost() -> None:
        raise KeyError("lost")

    other = RunRecord(cell=KEY.cell, seed=2, status="complete", config=CONFIG)
    with pytest.raises(KeyError):
        store.write_run(other, {}, check=lost)
    assert [path.name for path in store.run_directory(KEY).parent.iterdir()] == ["0001"]


def test_a_checkpoint_with_a_flipped_bit_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint.save(tmp_path, "cell", [0], {"x": torch.arange(1000.0)})
    path = tmp_path / checkpoint.NAME
    damaged = bytearray(path.read_bytes())
    place = bytes(damaged).index(torch.arange(500.0, 510.0).numpy().tobytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)
    with caplog.at_level(logging.WARNING):
        assert checkpoint.load(tmp_path, "cell", [0]) is None
    assert "its bytes are not those of its hash" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.SET_ASIDE]


def test_a_checkpoint_that_cannot_be_restored_costs_no_attempt(
    configure: Configure, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, tracking = configure(), TrackingConfig("disabled", "p", None)
    cell = cell_name(config)
    job = JobSpec("job", cell, [0, 1], "arm", {}, "s", "?", "cpu", 1e9)
    whole, again = Store(tmp_path / "whole"), Store(tmp_path / "again")
    run_job(config, job, tracking, whole)
    record = whole.read_record(RunKey(cell, 0))
    assert record is not None
    checkpoint.save(again.job_directory("job"), cell, [0, 1], {"agent": 5}, record.arithmetic)
    with caplog.at_level(logging.WARNING):
        run_job(config, job, tracking, again)
    assert "cannot be restored (" in caplog.text
    for seed in (0, 1):
        key = RunKey(cell, seed)
        stored = again.read_record(key)
        assert stored is not None
        assert (stored.status, stored.attempt) == ("complete", 1)
        for name in ("episodes", "evaluations", "learner"):
            assert again.read_table(key, name).equals(whole.read_table(key, name))


def report(directory: Path, files: dict[str, str], fails: bool = False) -> None:
    with put_in_place_together(directory) as beside:
        for name, text in files.items():
            (beside / name).write_text(text)
        if fails:
            raise KeyError


def test_a_report_replaces_its_own_files_and_no_other(tmp_path: Path) -> None:
    directory = tmp_path / "report"
    report(directory, {"index.html": "1", "curves.svg": "1", "table.csv": "1"})
    (directory / "notes.md").write_text("mine")
    (directory / "curves.svg").write_text("edited")
    (directory / "figures.svg").mkdir()
    with pytest.raises(KeyError):
        report(directory, {"index.html": "2"}, fails=True)
    assert (directory / "index.html").read_text() == "1"
    report(directory, {"index.html": "3"})
    found = {path.name: path.read_text() for path in directory.iterdir() if path.is_file()}
    found.pop(".written.json")
    assert found == {"index.html": "3", "notes.md": "mine", "curves.svg": "edited"}
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
