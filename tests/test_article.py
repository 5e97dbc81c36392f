"""The article's outputs from runs whose episodes are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablation.store.files import write_json
from ablation.store.runs import RunKey, Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from analysis.figures.draw import draw_figures
from analysis.report.report import open_results, study_tables
from analysis.studies.registry import FIGURE_KINDS

from .analysis_helpers import RECORD, STUDY, evaluation_rows, resolve, run_record

ARTICLE = STUDY | {
    "name": "article",
    "baseline": {"env.time_limit": 100},
    "factors": {
        "target": {"levels": {"refreshed": {}, "frozen": {"agent.target_update_period": 10**9}}}
    },
    "design": [{"design": "arms", "arms": [{"name": "literal", "levels": {"target": "frozen"}}]}],
}


def episodes(returns: list[float]) -> list[dict[str, Any]]:
    return [
        {
            "env_step": 50 * (at + 1),
            "gradient_step": 50 * at,
            "episode": at,
            "episode_return": value,
            "episode_length": int(value),
            "terminated": value < 100,
            "truncated": value >= 100,
        }
        for at, value in enumerate(returns)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    plan, store = expand(parse_study(ARTICLE), resolve), Store(tmp_path)
    write_json(store.study_directory("article") / "plan.json", plan.as_json("make sweep"))
    for arm in plan.arms:
        last = 100.0 if arm.role == "baseline" else 20.0
        for seed in plan.study.seeds:
            learner = [
                {"env_step": 10 * at, "gradient_step": at, "loss": float(at)} for at in range(1, 21)
            ]
            rows = {
                "evaluations": evaluation_rows([10, 20]),
                "episodes": episodes([10, 30, last]),
                "learner": learner,
            }
            record = RECORD | {"config": plan.cells[arm.cell]}
            store.write_run(run_record(RunKey(arm.cell, seed), record), rows)
    return tmp_path


def test_the_articles_outputs_are_those_of_both_systems(store: Path) -> None:
    table = study_tables(open_results(store, "article", None))["article"]
    meant, written = table.values
    assert (meant["system"], written["system"]) == ("as meant", "as written")
    assert meant["average score_estimate"] == pytest.approx(140 / 3)
    # Two of three episodes fell, all three in the other: each one's last reward became -100.
    assert meant["with its penalty_estimate"] == pytest.approx((140 - 2 * 101) / 3)
    assert written["with its penalty_estimate"] == pytest.approx((60 - 3 * 101) / 3)
    assert meant["best episode_estimate"] == 100
    assert meant["episodes_estimate"] == 3
    # The first and the last tenth of the losses 1 to 20.
    assert (meant["first loss_estimate"], meant["last loss_estimate"]) == (1.5, 19.5)
    assert "469.1 is no average return" in table.notes[1]
    assert "at least 5" in table.notes[1]


def test_reward_and_loss_are_drawn_for_the_article_and_no_other_study(store: Path) -> None:
    results = open_results(store, "article", None)
    (figure,) = draw_figures(results, FIGURE_KINDS["training"])
    assert "reward of a training episode, as meant, at the end: 100" in figure.description
    assert "as written, at the end: 20" in figure.description


def test_references_of_the_usual_time_limit_do_not_judge_another_one(store: Path) -> None:
    results = open_results(store, "article", None)
    assert "aggregates" not in study_tables(results)
    for arm in results.runs.plan.arms:
        assert np.isnan(results.runs.scores(arm, "final", normalized=True)).all()
        assert np.isnan(results.runs.scores(arm, "reached_threshold")).all()
