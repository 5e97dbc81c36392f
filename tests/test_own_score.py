"""A score of a user's own: a function in their project, named by its import path."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import analysis
from ablation.cli.compose import CommandLine, study_of
from ablation.config.identity import cell_name
from ablation.config.parse import parse
from ablation.config.validation import ConfigError
from ablation.results.load import load
from ablation.results.score_table import _own
from ablation.results.scores import SCORES
from ablation.results.tuning_choices import choices
from ablation.store.files import write_json
from ablation.store.runs import Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.study.plan import plan_from_json
from ablation.study.tuning import tuning_plan
from ablation.sweep import job
from ablation.sweep.queue import JobSpec
from ablation.tracking import TrackingConfig
from ablation.tracking.runs import EndedRun
from analysis.commands.main import _parser
from analysis.report.report import write_report

from .analysis_helpers import STUDY, make_store, outcome, resolve, write_plan
from .conftest import values

SOURCE = '''
import numpy as np
from replay_ablation import ScoreDefinition

def spread(run):
    """Range of a run's evaluation returns.

    More text.
    """
    return np.ptp(run.evaluations["episode_return"])

def mean_loss(run):
    return run.learner["loss"].mean()

fewest = ScoreDefinition(lambda run: len(run.episodes["env_step"]), "episodes", "steps", False)
words = lambda run: "many"
number = 3

def broken(run):
    return run.evaluations["reward"].mean()
'''


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab/scores.py").write_text(SOURCE)
    (tmp_path / "my_lab/raising.py").write_text("raise ValueError('no\\nGPU')\ndef f(run): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    _own.cache_clear()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_lab"]:
        del sys.modules[name]


def test_a_function_is_described_by_its_docstring_and_an_entry_says_more() -> None:
    assert SCORES["my_lab.scores:spread"].description == "Range of a run's evaluation returns"
    assert SCORES["my_lab.scores:spread"].higher_is_better
    fewest = SCORES["my_lab.scores:fewest"]
    assert (fewest.unit, fewest.higher_is_better) == ("steps", False)
    assert "my_lab.scores:spread" not in set(SCORES)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_lab.scores:spred", "did you mean spread"),
        ("my_labs.scores:spread", "no module my_labs.scores"),
        ("my_lab.raising:f", r"cannot be imported: ValueError: no"),
        ("my_lab.scores:number", "is int; a score is a function of a run"),
        ("fnal", "did you mean final"),
    ],
)
def test_what_is_no_score_is_refused_before_anything_trains(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        study_of(STUDY | {"primary_score": name}, CommandLine())
    assert refused.value.key == "study.primary_score"
    assert "\n" not in str(refused.value)


def test_tables_page_and_notebook_show_it(tmp_path: Path) -> None:
    plan = make_store(tmp_path, STUDY | {"primary_score": "my_lab.scores:spread"}, outcome)
    page = write_report(tmp_path, plan.study.name, None, ()).read_text()
    assert "Range of a run&#39;s evaluation returns" in page
    assert '<option value="my_lab.scores:spread" selected>' in page
    study = analysis.load(plan.study.name, tmp_path)
    returns = study.evaluations().groupby(["arm", "seed"])["episode_return"]
    expected = (returns.max() - returns.min()).to_dict()
    scores = study.scores()
    for row in scores.to_dict("records"):
        known = expected.get((row["arm"], row["seed"]), math.nan)
        assert row["my_lab.scores:spread"] == pytest.approx(known, nan_ok=True)
    assert study.table().values[0]["n"] == len(plan.study.seeds)
    assert "final" in scores
    assert "my_lab.scores:spread" in repr(study)


def test_a_command_shows_it_for_a_study_with_another_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_store(tmp_path, STUDY, outcome)
    words = ["table", plan.study.name, "--results", str(tmp_path), "--json"]
    given = _parser().parse_args([*words, "--score", "my_lab.scores:fewest"])
    given.run(given)
    assert "episodes" in json.loads(capsys.readouterr().out)["caption"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_lab.scores:words", "returned 'many'; a score is a number"),
        ("my_lab.scores:broken", r"failed: KeyError: 'reward' \(.*scores.py, line 20\)"),
    ],
)
def test_a_score_that_gives_no_number_is_named(tmp_path: Path, name: str, said: str) -> None:
    plan = make_store(tmp_path, STUDY | {"primary_score": name}, outcome)
    with pytest.raises(ConfigError, match=said):
        write_report(tmp_path, plan.study.name, None, ())


def test_tuning_chooses_by_it(tmp_path: Path) -> None:
    declared = STUDY | {
        "primary_score": "my_lab.scores:fewest",
        "factors": {"rate": {"key": "agent.learning_rate", "levels": [0.001, 0.01]}},
        "tune": {"factor": "rate", "seeds": [70, 71]},
    }
    study = study_of(declared, CommandLine())
    tuning = tuning_plan(expand(study, resolve), resolve)
    assert tuning.study.primary_score == "my_lab.scores:fewest"
    write_plan(Store(tmp_path), tuning, lambda arm, _: 10.0)
    (choice,) = choices(load(tuning.study.name, tmp_path), "rate")
    assert choice.score == "my_lab.scores:fewest"
    assert plan_from_json(tuning.as_json()).study.primary_score == choice.score


def test_a_job_logs_it_and_a_failing_one_costs_no_run(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logged: dict[str, list[dict[str, float]]] = {}

    class Recorder:
        def log(self, records: object) -> None: ...

        def finish(self, lane: int, ended: EndedRun) -> None:
            logged.setdefault(ended.record.cell, []).append(ended.scores)

        def close(self) -> None: ...

    monkeypatch.setattr(job, "open_sink", lambda *_: Recorder())
    for name, kind in (("mean_loss", "uniform"), ("broken", "recent")):
        config = parse(values(replay__kind=kind))
        store, cell = Store(project), cell_name(config)
        declared = STUDY | {"name": name, "primary_score": f"my_lab.scores:{name}"}
        plan = expand(parse_study(declared), resolve)
        write_json(store.study_directory(name) / "plan.json", plan.as_json())
        spec = JobSpec(name, cell, [0, 1], "baseline", {}, name, "?", "cpu", 1e9)
        job.run_job(config, spec, TrackingConfig("disabled", "p", None), store)
        scores = logged[cell]
        assert len(scores) == len(list(store.run_keys())) - (2 if name == "broken" else 0) == 2
        assert all("final" in one for one in scores)
        assert all((f"my_lab.scores:{name}" in one) == (name == "mean_loss") for one in scores)
    assert "my_lab.scores:broken: failed: KeyError" in caplog.text
