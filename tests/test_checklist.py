"""The checklist of a study: common errors are found by name, the paragraph has the store's numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ablation.config.project import Project
from ablation.store.files import read_json, write_json
from ablation.store.run_record import RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.plan import Arm, Choice
from analysis.commands.main import run
from analysis.expectations.claims import Claim
from analysis.expectations.verdicts import Expectation
from analysis.report.checklist import job_hours, paragraph, ranges
from analysis.report.lint import RULES, lint
from analysis.report.report import open_results

from .analysis_helpers import TUNED, make_store, noise

RATE = TUNED["factors"]["rate"]
BATCHES = {
    "levels": {
        str(rate): {"agent.batch_size": size}
        for rate, size in zip(RATE["levels"], (4, 8, 16), strict=True)
    }
}
"""In place of the learning rate, which no arm chooses then."""
UNTUNED = TUNED | {"factors": {"capacity": TUNED["factors"]["capacity"]}, "tune": None}


def outcome(arm: Arm, seed: int) -> float:
    """Return 100, half of it with `capacity=16`, less where the rate is off the middle level."""
    level = 50.0 if "capacity=16" in arm.name else 100.0
    return level - (30 if arm.levels.get("rate", "0.01") != "0.01" else 0) + noise(arm.name, seed)


def rules(root: Path, score: str | None = None, claims: list[Claim] | None = None) -> list[str]:
    return [finding.rule for finding in lint(open_results(root, "t", score), claims or [])]


def test_a_tuned_study_of_two_environments_and_ten_seeds_has_no_findings(tmp_path: Path) -> None:
    make_store(tmp_path, TUNED, outcome)
    assert any(row.significant for row in open_results(tmp_path, "t", None).comparisons)
    assert rules(tmp_path) == []


@pytest.mark.parametrize(
    ("study", "rule", "text"),
    [
        (
            TUNED | {"seeds": 9, "verdicts_from": 5},
            "few-seeds",
            "capacity=16 (CartPole-v1) has a verdict from 9 seeds",
        ),
        (
            TUNED | {"factors": TUNED["factors"] | {"rate": RATE | {"levels": [0.01, 0.1]}}},
            "edge-choice",
            "baseline (CartPole-v1) chose rate 0.01, at the edge of 0.01, 0.1",
        ),
        (UNTUNED, "untuned-arms", "capacity=16 (CartPole-v1); capacity=16 (Acrobot-v1): trained at"),
        (
            TUNED | {"factors": TUNED["factors"] | {"rate": BATCHES}},
            "untuned-arms",
            "capacity=16 (CartPole",
        ),
        (TUNED | {"environments": ["CartPole-v1"]}, "one-environment", "CartPole-v1 alone"),
        (
            TUNED | {"primary_score": "area_under_curve"},
            "greedy-speed",
            "area_under_curve says how fast arms learn by greedy evaluations",
        ),
        (
            TUNED | {"question": "Does DQN learn faster with a larger buffer?"},
            "greedy-speed",
            "the question is about learning speed and final is of greedy evaluations",
        ),
        (
            TUNED | {"environments": ["CartPole-v1", "CartPole-v0"]},
            "no-reference",
            "CartPole-v0 has neither a random policy's return nor a solved threshold",
        ),
    ],
)
def test_a_planted_violation_is_found_by_name(
    study: Mapping[str, Any], rule: str, text: str, tmp_path: Path
) -> None:
    make_store(tmp_path, study, outcome)
    found = lint(open_results(tmp_path, "t", None), [])
    assert {finding.rule for finding in found} == {rule}
    assert found[0].text.startswith(text)


def test_arms_with_unequal_numbers_of_tuning_runs_are_found(tmp_path: Path) -> None:
    plan = make_store(tmp_path, TUNED, outcome)

    def fewer(choice: Choice) -> Choice:
        return replace(choice, n=choice.n | {"0.1": 1}) if choice.arm == "capacity=16" else choice

    results = open_results(tmp_path, "t", None)
    plan = replace(results.runs.plan, choices=[fewer(choice) for choice in plan.choices])
    (finding,) = lint(replace(results, runs=replace(results.runs, plan=plan)), [])
    assert finding.rule == "unequal-tuning"
    assert "capacity=16 (CartPole-v1); capacity=16 (Acrobot-v1): 5 runs at 3 levels" in finding.text


def test_a_claim_about_speed_that_greedy_evaluations_decide_is_found(tmp_path: Path) -> None:
    make_store(tmp_path, TUNED, outcome)
    contrast = {"baseline": 1, "capacity=16": -1}

    def claim(measure: str) -> list[Claim]:
        return [Claim("C6", "replay is fast", [Expectation("t", measure, contrast, "positive", 1.0)])]

    assert rules(tmp_path, claims=claim("area_under_curve")) == ["greedy-speed"]
    assert rules(tmp_path, claims=claim("online_return")) == []


def test_every_arm_at_several_rates_counts_as_tuned(tmp_path: Path) -> None:
    crossed = TUNED | {"design": "factorial", "tune": None}
    make_store(tmp_path, crossed, outcome)
    assert rules(tmp_path) == []
    alone = TUNED | {"design": "one_factor_at_a_time", "tune": None}
    make_store(tmp_path, alone, outcome)
    (finding,) = lint(open_results(tmp_path, "t", None), [])
    assert finding.text.startswith("capacity=16 (CartPole-v1); capacity=16 (Acrobot-v1): trained"), (
        "the baseline alone has several rates"
    )


def test_levels_beyond_an_edge_are_said_apart(tmp_path: Path) -> None:
    make_store(tmp_path, TUNED, outcome)

    def beyond(choice: Choice) -> Choice:
        if choice.arm != "capacity=16":
            return choice
        return replace(choice, means=choice.means | {"1.0": 1.0}, widened=["1.0"])

    results = open_results(tmp_path, "t", None)
    plan = replace(results.runs.plan, choices=list(map(beyond, results.runs.plan.choices)))
    text = paragraph(replace(results, runs=replace(results.runs, plan=plan)))
    levels = "from 0.001, 0.01, 0.1 (where the best lay at the edge also 1.0) by the best mean"
    assert levels in " ".join(text.split())


def test_every_rule_has_a_planted_violation() -> None:
    planted = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in RULES if planted.count(f'"{name}"') == 0] == []


def test_the_paragraph_has_the_numbers_of_the_store(tmp_path: Path) -> None:
    make_store(
        tmp_path,
        TUNED,
        outcome,
        env_steps=1000,
        gradient_steps=500,
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:30:00+00:00",
        processor={"name": "Chip_1"},
        portable=True,
    )
    text = paragraph(open_results(tmp_path, "t", None))
    assert text.startswith(r"\paragraph{Reproducibility.} Study t compares 2 arms")
    for words in (
        "10 seeds (0 to 9) in each environment: 40 of 40 runs are complete.",
        "from 0.001, 0.01, 0.1 by the best mean of final over 2 tuning seeds (70, 71, 24 runs",
        "0 of 4 choices lie at the edge",
        r"95 \% confidence intervals",
        # 64 runs of 12 configurations, all begun at one moment: 12 jobs of half an hour.
        "64,000 environment steps and 32,000 gradient steps, 6 hours of jobs",
        r"Chip\_1",
        "PyTorch 2.13.0",
        "every x86-64 processor",
    ):
        assert words in text, words


def test_the_paragraph_says_what_is_missing_and_what_shares_are(tmp_path: Path) -> None:
    make_store(tmp_path, UNTUNED, lambda arm, seed: "failed" if seed == 3 else 100.0)
    text = paragraph(open_results(tmp_path, "t", "kept_threshold"))
    assert "36 of 40 runs are complete (4 failed; none is replaced)" in text
    assert "No hyperparameter was tuned" in text
    assert "Wilson's for shares" in text


def test_hours_count_a_job_once_however_many_seeds_it_has() -> None:
    def record(cell: str, seed: int, minutes: int) -> RunRecord:
        ended = f"2026-01-01T00:{minutes:02}:00+00:00"
        return RunRecord(cell=cell, seed=seed, started="2026-01-01T00:00:00+00:00", ended=ended)

    assert job_hours([record("a", 0, 30), record("a", 1, 30), record("b", 0, 15)]) == 0.75
    assert ranges([4, 0, 1, 2, 9, 10]) == "0 to 2, 4, 9, 10"


def test_the_command_writes_the_paragraph_and_ends_with_1_where_rules_are_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_store(tmp_path, UNTUNED, outcome)
    words = ["t", "--results", str(tmp_path)]
    assert run("checklist", [*words, "--strict"], Project(tmp_path)) == 1
    assert "untuned-arms: capacity=16" in capsys.readouterr().out
    assert run("checklist", words, Project(tmp_path)) == 0, "a finding is not always a mistake"
    printed = capsys.readouterr().out
    assert "untuned-arms: capacity=16" in printed
    assert (tmp_path / "studies" / "t" / "checklist.tex").read_text() in printed
    assert run("checklist", [*words, "--json"], Project(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["rule"] == "untuned-arms"
    make_store(tmp_path, TUNED, outcome)
    assert run("checklist", [*words, "--strict"], Project(tmp_path)) == 0
    assert "No common errors." in capsys.readouterr().out
    assert run("checklist", ["no-such-study", "--results", str(tmp_path)], Project(tmp_path)) == 2
    assert "no study 'no-such-study'" in capsys.readouterr().err


def test_runs_of_two_commits_are_a_finding_and_the_rest_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_store(tmp_path, UNTUNED, outcome)
    path = Store(tmp_path).run_directory(RunKey(plan.arms[0].cell, 0)) / "run.json"
    write_json(path, read_json(path) | {"git_commit": "0123456789abcdef"})
    words = ["t", "--results", str(tmp_path), "--json"]
    assert run("checklist", words, Project(tmp_path)) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["rule"] for finding in findings] == ["mixed-runs", "untuned-arms"]
    assert "0123456789 (1 run of baseline)" in findings[0]["text"]
