"""Papers beside our runs: verdicts on statements, published numbers unchanged, and the gallery."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablation.results.load import load
from ablation.results.scores import SCORES
from ablation.study.plan import Arm
from ablation.study.sizes import sized
from analysis.effects.study_results import StudyResults
from analysis.expectations import paper_tables, papers
from analysis.expectations.paper_tables import paper_table
from analysis.expectations.papers import (
    PAPERS_FILE,
    Paper,
    Statement,
    declared_papers,
    overall_agreement,
    published_numbers,
)
from analysis.expectations.published import DIRECTORY, PublishedColumn, rows
from analysis.expectations.verdicts import Verdict
from analysis.report import gallery
from analysis.report.expectation_pages import write_papers
from analysis.tables.ablation import ablation_table

from .analysis_helpers import CROSSED, make_store

ROOT = Path(__file__).parent.parent
EXAMPLES = ("", "examples/samplers/", "examples/rainbow/")
STUDY = CROSSED | {"name": "crossed-quick"}
BATCH_16, BOTH = "capacity=64, batch=16", "capacity=16, batch=16"


def outcome(arm: Arm, seed: int) -> float:
    level = 100 + {"16": 20, "2": -30}.get(arm.levels.get("batch", ""), 0)
    return level + math.sin(seed) + (math.cos(3 * seed) if arm.role != "baseline" else 0)


def paper(*statements: Statement, columns: Sequence[PublishedColumn] = ()) -> Paper:
    return Paper("crossed", "Author 2000", statements, columns)


def verdicts(root: Path, *statements: Statement) -> list[list[str]]:
    table = paper_table(paper(*statements), "crossed-quick", root)
    return [[cell.text for cell in row[-2:]] for row in table.rows]


def test_statements_come_to_contrasts_that_must_all_hold(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, outcome)
    low = "capacity=64, batch=2"

    def statement(number: str, **says: Any) -> Statement:
        return Statement(number, "says", "final", 10, **says)

    found = verdicts(
        tmp_path,
        statement("1", ordering=[BATCH_16, "baseline", low]),
        statement("2", pairs=[[BATCH_16, low], [low, "baseline"]]),
        statement("3", flat=[BATCH_16, BOTH]),
        statement("4", flat=["baseline", low]),
        statement("5", optimum={"at": "baseline", "against": [low, BATCH_16]}),
        statement("6", contrast={"baseline": 1, "batch=7": -1}),
        statement("7", contrast={"baseline": 1}, size="paper"),
    )
    assert found == [
        ["agrees", "agrees"],
        ["agrees", ""],
        ["agrees", "disagrees"],
        ["disagrees", ""],
        ["agrees", "agrees"],
        ["disagrees", "disagrees"],
        ["agrees", "disagrees"],
        ["disagrees", ""],
        ["not run", "not run"],
    ]


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (["supported", "supported"], "agrees"),
        (["supported", "inconclusive"], "inconclusive"),
        (["supported", "not run"], "inconclusive"),
        (["not run", "contradicted"], "disagrees"),
        (["smaller", "contradicted"], "disagrees"),
        (["smaller", "supported"], "smaller"),
        (["smaller", "inconclusive"], "inconclusive"),
        (["not run", "not run"], "not run"),
    ],
)
def test_a_statement_is_as_good_as_its_worst_part(parts: list[Verdict], whole: str) -> None:
    assert overall_agreement(parts) == whole


def test_published_numbers_stand_in_a_column_of_their_own_with_status_and_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path, STUDY | {"environments": ["CartPole-v1", "Acrobot-v1"]}, outcome)
    column = PublishedColumn(
        "mnih2015_ed_table3.csv",
        "text",
        "another protocol",
        {"arms": {"baseline": "replay_target", BATCH_16: "noreplay_target"}},
        {"game": {"environment": {"CartPole-v1": "Breakout"}}},
        only={"capacity": "64"},
    )
    monkeypatch.setattr(papers, "declared_papers", lambda: (paper(columns=[column]),))
    results = StudyResults(load("crossed", tmp_path), "final", {})
    table = ablation_table(results, published=published_numbers(results))
    at = [place for place, heading in enumerate(table.headings) if heading == "published"]
    shown = {row[0].text: [row[place].text for place in at] for row in table.rows}
    assert shown["baseline"] == ["316.8"], "no column where the paper has no number"
    assert shown[BATCH_16] == ["10.2"]
    assert shown[BOTH] == [""], "the paper did not run it"
    assert any(note.endswith("published (text): another protocol") for note in table.footnotes)
    others = StudyResults(results.runs, "area_under_curve", {})
    assert not published_numbers(others), "it is no number of another score"
    assert "published" not in ablation_table(others).headings


def test_the_tables_are_written_as_markdown_latex_and_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path, STUDY, outcome)
    statement = Statement(
        "1", "is so", "final", 10, pairs=[[BATCH_16, "baseline"]], published="+3 (quoted)"
    )
    monkeypatch.setattr(
        paper_tables,
        "declared_papers",
        lambda: (paper(statement), Paper("other", "B 2001", [statement])),
    )
    tables, page = write_papers(tmp_path)
    assert [table.label for table in tables] == ["papers-crossed-quick", "papers-other-quick"]
    for name in ("crossed-quick.md", "crossed-quick.tex", "crossed-quick.csv", "index.html"):
        assert "agrees" in (page.parent / name).read_text()
    assert "was not run" in (page.parent / "other-quick.md").read_text()
    assert [table.label for table in write_papers(tmp_path, "crossed-quick")[0]] == [
        "papers-crossed-quick"
    ]


def test_a_study_belongs_to_the_paper_of_its_own_name_and_not_to_one_whose_name_begins_alike() -> None:
    owners = {
        name: [one.study for one in declared_papers() if one.has(name)]
        for name in ("schaul2016", "schaul2016-quick", "schaul2016_control-quick", "schaul")
    }
    assert list(owners.values()) == [["schaul2016"], ["schaul2016"], ["schaul2016_control"], []]


def test_the_declared_statements_name_measures_arms_and_environments_of_their_studies() -> None:
    for one in declared_papers():
        files = (ROOT / f"{each}conf/study/{one.study}.yaml" for each in EXAMPLES)
        path = next(file for file in files if file.exists() or not one.statements)
        for statement in one.statements:
            study = sized(yaml.safe_load(path.read_text()), statement.size)
            tests = list(statement.tests(study["name"]))
            assert tests
            for test in tests:
                assert test.measure in SCORES
                assert test.smallest > 0
                assert sum(test.contrast.values()) == 0
                assert test.environment in [None, *study["environments"]]
                for arm in test.contrast:
                    for part in arm.split(", ") if arm not in ("baseline", "bare") else []:
                        factor, _, level = part.removeprefix("only ").partition("=")
                        levels = study["factors"][factor]["levels"]
                        assert part.startswith("only ") or level in map(str, levels), (one.study, arm)


def test_the_declared_columns_are_in_the_files_and_the_files_are_rectangular() -> None:
    for one in declared_papers():
        for column in one.columns:
            names = rows(column.file)[0]
            words = column.column.get("arms", {}) if not isinstance(column.column, str) else {}
            assert set(words.values()) <= set(names)
            for name, by_factor in column.where.items():
                ((_, known),) = by_factor.items()
                assert set(known.values()) <= {row[name] for row in rows(column.file)}
    for path in DIRECTORY.glob("*.csv"):
        with path.open(newline="") as file:
            assert len({len(row) for row in csv.reader(file)}) == 1, path
        assert f"`{path.stem}`" in (DIRECTORY / "README.md").read_text(), "its status is stated"
    assert yaml.safe_load(PAPERS_FILE.read_text())


def test_the_gallery_replaces_what_is_between_its_comments_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path / "results", STUDY, outcome)
    statement = Statement("1", "is so", "final", 10, pairs=[[BATCH_16, "baseline"]])
    monkeypatch.setattr(gallery, "declared_papers", lambda: (paper(statement),))
    (tmp_path / "docs/figures").mkdir(parents=True)
    (tmp_path / "docs/papers").mkdir()
    page = tmp_path / "docs/papers/crossed.md"
    page.write_text("# Crossed\n<!-- crossed:begin -->\nearlier text\n<!-- crossed:end -->\nafter\n")
    written = gallery.write_gallery(tmp_path / "results", tmp_path)
    first = page.read_text()
    assert "earlier text" not in first
    assert first.startswith("# Crossed\n")
    assert first.endswith("\nafter\n")
    assert first.index("**agrees**") < first.index(f"| {BATCH_16} |"), "the verdict comes first"
    for path in written:
        assert path.exists()
        assert path == page or path.suffix == ".csv" or f"../figures/{path.name}" in first
    gallery.write_gallery(tmp_path / "results", tmp_path)
    assert page.read_text() == first
    gallery.write_gallery(tmp_path / "nowhere", tmp_path)
    assert page.read_text() == first, "what is not stored here stays"
    make_store(tmp_path / "others", STUDY | {"name": "crossed-paper"}, outcome)
    gallery.write_gallery(tmp_path / "others", tmp_path)
    text = page.read_text()
    assert text.index("`crossed-paper`") < text.index("`crossed-quick`")
    monkeypatch.setattr(
        gallery, "declared_papers", lambda: (replace(paper(statement), figure="interactions"),)
    )
    own = gallery.write_gallery(tmp_path / "results", tmp_path)
    assert {path.name for path in own} != {path.name for path in written}
    assert any("-interactions-" in path.name for path in own)
    page.write_text("# Papers\n")
    with pytest.raises(gallery.MissingMarkers, match=r"crossed\.md has no place for 'crossed'"):
        gallery.write_gallery(tmp_path / "results", tmp_path)
