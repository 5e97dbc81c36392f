"""With a server: what is sent, sent again, reported and fetched back."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ablation.results.load import load
from ablation.store.files import write_json
from ablation.store.runs import RunKey, Store
from ablation.tracking.client import CARRIES_ROWS, FINGERPRINT
from ablation.tracking.mirrors import Busy, directories, lock_upload
from ablation.tracking.runs import EndedRun, TrackedRun, wandb_id
from ablation.tracking.sink import WandbSink
from analysis.wandb import sync as sync_module
from analysis.wandb.upload import ended_run

from . import tracked
from .wandb_server import ENTITY, Fault, LoopbackServer

PROJECT = "replay-ablation"
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running
    assert running.unknown == []


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mirrored") / "results"
    tracked.made_store(root)
    return root


def analysis(server: LoopbackServer, *words: str) -> tracked.Done:
    return tracked.analysis(*words, environment=server.environment)


def sync(server: LoopbackServer, results: Path, *words: str) -> tracked.Done:
    return analysis(server, "sync", "--results", str(results), *words)


def files(root: Path) -> dict[str, bytes]:
    paths = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a line of a history without the client's own columns."""
    return {name: value for name, value in row.items() if not name.startswith("_")}


def assert_served(server: LoopbackServer, results: Path) -> None:
    """Every stored run is on the server: complete, its own, and closed as it ended."""
    store = Store(results)
    for key in store.run_keys():
        run, ended = server.run(wandb_id(key)), ended_run(store, key)
        assert [row["_step"] for row in run.history] == list(range(len(ended.rows())))
        assert [shown(row) for row in run.history] == [shown(row) for row in ended.rows()]
        assert run.summary["status"] == ended.record.status
        assert FINGERPRINT in run.summary
        assert {f"score/{name}": run.summary[f"score/{name}"] for name in ended.scores} == {
            f"score/{name}": value for name, value in ended.scores.items()
        }
        assert run.state == ("failed" if ended.record.status == "failed" else "finished")
        columns = run.columns()
        assert (columns["cell"], columns["seed"]) == (key.cell, key.seed)
        group = f"{columns['study']}/{columns['environment']}/{columns['arm']}"
        assert run.fields["groupName"] == group
        assert run.fields["jobType"] == "train"


class TestAProjectFromFirstSyncToPull:
    """In order: each step finds the server as the one before left it."""

    def test_sync_sends_every_stored_run_even_those_that_were_never_tracked(
        self, server: LoopbackServer, results: Path
    ) -> None:
        done = sync(server, results)
        assert done.returncode == 0, done.stderr
        assert "8 sent, 0 skipped (there already), 0 failed." in done.stdout
        assert_served(server, results)
        assert len(server.runs) == 8
        arms = {run.fields["groupName"] for run in server.runs.values()}
        names = ("baseline", "capacity=16", "capacity=500", "kind=off")
        assert arms == {*(f"s/CartPole-v1/{name}" for name in names), "studies"}
        names = {name for name in server.run("study-s").columns() if name.startswith("factor/")}
        assert names == set()
        for key in Store(results).run_keys():
            columns = server.run(wandb_id(key)).columns()
            assert {"factor/capacity", "factor/kind", "arm", "study", "agent/learning_rate"} <= set(
                columns
            )

    def test_the_study_has_its_figures_its_table_and_its_files(
        self, server: LoopbackServer, results: Path
    ) -> None:
        (row,) = server.run("study-s").history
        assert {"differences", "table"} <= set(row)
        assert row["table"]["_type"] == "table-file"
        artifact, sent = server.artifact("study-s"), server.artifact_files("study-s")
        assert (artifact["state"], artifact["projectName"]) == ("COMMITTED", PROJECT)
        assert {name: data for name, data in sent.items() if name.startswith("runs/")} == {
            f"runs/{name}": data for name, data in files(results / "runs").items()
        }
        assert "studies/s/plan.json" in sent

    def test_the_client_writes_nothing_but_below_wandb(self, results: Path) -> None:
        assert {path.name for path in results.iterdir()} == {"runs", "studies", "wandb"}

    def test_a_second_sync_sends_nothing(self, server: LoopbackServer, results: Path) -> None:
        before = {id: run.uploads for (_, id), run in server.runs.items()}
        done = sync(server, results)
        assert done.returncode == 0
        assert "0 sent, 8 skipped (there already), 0 failed." in done.stdout
        assert {id: run.uploads for (_, id), run in server.runs.items()} == before

    def test_what_the_server_has_is_skipped_where_nothing_local_remembers_it(
        self, server: LoopbackServer, results: Path
    ) -> None:
        before = {id: run.uploads for (_, id), run in server.runs.items()}
        shutil.rmtree(results / "wandb")
        done = sync(server, results)
        assert "0 sent, 8 skipped" in done.stdout
        assert {id: run.uploads for (_, id), run in server.runs.items()} == before

    def test_a_run_that_is_trained_again_replaces_its_rows(
        self, server: LoopbackServer, results: Path
    ) -> None:
        store = Store(results)
        key = next(key for key in store.run_keys() if store.read_record(key).status == "failed")
        lines = len(server.run(wandb_id(key)).lines)
        config = store.read_record(key).config
        store.write_run(tracked.record(1, attempt=2, key=key, config=config), tracked.tables(1, 4))
        done = sync(server, results)
        assert "2 sent, 6 skipped" in done.stdout, "the run, and the study that shows it"
        assert_served(server, results)
        run = server.run(wandb_id(key))
        assert len(run.lines) > lines
        assert run.summary["attempt"] == 2

    def test_pull_rebuilds_the_store_to_the_byte(
        self, server: LoopbackServer, results: Path, tmp_path: Path
    ) -> None:
        done = analysis(server, "pull", f"{ENTITY}/{PROJECT}", "--results", str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert "7 runs fetched, 0 skipped (there already), 0 failed." in done.stdout
        assert files(tmp_path / "runs") == files(results / "runs")
        assert load("s", tmp_path).plan == load("s", results).plan
        again = analysis(server, "pull", f"{ENTITY}/{PROJECT}", "--results", str(tmp_path))
        assert "0 runs fetched, 7 skipped" in again.stdout

    def test_pull_names_what_is_damaged_missing_or_not_ours_and_takes_the_rest(
        self, server: LoopbackServer, results: Path, tmp_path: Path
    ) -> None:
        damaged, *_ = Store(results).run_keys()
        name = f"runs/{damaged.cell}/{damaged.seed_name}/learner.parquet"
        place = f"artifacts/{server.artifact('study-s')['id']}/{name}"
        whole = server.files[place]
        server.files[place] = whole[:-1] + bytes([whole[-1] ^ 1])
        server.runs[PROJECT, "other-0001"] = replace(server.run(wandb_id(damaged)), id="other-0001")
        server.runs[PROJECT, "study-x"] = replace(server.run("study-s"), id="study-x")
        done = analysis(server, "pull", f"{ENTITY}/{PROJECT}", "--results", str(tmp_path))
        server.files[place] = whole
        del server.runs[PROJECT, "other-0001"], server.runs[PROJECT, "study-x"]
        assert done.returncode == 1
        assert f"failed {wandb_id(damaged)}: learner.parquet: another checksum" in done.stderr
        assert "failed other-0001: is in no study's files there" in done.stderr
        assert "failed study-x: " in done.stderr
        assert "6 runs fetched, 0 skipped (there already), 3 failed." in done.stdout
        assert Store(tmp_path).read_record(damaged) is None
        assert len(list(Store(tmp_path).run_keys())) == 6
        assert {path.name for path in tmp_path.iterdir()} == {"runs", "studies", "wandb"}

    @pytest.mark.parametrize("name", ["runs/../../../escaped", "studies/../../../../../escaped"])
    def test_names_of_a_server_that_lead_out_of_the_store_are_refused(
        self, server: LoopbackServer, tmp_path: Path, name: str
    ) -> None:
        id = server.artifact("study-s")["id"]
        kept = server.files[f"manifests/{id}"]
        manifest = json.loads(kept)
        manifest["contents"][name] = next(iter(manifest["contents"].values()))
        server.files |= {
            f"manifests/{id}": json.dumps(manifest).encode(),
            f"artifacts/{id}/{name}": b"x",
        }
        root = tmp_path / "a" / "results"
        done = analysis(server, "pull", f"{ENTITY}/{PROJECT}", "--results", str(root))
        server.files[f"manifests/{id}"] = kept
        del server.files[f"artifacts/{id}/{name}"]
        assert done.returncode == 1
        assert "failed study-s: " in done.stderr
        assert not list(tmp_path.rglob("escaped*"))

    def test_files_that_an_artifact_only_points_at_are_not_read(
        self, server: LoopbackServer, results: Path, tmp_path: Path
    ) -> None:
        id = server.artifact("study-s")["id"]
        kept = server.files[f"manifests/{id}"]
        manifest = json.loads(kept)
        entry = next(iter(manifest["contents"].values()))
        entry["ref"] = f"file://{results / 'studies/s/plan.json'}"
        server.files[f"manifests/{id}"] = json.dumps(manifest).encode()
        done = analysis(server, "pull", f"{ENTITY}/{PROJECT}", "--results", str(tmp_path))
        server.files[f"manifests/{id}"] = kept
        assert "failed study-s: its artifact names files that lie elsewhere" in done.stderr
        assert not (tmp_path / "runs").exists()

    def test_the_report_is_updated_not_doubled_and_the_page_links_to_it(
        self, server: LoopbackServer, results: Path
    ) -> None:
        words = ["wandb-report", "s", "--results", str(results)]
        first, second = analysis(server, *words), analysis(server, *words)
        assert first.returncode == second.returncode == 0, first.stderr + second.stderr
        assert first.stdout == second.stdout
        (report,) = server.reports.values()
        address = first.stdout.removeprefix("W&B report: ").strip()
        page = (results / "studies/s/report/index.html").read_text()
        assert f'href="{address}"' in page
        assert report["description"] == load("s", results).plan.study.question

    def test_a_dry_run_writes_the_same_content_without_a_server(
        self, server: LoopbackServer, results: Path
    ) -> None:
        done = tracked.analysis("wandb-report", "s", "--results", str(results), "--dry-run")
        assert done.returncode == 0, done.stderr
        written = json.loads((results / "studies/s/report/wandb-report.json").read_text())
        (report,) = server.reports.values()
        assert written["title"] == report["displayName"]
        assert shape(written["spec"]) == shape(json.loads(report["spec"]))

    def test_the_report_asks_compares_and_links(self, server: LoopbackServer, results: Path) -> None:
        (report,) = server.reports.values()
        spec, plan = report["spec"], load("s", results).plan
        panels = [panel for grid in grids(json.loads(spec)) for panel in grid["panels"]]
        kinds = [panel["viewType"] for panel in panels]
        assert plan.study.question in spec
        assert "difference from baseline" in spec
        curves = [panel["config"] for panel in panels if panel["viewType"] == "Run History Line Plot"]
        assert {curve["xAxis"] for curve in curves} == {"env_step"}
        assert {curve["groupArea"] for curve in curves} == {"stderr"}
        assert ["evaluation/return"] in [curve["metrics"] for curve in curves]
        assert kinds.count("Parallel Coordinates Plot") == kinds.count("Run Comparer") == 1
        shown = {metric for curve in curves for metric in curve["metrics"]}
        assert {"learner/age_env_steps_mean", "learner/sampling_effective_share"} <= shown
        assert "learner/priority_staleness" in shown
        (figures,) = [panel["config"] for panel in panels if panel["viewType"] == "Media Browser"]
        assert "differences" in figures["mediaKeys"]
        assert "95 % intervals" in spec
        assert "factor/capacity" in spec
        assert "study-s" in spec
        for arm in plan.arms:
            assert arm.cell in spec


def grids(spec: Any) -> Iterator[Any]:
    for block in spec["blocks"]:
        if block["type"] == "panel-grid":
            yield block["metadata"]["panelBankSectionConfig"]


def shape(spec: Any) -> Any:
    """Return a report's content without what is drawn at random or names the owner."""
    random_or_owner = {"id", "entityName", "entity", "project", "__id__", "name", "key"}
    if isinstance(spec, dict):
        return {name: shape(value) for name, value in spec.items() if name not in random_or_owner}
    if isinstance(spec, list):
        return [shape(value) for value in spec]
    return "owner" if spec in (ENTITY, "") else spec


def test_a_sync_that_is_broken_off_counts_what_failed_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.wandb.sync.ROUNDS", 1)
    monkeypatch.setattr("analysis.wandb.sync.LOOKS", (0,))
    tracked.made_store(tmp_path, seeds=1)
    ids = [wandb_id(key) for key in Store(tmp_path).run_keys()]
    refuse = {f"{ids[0]}/file_stream", f"{ids[2]}/file_stream"}
    with LoopbackServer(lambda path: Fault(404) if any(map(path.endswith, refuse)) else None) as server:
        broken = sync(server, tmp_path)
        assert broken.returncode == 1
        assert "2 sent, 0 skipped (there already), 2 failed." in broken.stdout
        assert f"failed {ids[0]}: the server does not have all of it" in broken.stderr
        (known,) = json.loads((tmp_path / "wandb" / "sent.json").read_text()).values()
        assert set(known) == {ids[1], "study-s"}
        server.fault = lambda _: None
        whole = sync(server, tmp_path)
        assert whole.returncode == 0
        assert "2 sent, 2 skipped (there already), 0 failed." in whole.stdout
        assert_served(server, tmp_path)


def made(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fill a store with three runs of a study, and let uploads give up soon; return the runs' ids."""
    monkeypatch.setattr("analysis.wandb.sync.ROUNDS", 1)
    monkeypatch.setattr("analysis.wandb.sync.LOOKS", (0, 1))
    few = dict.fromkeys(sync_module._RETRIES, "1")
    monkeypatch.setattr("analysis.wandb.sync._RETRIES", few)
    tracked.made_store(root, seeds=1)
    return [wandb_id(key) for key in Store(root).run_keys()]


STREAM = "file_stream"
FAULTS = {
    "500": Fault(500),
    "429": Fault(429),
    "quota": Fault(403),
    "time-out": Fault(503, delay=5),
    "reset": Fault(cut=True),
    "reset after it took effect": Fault(cut=True, after=True),
    "forgets": Fault(forgets=True),
}
QUICK = ("forgets",)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [SLOW]) for n in FAULTS])
def test_after_whatever_the_server_did_one_more_sync_has_every_run_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ids = made(tmp_path, monkeypatch)
    fault = FAULTS[name]
    with LoopbackServer(lambda path: fault if path.endswith(STREAM) else None) as server:
        broken = sync(server, tmp_path)
        # A client whose requests took effect, all answers lost, may still have given up before its last.
        assert broken.returncode in ((0, 1) if fault.after else (1,)), broken.stdout
        server.fault = lambda _: None
        whole = sync(server, tmp_path)
        assert whole.returncode == 0, whole.stderr
        assert_served(server, tmp_path)
        assert {id for _, id in server.runs} == {*ids, "study-s"}


def moved_away(results: Path) -> None:
    results.rename(results.with_name("elsewhere"))


def moved_and_made_again(results: Path) -> None:
    moved_away(results)
    results.mkdir()


def without_the_clients_files(results: Path) -> None:
    shutil.rmtree(results / "wandb")


def without_a_run(results: Path) -> None:
    shutil.rmtree(Store(results).run_directory(list(Store(results).run_keys())[-1]))


@SLOW
@pytest.mark.parametrize(
    "lose", [moved_away, moved_and_made_again, without_the_clients_files, without_a_run]
)
def test_directories_that_go_during_an_upload_cost_a_line_and_one_more_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Path], None]
) -> None:
    results, lost = tmp_path / "results", threading.Event()
    made(results, monkeypatch)

    def once(path: str) -> None:
        if path.endswith(STREAM) and not lost.is_set():
            lost.set()
            lose(results)

    with LoopbackServer(once) as server:
        first = sync(server, results)
        assert "Traceback" not in first.stderr, first.stderr
        assert ("cannot be read any more: " in first.stderr) == (lose is not without_the_clients_files)
        # What the client was sending when its files went may have arrived.
        assert first.returncode in ((0, 1) if lose is without_the_clients_files else (1,))
        if (tmp_path / "elsewhere").exists():
            shutil.rmtree(results, ignore_errors=True)
            (tmp_path / "elsewhere").rename(results)
        whole = sync(server, results)
        assert whole.returncode == 0, whole.stderr
        assert_served(server, results)


def test_a_run_whose_lines_are_doubled_is_replaced_on_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = made(tmp_path, monkeypatch)
    with LoopbackServer() as server:
        assert sync(server, tmp_path).returncode == 0
        # One with more than the two lines that a failed run has.
        ids.sort(key=lambda id: -len(server.run(id).lines))
        doubled = server.run(ids[0])
        lines = list(doubled.lines.values())
        doubled.lines = dict(enumerate(lines + lines[2:]))
        shutil.rmtree(tmp_path / "wandb")
        done = sync(server, tmp_path)
        assert done.returncode == 0, done.stderr
        assert "1 sent, 3 skipped (there already), 0 failed." in done.stdout
        assert {id for _, id in server.runs} == {f"{ids[0]}~2", *ids[1:], "study-s"}
        replaced = server.run(f"{ids[0]}~2")
        assert [shown(row) for row in replaced.history] == [shown(json.loads(line)) for line in lines]
        assert replaced.fields["displayName"] == doubled.fields["displayName"]
        again = sync(server, tmp_path)
        assert "0 sent, 4 skipped (there already), 0 failed." in again.stdout
        pulled = tmp_path / "pulled"
        assert analysis(server, "pull", f"{ENTITY}/{PROJECT}", "--results", str(pulled)).returncode == 0
        assert files(pulled / "runs") == files(tmp_path / "runs")


def test_a_run_that_two_studies_ask_for_is_tagged_with_both_and_grouped_in_each(
    tmp_path: Path,
) -> None:
    plan = tracked.made_store(tmp_path, seeds=1)
    with LoopbackServer() as server:
        assert sync(server, tmp_path).returncode == 0
        values = json.loads((tmp_path / "studies/s/plan.json").read_text())
        values["study"]["name"] = "t"
        values["arms"] = values["arms"][:2]
        values["arms"][1]["name"] = "an arm of t"
        shared = wandb_id(RunKey(values["arms"][1]["cell"], 0))
        lines = len(server.run(shared).lines)
        write_json(tmp_path / "studies/t/plan.json", values)
        done = sync(server, tmp_path)
        assert done.returncode == 0, done.stderr
        run = server.run(shared)
        assert len(run.lines) == lines, "only its names are sent again"
        assert run.fields["tags"] == ["s", "t", "CartPole-v1"]
        columns = run.columns()
        assert (columns["arm/s"], columns["arm/t"]) == (plan.arms[1].name, "an arm of t")
        alone = server.run(wandb_id(RunKey(plan.arms[2].cell, 0)))
        assert alone.fields["tags"] == ["s", "CartPole-v1"]


def test_runs_that_no_study_asks_for_any_more_are_sent_and_pulled_too(tmp_path: Path) -> None:
    tracked.made_store(tmp_path, seeds=1)
    shutil.rmtree(tmp_path / "studies")
    with LoopbackServer() as server:
        assert "4 sent, 0 skipped" in sync(server, tmp_path).stdout
        pulled = tmp_path / "pulled"
        done = analysis(server, "pull", f"{ENTITY}/{PROJECT}", "--results", str(pulled))
        assert done.returncode == 0, done.stderr
        assert files(pulled / "runs") == files(tmp_path / "runs")


def test_a_run_that_an_older_version_sent_is_refused_in_one_line(tmp_path: Path) -> None:
    tracked.made_store(tmp_path, seeds=1)
    with LoopbackServer() as server:
        assert sync(server, tmp_path).returncode == 0
        id = wandb_id(next(iter(Store(tmp_path).run_keys())))
        server.run(id).summary = {CARRIES_ROWS: "0", "fingerprint": "0"}
        shutil.rmtree(tmp_path / "wandb")
        done = sync(server, tmp_path)
    assert done.returncode == 1
    assert f"failed {id}: is there as an older version sent it" in done.stderr
    assert "use another project" in done.stderr


def test_variables_of_wandb_count_where_nothing_else_is_said_and_are_named_where_they_lose(
    tmp_path: Path,
) -> None:
    tracked.made_store(tmp_path, seeds=1)
    with LoopbackServer() as server:
        environment = server.environment | {"WANDB_PROJECT": "theirs"}
        words = ["sync", "--results", str(tmp_path)]
        done = tracked.analysis(*words, environment=environment)
        assert f"{ENTITY}/theirs: 4 sent" in done.stdout
        done = tracked.analysis(*words, "--project", "ours", environment=environment)
        assert f"{ENTITY}/ours: 4 sent" in done.stdout
        assert "WANDB_PROJECT=theirs is not read: project ours counts" in done.stderr


def test_of_two_syncs_at_once_one_sends_and_the_other_says_so(tmp_path: Path) -> None:
    tracked.made_store(tmp_path, seeds=1)
    words = ["ablation", "sync", "--results", str(tmp_path)]
    with LoopbackServer(lambda _: Fault(delay=0.05)) as server, ThreadPoolExecutor(2) as pool:
        sent = partial(tracked.python, *words, environment=server.environment)
        pair = [pool.submit(sent) for _ in range(2)]
        ends = sorted((each.result() for each in pair), key=lambda end: end.returncode)
        assert_served(server, tmp_path)
        assert {run.uploads for run in server.runs.values()} == {1}
    assert [end.returncode for end in ends] == [0, 1]
    assert f"error: another process uploads the runs of {tmp_path} now" in ends[1].stderr


def test_jobs_of_online_sweeps_share_the_lock_that_a_sync_needs_alone(tmp_path: Path) -> None:
    jobs = [lock_upload(tmp_path, alone=False) for _ in range(2)]
    with pytest.raises(Busy):
        lock_upload(tmp_path, alone=True)
    for job in jobs:
        job.close()
    with lock_upload(tmp_path, alone=True), pytest.raises(Busy):
        lock_upload(tmp_path, alone=False)


def test_a_job_beside_a_sync_is_tracked_offline(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = TrackedRun("a-0001", "a", "a", [], "", {"env": {"id": "CartPole-v1"}})
    with lock_upload(tmp_path, alone=True):
        sink = WandbSink("online", "p", None, [run], tmp_path)
        sink.finish(0, EndedRun(tracked.record(1), tracked.tables(1), {}))
        sink.close()
    assert f"another process uploads the runs of {tmp_path} now" in caplog.text
    ((id, directory),) = directories(tmp_path)
    assert id == "a-0001"
    assert directory.name.startswith("offline-run-")


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "No API key configured"),
        ({"WANDB_API_KEY": "f" * 40}, "invalid API key"),
    ],
)
def test_sync_without_a_key_or_with_a_wrong_one_says_so(
    tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    tracked.made_store(tmp_path, seeds=1)
    with LoopbackServer() as server:
        environment = {"WANDB_BASE_URL": server.url} | environment
        done = tracked.analysis("sync", "--results", str(tmp_path), environment=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("error: W&B cannot be reached (")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_pull_of_what_is_not_there_says_so(tmp_path: Path) -> None:
    with LoopbackServer() as server:
        done = analysis(server, "pull", f"{ENTITY}/nothing", "--results", str(tmp_path))
        odd = analysis(server, "pull", "nothing", "--results", str(tmp_path))
    assert (done.returncode, odd.returncode) == (2, 2)
    assert "Could not find project nothing" in done.stderr
    assert odd.stderr == "error: nothing: write ENTITY/PROJECT\n"


class RandomFaults:
    """Lets one request in a few fail, each time in another way, until there were enough."""

    def __init__(self, faults: int, share: float, seed: int = 0) -> None:
        self._random, self._left, self._share = random.Random(seed), faults, share
        self.happened: list[Fault] = []

    def __call__(self, path: str) -> Fault | None:
        if len(self.happened) == self._left or self._random.random() > self._share:
            return None
        kinds = [Fault(500), Fault(429), Fault(503), Fault(cut=True), Fault(cut=True, after=True)]
        self.happened.append(self._random.choice([*kinds, Fault(delay=0.5)]))
        return self.happened[-1]


SHORT = [
    "train.env_steps=400",
    "train.evaluate_every=100",
    "train.log_every=50",
    "train.evaluation_episodes=2",
    "replay.min_replay_size=64",
    "agent.hidden_sizes=[16]",
    "launch.jobs=1",
]


@SLOW
def test_a_hundred_faults_of_the_server_lose_nothing(tmp_path: Path) -> None:
    faults = RandomFaults(100, share=0.5)
    words = ["-m", "replay=none,uniform,recent", "study.seeds=10", f"results_dir={tmp_path}"]
    words += [*SHORT, "launch.lanes_per_job=5", "tracking=online"]
    with LoopbackServer(faults) as server:
        swept = tracked.python("ablation", "sweep", *words, environment=server.environment)
        assert swept.returncode == 0, swept.stderr
        assert len(list(Store(tmp_path).run_keys())) == 30
        for _ in range(3):
            done = sync(server, tmp_path)
            print(len(faults.happened), done.returncode, done.stdout, done.stderr)
        assert done.returncode == 0
        assert len(faults.happened) == 100
        assert_served(server, tmp_path)


@SLOW
def test_of_twelve_arms_of_thirty_seeds_none_is_lost_and_none_mixed(tmp_path: Path) -> None:
    words = ["-m", "replay=uniform,recent,proportional,rank", "agent.batch_size=8,16,32"]
    words += ["study.seeds=30", f"results_dir={tmp_path}", *SHORT]
    swept = tracked.python("ablation", "sweep", *words)
    assert swept.returncode == 0, swept.stderr
    store = Store(tmp_path)
    keys = list(store.run_keys())
    assert len(keys) == len({wandb_id(key) for key in keys}) == 360
    local = dict(directories(tmp_path))
    assert set(local) == {wandb_id(key) for key in keys}
    for key in keys:
        ended, directory = ended_run(store, key), local[wandb_id(key)]
        assert tracked.offline_rows(directory) == ended.rows()
