"""The interface for notebooks: frames, comparisons, tables and figures; the worked notebook runs."""

from __future__ import annotations

import json
import os
import pydoc
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import analysis
from analysis.notebook.study import Study
from analysis.report.errors import RequestError

from .analysis_helpers import CROSSED, SEEDS, STUDY, make_store, noise, outcome
from .processes import python

NOTEBOOK = Path(__file__).parent.parent / "examples/notebook.ipynb"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    make_store(tmp_path, STUDY, outcome)
    return analysis.load("s", tmp_path)


@pytest.fixture
def crossed(tmp_path: Path) -> Study:
    factors = CROSSED["factors"] | {"capacity": {"key": "replay.capacity", "levels": [16, 32, 64]}}
    make_store(tmp_path, CROSSED | {"factors": factors}, lambda arm, seed: 100 + noise(arm.name, seed))
    return analysis.load("crossed", tmp_path)


def test_every_factors_column_is_filled_for_the_baseline_too(study: Study) -> None:
    arms = study.arms.set_index("arm")
    assert list(arms["capacity"]) == ["64", "16", "500", "64"]
    assert list(arms["replay"]) == ["uniform"] * 3 + ["none"]
    assert not arms.isna().any().any()
    assert list(arms["complete"]) == [6, 6, 3, 0]


def test_frames_are_tidy(study: Study) -> None:
    scores = study.scores()
    assert len(scores) == len(study.arms) * SEEDS
    row = scores[(scores.arm == "capacity=16") & (scores.seed == 0)].iloc[0]
    assert (row.environment, row.status, row.capacity) == ("CartPole-v1", "complete", "16")
    assert row.final == pytest.approx(50 + noise("capacity=16", 0))
    assert scores[scores.arm == "replay=none"].final.isna().all()
    evaluations = study.evaluations()
    assert len(evaluations) == (6 + 6 + 3) * 10 * 2
    assert set(evaluations.columns) >= {"arm", "capacity", "seed", "env_step", "episode_return"}
    assert len(study.episodes()) == len(evaluations)
    assert study.diagnostics().empty


def test_any_arm_can_be_the_baseline(study: Study) -> None:
    own = study.compare().set_index("arm")
    other = study.compare(baseline="capacity=16").set_index("arm")
    forth, back = own.loc["capacity=16"], other.loc["baseline"]
    assert back["difference_estimate"] == pytest.approx(-forth["difference_estimate"])
    assert back["difference_low"] == pytest.approx(-forth["difference_high"])
    assert other["difference_estimate"].isna()["capacity=16"]
    assert set(study.compare(score="best")["score"]) == {"best"}


def test_what_is_not_there_is_refused_by_name(study: Study) -> None:
    with pytest.raises(RequestError, match="no arm 'x'; there are: baseline; capacity=16"):
        study.compare(baseline="x")
    with pytest.raises(RequestError, match="no score 'y'; there are: final"):
        study.compare(score="y")
    with pytest.raises(RequestError, match="no table 'z'; there are: table, comparisons, aggregates"):
        study.table("z")
    with pytest.raises(RequestError, match="no environment 'e'; there are: CartPole-v1"):
        study.plot.curves(environment="e")
    with pytest.raises(RequestError, match="nothing to draw"):
        study.plot.sensitivity()


def test_a_study_shows_itself_in_six_lines(study: Study) -> None:
    lines = repr(study).splitlines()
    assert len(lines) == 6
    assert lines[0] == "Study s: What matters?"
    assert "15 complete, 8 missing, 1 failed" in lines[4]


def test_a_table_shows_itself_as_html_with_everything_escaped(study: Study) -> None:
    table = study.table()
    text = table._repr_html_()
    assert text.count("<tr>") == 1 + len(study.arms)
    assert "<b>" in text
    assert "<0.001" not in text
    assert "&lt;0.001" in text
    assert "capacity=16" in table.to_latex()
    assert table.to_markdown().startswith("Study s")


def test_effects_are_a_frame(crossed: Study, study: Study) -> None:
    effects = crossed.effects()
    assert set(effects["kind"]) == {"main effect", "interaction"}
    assert len(effects) == 2 + 2 + 4
    assert study.effects().empty


def test_figures_go_into_axes_of_ones_own(crossed: Study) -> None:
    figure = Figure()
    axes = figure.subplots(2, 2).flat
    arms = len(crossed.arms)
    differences = crossed.plot.differences(ax=axes[0])
    assert differences is axes[0]
    assert len(axes[0].get_yticks()) == arms - 1
    crossed.plot.curves(ax=axes[1], seeds=True)
    assert len(axes[1].get_lines()) == arms * (1 + SEEDS)
    crossed.plot.sensitivity(ax=axes[2])
    assert [tick.get_text() for tick in axes[2].get_xticklabels()] == ["16", "32", "64"]
    crossed.plot.profiles(ax=axes[3])
    assert len(axes[3].get_lines()) == arms
    for draw in (crossed.plot.differences, crossed.plot.curves, crossed.plot.profiles):
        assert isinstance(draw(), Figure)


def test_help_lists_what_there_is() -> None:
    text = pydoc.plain(pydoc.render_doc(analysis))
    for name in ("load(study", "from_frame(", "class Study", "compare(self", "statistics (package)"):
        assert name in text


def test_importing_the_analysis_loads_no_numpy() -> None:
    code = "import sys, analysis; sys.exit('numpy' in sys.modules)"
    python("-c", code)


def test_the_worked_notebook_runs(tmp_path: Path) -> None:
    make_store(tmp_path / "results", STUDY | {"name": "replay"}, outcome)
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    environment = os.environ | {"MPLBACKEND": "agg"}
    printed = python("-W", "error", "-c", code, cwd=tmp_path, variables=environment)
    assert "\\begin{table}" in printed
