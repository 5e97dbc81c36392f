"""Scores: right for runs worked out by hand, missing where there is nothing to compute from."""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np
import pytest

from ablation.results.references import reference
from ablation.results.scores import SCORES, RunRows, score_run, summary_scores
from ablation.store.records import LaneRecords
from ablation.study.score_names import SCORE_NAMES

from .analysis_helpers import columns, evaluation_rows


def run(levels: list[float], trained: int = 150, env_id: str = "CartPole-v1") -> RunRows:
    episodes = [{"env_step": i, "gradient_step": i, "episode_return": float(i)} for i in range(trained)]
    return RunRows(columns(episodes), columns(evaluation_rows(levels)), env_id, 500)


def test_every_score_of_the_schema_is_defined() -> None:
    assert set(SCORE_NAMES) == set(SCORES)


def test_scores_of_a_known_run() -> None:
    known = run([1, 2, 3, 4, 5, 6, 7, 8, 9, 30])
    assert score_run("final", known) == 30
    assert score_run("area_under_curve", known) == 7.5
    assert score_run("best", known) == 30
    assert score_run("last_training_episodes", known) == np.mean(np.arange(50, 150))
    assert score_run("final", run([1, 2])) == 2


def test_the_online_return_weighs_training_episodes_by_their_steps() -> None:
    episodes = [(10, 10.0), (40, 30.0), (50, 2.0)]
    rows = [{"env_step": at, "gradient_step": 0, "episode_return": value} for at, value in episodes]
    none = columns([])
    known = RunRows(columns(rows), none, "CartPole-v1", 60)
    assert score_run("online_return", known) == (10 * 10 + 30 * 30 + 10 * 2) / 50
    assert math.isnan(score_run("final", known))
    assert math.isnan(score_run("online_return", RunRows(none, columns(rows))))


def test_the_area_per_gradient_step_weighs_evaluations_by_the_learning_before_them() -> None:
    # Gradient steps 10, 40, 90: the evaluations stand for 10, 30 and 50 of them.
    assert score_run("area_per_gradient_step", run([9, 3, 0])) == pytest.approx((10 * 9 + 30 * 3) / 90)


def test_steps_to_the_threshold_are_those_of_the_first_evaluation_at_it() -> None:
    assert score_run("steps_to_threshold", run([100, 475, 200, 480])) == 100
    assert score_run("reached_threshold", run([100, 475, 200, 480])) == 1


def test_a_run_that_never_reaches_the_threshold_is_censored_at_its_length() -> None:
    assert score_run("steps_to_threshold", run([100, 474])) == 500
    assert score_run("reached_threshold", run([100, 474])) == 0


def test_keeping_the_threshold_takes_all_of_the_last_tenth() -> None:
    assert score_run("kept_threshold", run([0] * 18 + [480, 475])) == 1
    assert score_run("kept_threshold", run([480] * 18 + [474, 500])) == 0


def test_without_references_there_is_no_threshold_and_no_normalisation() -> None:
    unknown = run([500, 500], env_id="Nowhere-v0")
    assert reference("Nowhere-v0") is None
    for name in ("steps_to_threshold", "reached_threshold", "kept_threshold"):
        assert math.isnan(score_run(name, unknown))


def test_a_run_without_rows_or_with_broken_ones_scores_nothing() -> None:
    empty = {name: np.array([]) for name in ("env_step", "gradient_step", "episode_return")}
    assert all(math.isnan(score_run(name, RunRows(empty, empty, "CartPole-v1"))) for name in SCORES)
    broken = run([1.0, math.inf])
    assert math.isnan(score_run("final", broken))


def test_a_job_summarises_its_run_by_the_same_scores() -> None:
    records = LaneRecords(evaluation_rows([2.0]), evaluation_rows([1.0, 480.0]))

    summary = summary_scores(records, "CartPole-v1", 500)
    assert set(summary) == set(SCORES)
    assert summary["final"] == 480
    assert "reached_threshold" not in summary_scores(records)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0"])
def test_references_are_gymnasiums_thresholds_and_what_random_actions_get(env_id: str) -> None:
    known = reference(env_id)
    assert known is not None
    env = gym.make(env_id)
    assert env.spec is not None
    assert known.threshold == env.spec.reward_threshold
    random = np.random.default_rng(7)
    returns = []
    for episode in range(200 if env_id == "CartPole-v1" else 5):
        env.reset(seed=episode)
        total, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(int(random.integers(env.action_space.n)))  # type: ignore[attr-defined]
            total, over = total + float(reward), terminated or truncated
        returns.append(total)
    # Four standard errors; Acrobot and MountainCar hardly ever end early.
    tolerance = 4 * np.std(returns) / math.sqrt(len(returns)) + 1
    assert np.mean(returns) == pytest.approx(known.random, abs=tolerance)
    assert known.normalize(known.random) == 0
    assert known.normalize(known.threshold) == 1
