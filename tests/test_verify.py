"""`replay-ablation verify`: stored runs are trained again and compared bit by bit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from ablation.cli.open_study import open_study
from ablation.cli.repair import repair
from ablation.cli.verify import verify
from ablation.config.validation import ConfigError
from ablation.store.files import read_json, write_json
from ablation.store.runs import RunKey, Store
from ablation.sweep.job import run_job
from ablation.sweep.queue import JobSpec
from ablation.sweep.verification import first_difference, stored_runs
from ablation.tracking import TrackingConfig

from .golden import CONF
from .sweeps import SHORT, run

WORDS = ["replay=uniform,none", "study.seeds=3", *SHORT]


def words(results: Path, *others: str) -> list[str]:
    return [*WORDS, f"results_dir={results}", *others]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results directory with both configurations of a study, three seeds each."""
    results = tmp_path_factory.mktemp("results")
    plan = open_study(str(CONF), words(results)).plans[-1]
    for arm in plan.arms:
        job = JobSpec(arm.cell, arm.cell, arm.seeds, arm.name, arm.levels, "s", "?", "cpu", 1e9)
        tracking = TrackingConfig("disabled", "p", None)
        run_job(plan.configured[arm.cell].config, job, tracking, Store(results))
    return results


@pytest.fixture
def results(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "results"))


def first_run(results: Path) -> tuple[str, Path]:
    """Return the name and directory of the run that is chosen first."""
    study = open_study(str(CONF), words(results))
    stored = next(iter(stored_runs(study.plans, study.store).values()))
    return stored.name, study.store.run_directory(stored.key)


def flip_last_bit(path: Path, column: str, row: int) -> None:
    table = pyarrow.parquet.read_table(path, partitioning=None)
    numbers = table[column].to_numpy().copy()
    numbers[row] = np.nextafter(numbers[row], np.inf)
    place = table.column_names.index(column)
    pyarrow.parquet.write_table(table.set_column(place, column, pyarrow.array(numbers)), path)


def test_equal_runs_have_a_line_each_and_exit_status_0(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(str(CONF), words(results, "runs=2")) == 0
    first, one, two, last = capsys.readouterr().out.splitlines()
    assert first == "Trains 2 runs of 6 stored ones again."
    assert one.endswith("equal in every bit")
    assert two.endswith("equal in every bit")
    assert one != two
    assert last == "2 runs equal in every bit, 0 different."
    assert len(list(Store(results).run_keys())) == 6


def test_one_flipped_bit_is_named_by_file_row_and_column(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, directory = first_run(results)
    flip_last_bit(directory / "learner.parquet", "gradient_norm", 2)
    assert verify(str(CONF), words(results, f"runs={name}")) == 1
    printed = capsys.readouterr().out
    assert "DIFFERENT: learner.parquet, row 2, column gradient_norm: stored " in printed
    assert "the file is not the one that run.json has the checksum of" in printed
    assert "0 runs equal in every bit, 1 different." in printed


def test_other_arithmetic_and_unreadable_runs_are_named(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, directory = first_run(results)
    record = read_json(directory / "run.json")
    write_json(directory / "run.json", record | {"arithmetic": "b" * 12})
    assert verify(str(CONF), words(results, f"runs={name}")) == 0
    assert f"other arithmetic: {name}: stored is bbbbbbbbbbbb" in capsys.readouterr().out
    write_json(directory / "run.json", record | {"schema": 1})
    assert verify(str(CONF), words(results, f"runs={name}")) == 1
    assert "run.json has schema 1, this version reads 2" in capsys.readouterr().out


@pytest.mark.parametrize("asked", ["0", "-1", "some", "CartPole-v1-000000000000/0000"])
def test_runs_that_are_not_there_are_refused(trained: Path, asked: str) -> None:
    with pytest.raises(ConfigError, match=f"runs = {asked}: .*names of stored ones"):
        verify(str(CONF), words(trained, f"runs={asked}"))


def test_a_run_of_the_plan_that_is_not_stored_is_refused(results: Path) -> None:
    name, directory = first_run(results)
    shutil.rmtree(directory)
    with pytest.raises(ConfigError, match=f"runs = {name}: "):
        verify(str(CONF), words(results, f"runs={name}"))


def test_a_study_without_stored_runs_says_how_it_was_swept(results: Path) -> None:
    study = open_study(str(CONF), words(results, "agent.discount=0.5"))
    saved = study.plans[-1].as_json("replay-ablation sweep study=s") | {"hash": "0"}
    write_json(study.store.study_directory(study.plans[-1].study.name) / "plan.json", saved)
    with pytest.raises(ConfigError, match="it was swept by `replay-ablation sweep study=s`"):
        verify(str(CONF), words(results, "agent.discount=0.5", "runs=1"))


def test_an_unknown_study_ends_with_exit_status_2_and_one_line(tmp_path: Path) -> None:
    done = run("verify", "study=nope", "runs=2", f"results_dir={tmp_path}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: study = nope: allowed: ")
    assert len(done.stderr.splitlines()) == 1


def test_which_runs_are_chosen_follows_from_the_plan_alone(trained: Path) -> None:
    study = open_study(str(CONF), words(trained))
    names = list(stored_runs(study.plans, study.store))
    assert names == list(stored_runs(study.plans, Store(trained)))
    assert len({name.split("/")[0] for name in names[:4]}) == 2
    assert names != sorted(names)


@pytest.mark.parametrize(
    ("again", "said"),
    [
        ({"x": [1.0, None, float("nan")], "n": [1, 2, 3]}, None),
        ({"x": [1.0, 2.0, float("nan")], "n": [1, 2, 4]}, "row 1, column x: stored None"),
        ({"x": [1.0, None, 0.0], "n": [0, 2, 3]}, "row 0, column n: stored 1, trained again 0"),
        ({"x": [1.0, None], "n": [1, 2]}, "row 2: stored 3 rows, trained again 2"),
        ({"y": [1.0, None, float("nan")], "n": [1, 2, 3]}, "columns: stored ['x', 'n']"),
        ({"x": [1.0, None, -0.0], "n": [1, 2, 3]}, "row 2, column x: stored nan"),
    ],
)
def test_the_first_difference_of_two_tables(again: dict[str, Any], said: str | None) -> None:
    stored = pyarrow.table({"x": [1.0, None, float("nan")], "n": [1, 2, 3]})
    found = first_difference(stored, pyarrow.table(again))
    assert found is None if said is None else str(found).startswith(said)


def test_a_zero_of_the_other_sign_differs() -> None:
    one, two = pyarrow.table({"x": [0.0]}), pyarrow.table({"x": [-0.0]})
    assert first_difference(one, two) == "row 0, column x: stored 0.0, trained again -0.0"


def test_a_run_of_a_plan_is_named_by_its_directory(trained: Path) -> None:
    name, directory = first_run(trained)
    assert Store(trained).run_directory(RunKey(*_parts(name))) == directory


def _parts(name: str) -> tuple[str, int]:
    cell, _, seed = name.partition("/")
    return cell, int(seed)


def test_repair_reads_every_byte_and_sets_aside_what_is_damaged(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repair(str(CONF), words(results))
    assert capsys.readouterr().out == "6 runs checked, 0 set aside.\n"
    name, directory = first_run(results)
    path = directory / "learner.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    foreign = results / "runs" / "notes" / "2024"
    foreign.mkdir(parents=True)
    half = directory.with_name(f".{directory.name}.{'0' * 32}")
    half.mkdir()
    repair(str(CONF), words(results))
    one, two, last = capsys.readouterr().out.splitlines()
    cell, _, seed = name.partition("/")
    assert one.startswith(f"{cell} seed {int(seed)}: learner.parquet: another checksum than in run.json")
    assert two.startswith(f"{cell} seed {int(seed)}: half written; moved to ")
    assert last == "6 runs checked, 2 set aside; the next sweep trains them again."
    assert not directory.exists()
    assert foreign.exists()
    assert len(list((results / "quarantine").iterdir())) == 2
