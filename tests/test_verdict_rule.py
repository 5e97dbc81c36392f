"""Few seeds give estimates and intervals, but no p-value, star, bold or verdict, wherever shown."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import analysis
from ablation.config.validation import ConfigError
from ablation.results.outside.request import ImportRefused, Request
from ablation.study.declaration import VERDICTS_FROM, parse_study
from ablation.study.expand import expand
from ablation.study.plan import Arm
from analysis.expectations.papers import overall_agreement
from analysis.expectations.verdicts import Expectation, evaluate
from analysis.figures.effects import forest_plot
from analysis.report.report import open_results, study_tables, write_report
from analysis.tables.macros import to_macros

from .analysis_helpers import CROSSED, STUDY, make_store, noise, resolve
from .conftest import Command

FEW = {key: value for key, value in STUDY.items() if key != "verdicts_from"} | {"seeds": 9}
ASKED = FEW | {"verdicts_from": 9}
VERDICT = re.compile(r"\*|\*\*|signific|inconclusive|<0\.001|textbf|p = ")


def outcome(arm: Arm, seed: int) -> float:
    return (50 if arm.name == "capacity=16" else 100) + noise(arm.name, seed)


def shown(root: Path, study: Mapping[str, Any]) -> list[str]:
    """Return the texts of a study's report: tables, page, figure, macros."""
    make_store(root, study, outcome)
    page = write_report(root, study["name"])
    results = open_results(root, study["name"], None)
    drawing = forest_plot(results)
    assert drawing is not None
    summary, *_ = re.findall(r"<p>(.*?)</p>", page.read_text().split("<main")[-1], re.DOTALL)
    texts = [summary]
    for name in ("table", "comparisons"):
        table = study_tables(results)[name]
        texts += [cell.text + "*" * cell.bold for row in table.rows for cell in row]
    return [*texts, drawing[1], *to_macros(results.runs, results.comparisons).splitlines()]


def test_nine_seeds_have_estimates_and_intervals_but_no_verdict(tmp_path: Path) -> None:
    texts = shown(tmp_path / "few", FEW)
    assert not [text for text in texts if VERDICT.search(text)]
    assert any("-50" in text and "[" in text for text in texts)
    assert [text for text in shown(tmp_path / "asked", ASKED) if VERDICT.search(text)]


def test_every_table_that_lacks_verdicts_says_why(tmp_path: Path) -> None:
    crossed = {key: value for key, value in CROSSED.items() if key != "verdicts_from"}
    make_store(tmp_path, crossed, outcome)
    tables = study_tables(open_results(tmp_path, "crossed", None))
    for name in ("table", "comparisons", "effects"):
        assert "Fewer than 10 seeds" in " ".join(tables[name].notes)
    assert all(math.isnan(row["p_holm"]) for row in tables["effects"].values)
    columns = list(csv.DictReader(io.StringIO(tables["table"].to_csv())))
    assert {row["p_holm"] for row in columns} == {""}


def test_ten_seeds_have_verdicts_and_a_lost_one_takes_them(tmp_path: Path) -> None:
    def one_lost(arm: Arm, seed: int) -> float | str:
        return "failed" if (arm.name, seed) == ("capacity=500", 0) else outcome(arm, seed)

    make_store(tmp_path, FEW | {"seeds": VERDICTS_FROM}, one_lost)
    rows = {row.arm.name: row for row in open_results(tmp_path, "s", None).comparisons}
    assert rows["capacity=16"].significant
    assert not rows["capacity=500"].judged
    assert not any(row.among_best for row in rows.values())


def test_the_notebook_follows_the_same_rule(tmp_path: Path) -> None:
    make_store(tmp_path, FEW, outcome)
    frame = analysis.load("s", tmp_path).compare()
    assert frame["p_holm"].isna().all()
    assert frame["p_permutation"].isna().all()
    assert not frame["significant"].any()
    assert not frame["among_best"].any()
    assert frame["difference_low"].notna().sum() == len(frame) - 1


@pytest.mark.parametrize(("study", "judged"), [(FEW, False), (ASKED, True)])
def test_compare_prints_p_values_of_enough_seeds_alone(
    study: dict[str, Any], judged: bool, tmp_path: Path, command: Command
) -> None:
    make_store(tmp_path, study, outcome)
    printed = command("compare", "s", "--results", str(tmp_path), "--arms", "capacity=16", "baseline")
    assert ("permutation test: p" in printed) == judged
    assert ("p <0.001" in printed) == judged
    assert ("Fewer than 10 seeds" in printed) != judged


def test_claims_of_too_few_seeds_are_neither_supported_nor_contradicted(tmp_path: Path) -> None:
    claim = Expectation("s", "final", {"baseline": 1, "capacity=16": -1}, "positive", 10)
    make_store(tmp_path, FEW, outcome)
    (row,) = evaluate([claim], tmp_path)
    assert row.verdict == "too few seeds"
    assert not math.isnan(row.effect.low)
    make_store(tmp_path, ASKED, outcome)
    assert evaluate([claim], tmp_path)[0].verdict == "supported"


def test_a_statement_with_a_part_of_too_few_seeds_stays_open() -> None:
    assert overall_agreement(["supported", "too few seeds"]) == "too few seeds"
    assert overall_agreement(["contradicted", "too few seeds"]) == "disagrees"


def test_asking_for_verdicts_is_checked_and_part_of_the_plan() -> None:
    plain, asked = (expand(parse_study(study), resolve) for study in (FEW, ASKED))
    default = expand(parse_study(FEW | {"verdicts_from": VERDICTS_FROM}), resolve)
    assert plain.hash == default.hash != asked.hash
    with pytest.raises(ConfigError, match=r"study\.verdicts_from = 1: .*must be 2 or more"):
        parse_study(FEW | {"verdicts_from": 1})
    with pytest.raises(ImportRefused, match="verdicts_from 1: a whole number from 2 on"):
        Request("out", verdicts_from=1)
