"""Status and verification speak of the plan that was swept last, unless a line says another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablation.cli.as_swept import as_swept
from ablation.cli.open_study import open_study
from ablation.cli.terminal import console
from ablation.config.project import Project
from ablation.store.runs import Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.study.history import save_plan
from analysis.commands.main import run

from .analysis_helpers import STUDY, make_store, outcome, resolve

CONF = str(Path(__file__).parent.parent / "conf")


@pytest.fixture
def results(tmp_path: Path) -> str:
    return f"results_dir={tmp_path}"


def swept(results: str, *words: str) -> None:
    """Leave what a sweep of these words leaves of its plan."""
    plan = open_study(CONF, [*words, results]).plans[-1]
    save_plan(Store(results.partition("=")[2]), plan, f"replay-ablation sweep {' '.join(words)}")


def test_words_of_the_last_sweep_count_and_are_said(results: str) -> None:
    swept(results, "study=replay", "study.seeds=4", "launch.jobs=2", "only=baseline")
    with console.capture() as printed:
        words = as_swept(CONF, ["study=replay", results])
    assert words == ["study=replay", results, "study.seeds=4"]
    assert printed.get() == "As swept last: study.seeds=4 (words of your own replace these)\n"
    plan = open_study(CONF, words).plans[-1]
    assert {len(arm.seeds) for arm in plan.arms} == {4}


def test_a_report_says_of_which_sweep_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = make_store(tmp_path, STUDY, outcome)
    command = "replay-ablation sweep study=s study.seeds=6"
    save_plan(Store(tmp_path), plan, command)
    assert run("report", ["s", "--results", str(tmp_path)], Project(tmp_path)) == 0
    assert f"As swept last: {command}\nReport: " in capsys.readouterr().out


def test_a_table_says_of_which_plan_it_is_and_how_to_see_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, store = make_store(tmp_path, STUDY, outcome), Store(tmp_path)
    (store.study_directory("s") / "plan.json").unlink()
    first, second = "replay-ablation sweep study=s", "replay-ablation sweep study=s study.seeds=2"
    save_plan(store, plan, first)
    words = ["s", "--results", str(tmp_path)]
    assert run("table", words, Project(tmp_path)) == 0
    assert capsys.readouterr().err == "", "there is one plan only"
    save_plan(store, expand(parse_study(STUDY | {"seeds": 2}), resolve), second)
    for command in ("table", "compare", "checklist", "scores"):
        assert run(command, words, Project(tmp_path)) == 0
        assert capsys.readouterr().err == (
            f"As swept last: {second}; `{first}` again shows the plan before, and trains nothing that "
            "is stored\n"
        )


def test_a_line_that_says_more_is_taken_at_its_word(results: str) -> None:
    swept(results, "study=replay", "study.seeds=4")
    for word in ("study.seeds=5", "agent.discount=0.5", "env=acrobot"):
        line = ["study=replay", word, results]
        assert as_swept(CONF, line) == line
    flags = as_swept(CONF, ["study=replay", "launch.jobs=1", "only=baseline", results, "--json"])
    assert flags[-1] == "study.seeds=4"


def test_each_size_of_a_study_has_its_last_sweep(results: str) -> None:
    swept(results, "study=young2019", "study.seeds=2")
    assert as_swept(CONF, ["study=young2019", results])[-1] == "study.seeds=2"
    paper = ["study=young2019", "size=paper", results]
    assert as_swept(CONF, paper) == paper


def test_nothing_is_said_where_nothing_else_was(results: str) -> None:
    with console.capture() as printed:
        assert as_swept(CONF, ["study=replay", results]) == ["study=replay", results]
        swept(results, "study=replay")
        assert as_swept(CONF, ["study=replay", results]) == ["study=replay", results]
    assert printed.get() == ""
