"""What a file, a server or a command line calls something never leads out of the results directory."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from ablation.results.outside.data import DamagedImport
from ablation.results.outside.data import read as read_outside
from ablation.store.files import read_json, write_json
from ablation.store.keys import BadName, check_name
from ablation.store.runs import RunKey, Store
from ablation.study.expand import expand
from ablation.study.history import save_plan
from ablation.sweep.queue import queue_path, resumable
from ablation.sweep.worker import state_path
from ablation.tracking.runs import wandb_id
from analysis.report.report import write_report
from analysis.wandb import transfer
from analysis.wandb.upload import _files

from . import tracked
from .analysis_helpers import STUDY, make_store, outcome, resolve
from .conftest import Command
from .studies import study
from .wandb_server import LoopbackServer

PATHS = [
    "../x",
    "..",
    ".",
    "",
    "/etc/x",
    "a/b",
    "a\\b",
    ".hidden",
    "a\0b",
    "a\n",
    "-rf",
    "x" * 201,
    "\udc80",
]
SEEDS: list[Any] = [-1, True, "3", 1.0, None, 2**63]


@pytest.mark.parametrize("name", PATHS)
def test_a_name_that_could_be_a_path_makes_no_key(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    calls = [
        lambda: RunKey(name, 0),
        lambda: store.study_directory(name),
        lambda: store.job_directory(name),
        lambda: queue_path(store, name),
        lambda: state_path(store, name),
        lambda: check_name("hash", name),
    ]
    for call in calls:
        with pytest.raises(BadName, match="must be letters, digits"):
            call()
    assert RunKey.of_names(name, "0000") is None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(BadName, match="must be a whole number"):
        RunKey("c", seed)


@pytest.mark.parametrize("seed", ["7", "00007", "007x", "-001", "٣٣٣٣", "9" * 5000])
def test_only_seeds_as_we_write_them_name_runs(seed: str) -> None:
    assert RunKey.of_names("c", seed) is None
    assert RunKey.of_names("c", "0007") == RunKey("c", 7)


def test_nothing_is_written_or_moved_through_a_link_that_leads_out(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "results"
    (outside / "0001").mkdir(parents=True)
    (outside / "0001" / "thesis.tex").write_text("mine")
    plan = make_store(root, STUDY, lambda *_: "missing")
    store, cell = Store(root), plan.arms[0].cell
    (root / "runs").mkdir()
    (root / "runs" / cell).symlink_to(outside)
    record = tracked.record(1, key=RunKey(cell, 1), config=plan.cells[cell])
    for call in (lambda: store.write_run(record, {}), lambda: store.quarantine(RunKey(cell, 1))):
        with pytest.raises(BadName, match="a link leads out of"):
            call()
    (root / "studies" / "s" / "report").symlink_to(outside)
    with pytest.raises(BadName, match="a link leads out of"):
        write_report(root, "s")
    assert [path.name for path in outside.rglob("*")] == ["0001", "thesis.tex"]


def test_directories_of_others_are_neither_runs_nor_moved_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in (
        "notes/2024",
        "CartPole-v1-0123456789ab/7",
        "notes/.2024.5",
        "x-0123456789ab/.2024.old",
    ):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert [key.cell for key in store.run_keys()] == ["notes"], "counted only if it is asked for"
    assert list(store.half_written()) == []


def test_links_are_not_uploaded(tmp_path: Path) -> None:
    secret, root = tmp_path / "id_rsa", tmp_path / "results"
    secret.write_text("secret")
    plan = make_store(root, STUDY, outcome)
    report = write_report(root, "s").parent
    first = Store(root).run_directory(next(iter(plan.runs())))
    (first / "learner.parquet").unlink()
    for place in (report / "key.md", first / "learner.parquet", first / "key"):
        place.symlink_to(secret)
    directories = [Store(root).run_directory(key) for key in plan.runs()]
    files = _files(Store(root), [path for each in [report, *directories] for path in each.glob("*")])
    assert len(files) > 20
    assert secret not in {path.resolve() for path in files.values()}


def test_the_hash_of_a_stored_plan_is_no_path(tmp_path: Path) -> None:
    store = Store(tmp_path / "a" / "b" / "results")
    path = store.study_directory("s") / "plan.json"
    plan = expand(study(), resolve)
    for hash in ("../../../../../pwned", "/pwned", 5, None):
        write_json(path, plan.as_json() | {"hash": hash, "history": "none"})
        save_plan(store, expand(study(seeds=2), resolve), "again")
        assert read_json(path)["history"][-1]["command"] == "again"
    assert len(list((path.parent / "plans").iterdir())) == 4, "what was there is kept"
    files = {file.parent.name for file in tmp_path.rglob("*") if file.is_file()}
    assert files == {"s", "plans"}


BROKEN: list[Any] = [
    [],
    5,
    "text",
    {},
    {"hash": "../x"},
    {"arms": 3},
    {"arms": [3]},
    {"cell": "../../x"},
    {"seeds": ["1"]},
    {"seeds": [-1]},
    {"study": []},
    {"study": {"name": "../x"}},
    {"cells": "none"},
    {"merged": [[]]},
]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
@pytest.mark.parametrize("words", [["report", "s"], ["wandb-report", "s", "--dry-run"]], ids=str)
def test_a_plan_with_values_of_a_wrong_type_is_one_line(
    tmp_path: Path,
    broken: Any,
    words: list[str],
    command: Command,
) -> None:
    plan = expand(study(), resolve).as_json()
    if isinstance(broken, dict) and broken:
        for key in ("cell", "seeds"):
            if key in broken:
                plan["arms"][0] |= {key: broken.pop(key)}
        if isinstance(broken.get("study"), dict):
            broken = {"study": plan["study"] | broken["study"]}
        broken = plan | broken
    write_json(tmp_path / "studies" / "s" / "plan.json", broken)
    refused = command(*words, "--results", str(tmp_path), status=2)
    assert len(refused.strip().splitlines()) == 1


@pytest.mark.parametrize("words", [["report"], ["scores"], ["wandb-report", "--dry-run"]], ids=str)
def test_a_study_of_the_command_line_is_no_path(
    tmp_path: Path, words: list[str], command: Command
) -> None:
    make_store(tmp_path / "other", STUDY, outcome)
    root = tmp_path / "results"
    refused = command(*words, "../../other/studies/s", "--results", str(root), status=2)
    assert "study = '../../other/studies/s': must be letters" in refused
    assert not root.exists()


def test_a_job_file_of_others_is_not_resumed(tmp_path: Path) -> None:
    for number, job in enumerate([{"cell": "../x", "seeds": [1]}, {"seeds": "x"}, [], None, "..."]):
        directory = tmp_path / "jobs" / f"job{number}"
        write_json(directory / "job.json", {"job": job})
        (directory / "checkpoint.pt").touch()
    (tmp_path / "jobs" / ".x").mkdir()
    (tmp_path / "jobs" / ".x" / "checkpoint.pt").touch()
    assert resumable(Store(tmp_path)) == {}


@pytest.mark.parametrize("about", [{"tables": {"../../x": "0"}}, {"tables": []}, {"tables": {}}, {}])
def test_an_import_that_others_changed_is_refused(tmp_path: Path, about: dict[str, Any]) -> None:
    write_json(tmp_path / "outside" / "s" / "import.json", {"schema": 1} | about)
    with pytest.raises(DamagedImport, match="import the files again"):
        read_outside(Store(tmp_path), "s")


PLAN = "studies/s/plan.json"


class Artifact:
    """A study's artifact, as a server has it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.manifest = SimpleNamespace(entries=dict.fromkeys(files, SimpleNamespace(ref=None)))

    def download(self, root: str, path_prefix: str, skip_cache: bool) -> None:
        for name, data in self.files.items():
            if name.startswith(path_prefix):
                (Path(root) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(root) / name).write_bytes(data)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files that a server has of seven runs and their study."""
    root = tmp_path_factory.mktemp("sent")
    tracked.made_store(root)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.[jp]*")}


def pull(
    served: dict[str, bytes],
    changes: dict[str, str],
    root: Path,
    capsys: pytest.CaptureFixture[str],
) -> tuple[str, str]:
    """Pull what is served with one file changed, which fails; return the count and the reason."""
    artifact = Artifact(served | {name: text.encode() for name, text in changes.items()})
    study = SimpleNamespace(id="study-s", job_type="study")
    api = SimpleNamespace(runs=lambda *_, **__: [study], artifact=lambda _: artifact)
    with patch("analysis.wandb.pull.client.api", lambda *_: api):
        assert transfer.pull("one/two", root) == 1
    printed = capsys.readouterr()
    (reason,) = [line for line in printed.err.splitlines() if line.startswith("failed ")]
    return printed.out, reason


RECORDS: list[Any] = [
    {"cell": "../../../x"},
    {"cell": "/tmp/x"},
    {"cell": "CartPole-v1-0123456789ab"},
    {"seed": -1},
    {"seed": "0"},
    {"status": "done"},
    {"config": {}},
    {"config": []},
    {"checksums": {"episodes.parquet": 5}},
    "[]",
    "{",
    "[" * 10_000,
    5,
]


@pytest.mark.parametrize("changed", RECORDS, ids=lambda value: str(value)[:40])
def test_a_hostile_run_on_the_server_is_named_and_the_others_are_pulled(
    served: dict[str, bytes], tmp_path: Path, changed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    name = next(name for name in sorted(served) if name.endswith("run.json"))
    if isinstance(changed, dict):
        changed = json.dumps(json.loads(served[name]) | changed)
    root = tmp_path / "a" / "b" / "results"
    taken = root / "runs" / "0007"
    taken.mkdir(parents=True)
    out, reason = pull(served, {name: str(changed)}, root, capsys)
    assert "6 runs fetched, 0 skipped (there already), 1 failed." in out
    _, cell, seed, _ = name.split("/")
    assert reason.startswith(f"failed {cell}-{seed}: ")
    assert taken.exists()
    assert not (root / "quarantine").exists()
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"b"}
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {"results"}


@pytest.mark.parametrize("name", ["../../../x", "/tmp/x", "s\x1b[2J", None, "garbage"])
def test_a_hostile_study_on_the_server_is_named_and_the_runs_are_pulled(
    served: dict[str, bytes], tmp_path: Path, name: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = json.loads(served[PLAN])
    plan["study"]["name"] = name
    text = "{" if name == "garbage" else json.dumps(plan)
    out, reason = pull(served, {PLAN: text}, tmp_path, capsys)
    assert "7 runs fetched, 0 skipped (there already), 1 failed." in out
    assert reason.startswith("failed study-s: ")
    assert "\x1b" not in reason
    assert not (tmp_path / "studies").exists()


def test_what_is_stored_badly_is_named_by_sync_and_the_others_are_sent(tmp_path: Path) -> None:
    plan = tracked.made_store(tmp_path, seeds=1)
    first = next(iter(plan.runs()))
    (Store(tmp_path).run_directory(first) / "run.json").write_text("[]")
    write_json(tmp_path / "studies" / "t" / "plan.json", {"hash": "../x"})
    with LoopbackServer() as server:
        done = tracked.analysis("sync", "--results", str(tmp_path), environment=server.environment)
    assert done.returncode == 1
    assert "3 sent, 0 skipped (there already), 2 failed." in done.stdout
    assert f"failed {wandb_id(first)}: run.json is missing or cannot be read" in done.stderr
    assert "failed study-t: " in done.stderr
    assert "hash = '../x': must be letters" in done.stderr
