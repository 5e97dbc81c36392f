"""Tables: one specification, four writers, macros; LaTeX that compiles; nothing missing hidden."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
from pathlib import Path

import pytest

from ablation.results.load import load
from ablation.study.plan import Arm
from analysis.effects.study_results import StudyResults
from analysis.report.report import open_results, study_tables
from analysis.statistics import Estimate
from analysis.tables.coverage import undercoverage_notes
from analysis.tables.macros import macro_name, to_macros
from analysis.tables.table import FILE_WIDTH, Cell, Table
from analysis.tables.wording import interval_text, number

from .analysis_helpers import COMPONENTS, CROSSED, STUDY, make_store, outcome
from .processes import run

TWO = STUDY | {"name": "two", "environments": ["CartPole-v1", "Acrobot-v1"]}


def level(arm: Arm, seed: int) -> float:
    start = -400.0 if arm.env_id == "Acrobot-v1" else 50.0
    return start + (0 if arm.name == "replay=none" else 200) + seed * (1 + len(arm.name) % 3)


@pytest.fixture
def made(tmp_path: Path) -> StudyResults:
    make_store(tmp_path, STUDY, outcome)
    return open_results(tmp_path, "s", None)


def rows(text: str) -> dict[str, dict[str, str]]:
    return {row["arm"]: row for row in csv.DictReader(io.StringIO(text))}


def test_missing_arms_are_in_every_table_as_missing(made: StudyResults) -> None:
    table = study_tables(made)["table"]
    (cells,) = (row for row in table.rows if row[0].text == "replay=none")
    assert [cell.text for cell in cells[1:]] == ["no data", "", "", ""]
    assert any(note.endswith("of 6 runs 1 failed, 5 missing") for note in table.footnotes)
    found = rows(table.to_csv())["replay=none"]
    assert (found["n"], found["mean_estimate"], found["difference_low"], found["p_holm"]) == (
        "0",
        "",
        "",
        "",
    )


def test_columns_that_are_empty_are_left_out_with_what_notes_say_of_them(tmp_path: Path) -> None:
    make_store(tmp_path, TWO | {"seeds": 4, "verdicts_from": 10}, level)
    tables = study_tables(open_results(tmp_path, "two", None))
    for table in (tables["table"], tables["comparisons"]):
        for text in (table.to_markdown(), table.to_latex(), table.to_terminal(), table._repr_html_()):
            assert "p (" not in text
            assert "IQM" not in text
            assert "interquartile" not in text
    assert tables["table"].groups == [("", 1), ("CartPole-v1", 2), ("Acrobot-v1", 2)]
    assert "p_holm" in tables["table"].to_csv()


def test_a_column_with_one_number_is_kept_and_groups_follow() -> None:
    cells = [[Cell(text) for text in row] for row in (["a", "", "1", "–"], ["b", "", "", "2"])]
    table = Table("t", ["arm", "p", "n", "m"], cells, [("", 1), ("one", 1), ("two", 2)])
    assert table.headings == ["arm", "n", "m"]
    assert table.groups == [("", 1), ("two", 2)]
    assert "| two: n | two: m |" in table.to_markdown()


def test_unequal_numbers_of_runs_are_shown(made: StudyResults) -> None:
    cells = {row[0].text: row[1].text for row in study_tables(made)["table"].rows}
    assert cells["baseline"].endswith("(6)")
    assert cells["capacity=500"].endswith("(3)")


def test_merged_combinations_are_footnotes_of_what_they_train(made: StudyResults) -> None:
    table = study_tables(made)["table"]
    assert "a: also capacity=64; replay=uniform: identical configuration (merged)" in table.footnotes
    assert table.rows[0][0].marks == "a"
    assert any("also capacity=1000" in note for note in table.footnotes)


def test_the_csv_holds_full_precision(made: StudyResults) -> None:
    found = rows(study_tables(made)["table"].to_csv())
    row = made.comparisons[1]
    assert row.difference is not None
    assert float(found["capacity=16"]["difference_low"]) == row.difference.low
    assert found["capacity=16"]["significant"] == "True"


def test_markdown_has_a_row_for_every_arm_and_the_best_in_bold(made: StudyResults) -> None:
    text = study_tables(made)["table"].to_markdown()
    body = [line for line in text.splitlines() if line.startswith("|")]
    assert len(body) == 2 + len(made.comparisons)
    assert len({line.count("|") for line in body}) == 1
    assert body[2].count("**") == 2
    assert "**" not in body[3]


def test_the_terminal_table_is_never_cut(made: StudyResults) -> None:
    text = study_tables(made)["table"].to_terminal()
    assert "…" not in text
    assert "-49.94 [-50.39, -49.48]*" in text


def test_a_wide_table_is_folded_by_environment_and_its_notes_wrapped() -> None:
    cell = Cell("0.1234 [0.1000, 0.2000]")
    rows = [[Cell("learning rate=0.001"), cell, cell, cell, cell]]
    groups = [("", 1), ("CartPole-v1", 2), ("Acrobot-v1", 2)]
    headings = ["arm", "mean", "difference", "mean", "difference"]
    lines = Table("Caption", headings, rows, groups, notes=["word " * 100]).to_terminal().splitlines()
    assert max(map(len, lines)) <= FILE_WIDTH
    assert sum("learning rate=0.001" in line for line in lines) == 2
    assert sum("CartPole-v1: mean" in line for line in lines) == 1
    whole = Table("Caption", headings[:3], [rows[0][:3]]).to_terminal()
    assert whole.count("learning rate=0.001") == 1


def test_a_table_ends_with_study_plan_and_commit(made: StudyResults) -> None:
    last = study_tables(made)["table"].notes[-1]
    assert last == f"Study s, plan {made.runs.plan.hash}, commit cccccccccc."


def test_intervals_that_fall_short_are_named_at_that_n() -> None:
    (note,) = undercoverage_notes({"mean": 5})
    assert re.search(r"mean at n = 5 is about 8\d\.\d % \(.* skewed, bounded scores", note)
    assert undercoverage_notes({"mean": 30, "iqm": 30, "difference": 5}) == []
    (both,) = undercoverage_notes({"mean": 6, "iqm": 3})
    assert both.count("Actual coverage") == 1
    assert "mean at n = 5" in both
    assert "iqm at n = 3" in both


def test_components_become_check_marks(tmp_path: Path) -> None:
    make_store(tmp_path, COMPONENTS, level)
    table = study_tables(open_results(tmp_path, "components", None))["table"]
    assert table.headings[:2] == ["double Q", "combined"]
    assert [[cell.text for cell in row[:2]] for row in table.rows] == [
        ["✓", "✓"],
        ["–", "✓"],
        ["✓", "–"],
    ]
    interval_cell = study_tables(open_results(tmp_path, "components", None), "arms")["table"]
    assert interval_cell.headings[0] == "arm"


def test_environments_are_groups_of_columns(tmp_path: Path) -> None:
    make_store(tmp_path, TWO, level)
    found = study_tables(open_results(tmp_path, "two", None))
    assert [text for text, _ in found["table"].groups] == ["", "CartPole-v1", "Acrobot-v1"]
    assert sum(width for _, width in found["table"].groups) == len(found["table"].headings)
    assert "median" in found["aggregates"].headings
    # Six runs in each environment: what was simulated with five.
    assert any(
        "improvement over 3 tasks at n = 5 is about" in note for note in found["aggregates"].notes
    )
    assert "CartPole-v1: mean (n)" in found["table"].to_markdown()


def test_every_number_is_a_macro_with_a_name_of_its_own(made: StudyResults) -> None:
    text = to_macros(made.runs, made.comparisons)
    macros = dict(re.findall(r"\\newcommand\{\\([A-Za-z]+)\}\{(.*)\}", text))
    assert len(macros) == text.count("\\newcommand")
    row = made.comparisons[1]
    assert row.difference is not None
    assert macros["sCapacityOneSixDifference"] == f"$-${number(-row.difference.value)}"
    assert macros["sReplayNoneMean"] == "missing"
    assert macros["sReplayNoneN"] == "0"
    assert macros["sPlan"] == made.runs.plan.hash
    assert macro_name("n_step=3.5 (a)") == "NStepThreePointFiveA"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("study", [TWO, CROSSED, COMPONENTS], ids=lambda study: study["name"])
def test_tables_and_macros_compile(tmp_path: Path, study: dict[str, object]) -> None:
    named = dict(study, name="a_b-1.5")
    make_store(tmp_path, named, level)
    made = open_results(tmp_path, "a_b-1.5", None)
    (tmp_path / "numbers.tex").write_text(to_macros(made.runs, made.comparisons))
    first = re.findall(r"\\newcommand(\{\\[A-Za-z]+\})", (tmp_path / "numbers.tex").read_text())
    document = [
        "\\documentclass{article}",
        "\\usepackage{booktabs,amssymb}",
        "\\usepackage[T1]{fontenc}",
        "\\usepackage[landscape]{geometry}",
        "\\input{numbers}",
        "\\begin{document}",
        *first,
        *(table.to_latex() for table in study_tables(made).values()),
        "\\end{document}",
    ]
    (tmp_path / "paper.tex").write_text("\n".join(document))
    done = run("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex", cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "paper.log").read_text(errors="replace")


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((436.2, 398.1, 471.3), "+436 [398, 471]"),
        ((-1.38243, -1.38486, -1.38), "-1.3824 [-1.3849, -1.3800]"),
        ((1.0, 0.7, 1.0), "+1.00 [0.70, 1.00]"),
        ((-0.001, -0.2, 0.2), "0.00 [-0.20, 0.20]"),
        ((12_000.3, 9_800, 14_000), "+12,000 [9,800, 14,000]"),
        ((500.0, 500.0, 500.0 + 1e-12), "+500.0 [500.0, 500.0]"),
        ((3e-9, 1e-9, 5e-9), "+3e-09 [1e-09, 5e-09]"),
        ((47.5, math.nan, math.nan), "+47.5 [n/a]"),
        ((47.5, -math.inf, math.inf), "+47.5 [-inf, inf]"),
    ],
)
def test_the_width_of_an_interval_has_two_significant_digits(
    ends: tuple[float, float, float], text: str
) -> None:
    assert interval_text(Estimate(*ends, n=5), signed=True) == text


def test_a_store_without_runs_has_tables_without_numbers(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, lambda arm, seed: "missing")
    found = study_tables(open_results(tmp_path, "s", None))
    assert list(found) == ["table"]
    for row in found["table"].rows:
        assert row[1].text == "missing"
        assert not any(re.search(r"\d", cell.text) for cell in row[1:])
    macros = to_macros(load("s", tmp_path), open_results(tmp_path, "s", None).comparisons)
    assert "{missing}" in macros


def test_every_latex_table_of_a_study_has_a_label_with_its_name(made: StudyResults) -> None:
    labels = [re.findall(r"\\label\{(.*?)\}", table.to_latex()) for table in study_tables(made).values()]
    assert labels[:2] == [["tab:s"], ["tab:s-comparisons"]]
    assert len({label for (label,) in labels}) == len(labels)
