"""The commands that read stored runs, as users have them: the guard, bad input, broken stores."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ablation.results.load import load
from ablation.store.files import read_json, write_json
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from analysis.effects.comparability import NotComparable, find_differences, require_comparable
from analysis.report.report import write_report

from .analysis_helpers import CROSSED, RECORD, STUDY, make_store, outcome, run_record
from .conftest import Command

ROOT = Path(__file__).parent.parent


@pytest.fixture
def results(tmp_path: Path) -> Path:
    make_store(tmp_path, STUDY, outcome)
    return tmp_path


@pytest.fixture
def command(command: Command, results: Path) -> Command:
    return lambda *words, status=0: command(*words, "--results", str(results), status=status)


def change_record(results: Path, arm: str, seed: int, **changes: Any) -> None:
    store, plan = Store(results), load("s", results).plan
    cell = next(found.cell for found in plan.arms if found.name == arm)
    path = store.run_directory(RunKey(cell, seed)) / "run.json"
    write_json(path, read_json(path) | changes)


def test_report_prints_the_table_and_names_the_page(command: Any, results: Path) -> None:
    printed = command("report", "s")
    page = results / "studies/s/report/index.html"
    assert printed.endswith(f"Report: {page}\n")
    assert "-49.94 [-50.39, -49.48]*" in printed
    names = {path.name for path in page.parent.iterdir()}
    assert {"table.csv", "table.md", "table.tex", "comparisons.csv", "numbers.tex"} <= names
    assert {f"curves-CartPole-v1.{suffix}" for suffix in ("svg", "png", "pdf")} <= names


def test_another_score_is_one_option_away(command: Any) -> None:
    assert "largest mean return of one greedy evaluation" in command("table", "s", "--score", "best")


@pytest.mark.parametrize(
    ("style", "start"),
    [("csv", "arm,"), ("md", "Study s"), ("tex", "\\begin{table}"), ("macros", "% Study s")],
)
def test_a_table_is_printed_in_every_format(command: Any, style: str, start: str) -> None:
    assert command("table", "s", "--format", style).startswith(start)


def test_json_has_null_where_something_is_missing(command: Any) -> None:
    rows = {row["arm"]: row for row in json.loads(command("table", "s", "--json"))["rows"]}
    assert rows["capacity=16"]["significant"] is True
    assert rows["replay=none"]["mean_estimate"] is None
    scores = json.loads(command("scores", "s", "--json"))
    assert len(scores) == 4 * 6
    assert {row["final"] for row in scores if row["status"] == "missing"} == {None}


def test_scores_are_a_line_for_each_run(command: Any) -> None:
    lines = command("scores", "s").splitlines()
    assert lines[0].startswith("arm,environment,capacity,replay,seed,status")
    assert len(lines) == 1 + 4 * 6


def test_two_arms_can_be_compared_with_each_other(command: Any) -> None:
    printed = command("compare", "s", "--arms", "capacity=500", "capacity=16")
    assert "paired by seed: +50.3 [47.7, 52.9], n = 3, p <0.001" in printed
    found = json.loads(command("compare", "s", "--arms", "capacity=500", "capacity=16", "--json"))
    assert found["CartPole-v1"]["paired"]["n"] == 3
    assert found["CartPole-v1"]["permutation"] == 2 / 2**3


def test_figures_are_written_where_asked(command: Any, tmp_path: Path) -> None:
    words = ("figure", "s", "curves", "--seeds", "--formats", "png", "--output", str(tmp_path / "out"))
    assert command(*words) == f"{tmp_path / 'out' / 'curves-CartPole-v1.png'}\n"
    assert (tmp_path / "out/curves-CartPole-v1.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "t"], "there are: s"),
        (
            ["figure", "s", "pie"],
            "no figure 'pie'; there are: training, cliffwalk, groups, running, differences, forks",
        ),
        (["figure", "s", "interactions"], "nothing to draw as 'interactions'"),
        (["table", "s", "--kind", "effects"], "no table 'effects'; there are: table"),
        (["compare", "s", "--arms", "baseline", "best"], "no arm 'best'; there are: baseline;"),
        (["compare", "s", "--arms", "baseline"], "takes two names"),
        (["table", "s", "--score", "luck"], "error: score = luck: allowed: final, area_under_curve"),
        (
            ["table", "s", "learning"],
            "error: unrecognized arguments: learning; `replay-ablation --help`",
        ),
        (["table", "s", "--score", "nobodys_lab:f"], "there is no module nobodys_lab"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_message(
    command: Any, words: list[str], message: str
) -> None:
    said = command(*words, status=2)
    assert message in said
    assert "usage:" not in said


@pytest.mark.parametrize(
    ("aspect", "changes", "said"),
    [
        ("commit", {"git_commit": "d" * 40}, "dddddddddd"),
        ("commit", {"git_dirty": True}, "cccccccccc with changes"),
        ("device", {"device": "cuda:1"}, "cuda"),
        ("environment", {"versions": {"gymnasium": "1.1.0"}}, "gymnasium 1.1.0"),
    ],
)
def test_runs_that_differ_are_refused_unless_that_is_allowed(
    command: Any, results: Path, aspect: str, changes: dict[str, Any], said: str
) -> None:
    change_record(results, "baseline", 2, **changes)
    refused = command("table", "s", status=2)
    assert f"differ in {aspect}" in refused
    assert said in refused
    assert f"--allow {aspect}" in refused
    assert f"Mixed {aspect}: " in command("table", "s", "--allow", aspect)
    with pytest.raises(NotComparable):
        require_comparable(load("s", results), [other for other in ("x", "device") if other != aspect])


def test_arms_of_other_lengths_are_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    steps = {"steps": {"key": "train.env_steps", "levels": [200, 900]}}
    make_store(tmp_path, STUDY | {"baseline": {}, "factors": steps}, lambda arm, seed: 100.0)
    runs = load("s", tmp_path)
    with pytest.raises(NotComparable, match=r"900 environment steps \(6 runs of steps=900\)"):
        require_comparable(runs, [])
    assert set(require_comparable(runs, ["budget"])) == {"budget"}


def test_equal_runs_are_comparable_and_other_gpus_are_one_kind_of_device(results: Path) -> None:
    assert find_differences(load("s", results)) == {}
    for arm, seeds in (("baseline", 6), ("capacity=16", 6), ("capacity=500", 3)):
        for seed in range(seeds):
            change_record(results, arm, seed, device=f"cuda:{seed % 2}")
    assert find_differences(load("s", results)) == {}


def test_what_was_allowed_to_differ_is_on_the_page(results: Path) -> None:
    change_record(results, "capacity=16", 0, git_commit="d" * 40)
    page = write_report(results, "s", allowed=["commit"]).read_text()
    assert "dddddddddd (1 run of capacity=16)" in page
    assert "--allow commit" in page


def test_a_report_of_an_empty_store_says_what_is_missing(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, lambda arm, seed: "missing")
    page = write_report(tmp_path, "s").read_text()
    assert "There is nothing to compare with the baseline yet." in page
    assert "No figures" in page
    assert page.count("6 missing") >= 4


@pytest.mark.parametrize("there", ["baseline only", "one run", "all but the baseline", "equal scores"])
def test_partial_stores_have_reports(tmp_path: Path, there: str) -> None:
    def partial(arm: Any, seed: int) -> float | str:
        kept = {
            "baseline only": arm.role == "baseline",
            "one run": arm.role == "baseline" and seed == 0,
            "all but the baseline": arm.role != "baseline",
            "equal scores": True,
        }
        return (100.0 if there == "equal scores" else 100.0 + seed) if kept[there] else "missing"

    make_store(tmp_path, CROSSED, partial)
    # The page has the tables of all scores.
    page = write_report(tmp_path, "crossed").read_text()
    text = page.split("<svg")[0].split("</style>")[1]
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


def test_broken_files_and_records_have_a_report_that_names_them(results: Path) -> None:
    directory = Store(results)
    runs = load("s", results)
    baseline = runs.plan.arms[0].cell
    (directory.run_directory(RunKey(baseline, 0)) / "evaluations.parquet").write_bytes(b"PAR1")
    (directory.run_directory(RunKey(baseline, 1)) / "run.json").write_text("[]")
    change_record(results, "baseline", 2, config="?", git_commit=None, error=5)
    for seed in (3, 4):
        shutil.rmtree(directory.run_directory(RunKey(baseline, seed)))
    config = runs.plan.cells[baseline]
    directory.write_run(run_record(RunKey(baseline, 3), RECORD | {"config": config}), {})
    diverged = RunRecord(cell=baseline, seed=4, status="diverged", error="inf", config=config)
    directory.write_run(diverged, {})
    page = write_report(results, "s", allowed=("commit", "environment", "budget", "device")).read_text()
    assert "3 unreadable, 2 complete, 1 diverged" in page
    assert "2 of 6 runs ended without the data that this score needs" in page


def test_a_run_of_another_schema_and_a_changed_table_are_unreadable_and_say_why(results: Path) -> None:
    change_record(results, "baseline", 0, schema=1)
    change_record(results, "baseline", 1, checksums={})
    runs = load("s", results)
    first, second = runs.of_cell(runs.plan.arms[0])[:2]
    assert (first.status, second.status) == ("unreadable", "unreadable")
    assert first.record.error is not None
    assert "schema 1, this version reads 2: train again or use the version" in first.record.error
    assert second.record.error is not None
    assert "another checksum than in run.json" in second.record.error
    assert "has schema 1" in write_report(results, "s").read_text()


def test_a_closed_pipe_ends_quietly(results: Path) -> None:
    line = f"{sys.executable} -m ablation scores s --results {results} | head -1"
    done = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.startswith("arm,")
    assert done.stderr == ""


def test_an_earlier_reports_figures_do_not_outlive_their_runs(results: Path) -> None:
    write_report(results, "s")
    report = results / "studies/s/report"
    assert (report / "differences.svg").exists()
    for directory in (results / "runs").glob("*/*"):
        (directory / "run.json").unlink()
    write_report(results, "s")
    assert not list(report.glob("*.svg"))


def test_the_default_size_of_a_study_is_read_by_its_own_name(results: Path) -> None:
    assert load("s-default", results).plan.hash == load("s", results).plan.hash
