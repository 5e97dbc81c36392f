"""Tables and figures of studies that are no control task: the Blind Cliffwalk, supervised streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ablation.store.files import write_json
from ablation.store.runs import RunKey, Store
from ablation.study.declaration import parse_study
from ablation.study.expand import expand
from ablation.study.plan import Arm
from analysis.figures.draw import draw_figures, save_figure
from analysis.report.report import open_results, study_tables
from analysis.studies.registry import FIGURE_KINDS
from analysis.studies.streams_figure import mean_by_group

from .analysis_helpers import RECORD, STUDY, make_store, outcome, resolve, run_record

Rows = list[dict[str, Any]]
CHAIN = STUDY | {
    "name": "chain",
    "environments": ["BlindCliffwalk-6", "BlindCliffwalk-4"],
    "baseline": {"agent.batch_size": 1, "train.env_steps": 1000},
    "factors": {"replay": {"levels": {"uniform": {}, "greedy": {"replay.kind": "greedy"}}}},
    "primary_score": "steps_to_threshold",
    "seeds": 7,
}
DIGITS = STUDY | {
    "name": "images",
    "environments": ["digits"],
    "factors": {"replay": {"levels": {"uniform": {}, "none": {"replay.kind": "none"}}}},
    "seeds": 3,
}


TEXT = DIGITS | {
    "name": "words",
    "environments": ["text"],
    "primary_score": "online_return",
    "baseline": {"train.env_steps": 100},
}


def no_episodes(arm: Arm, seed: int) -> Rows:
    return []


def store(
    root: Path,
    study: dict[str, Any],
    rows: Callable[[Arm, int], Rows],
    episodes: Callable[[Arm, int], Rows] = no_episodes,
) -> None:
    plan = expand(parse_study(study), resolve)
    write_json(Store(root).study_directory(study["name"]) / "plan.json", plan.as_json())
    for arm in plan.arms:
        for seed in arm.seeds:
            record = RECORD | {"config": plan.cells[arm.cell]}
            found = {"evaluations": rows(arm, seed), "episodes": episodes(arm, seed)}
            Store(root).write_run(run_record(RunKey(arm.cell, seed), record), found)


def row(step: int, episode: int, value: float) -> dict[str, Any]:
    names = {"env_step": step, "gradient_step": step, "episode": episode}
    return names | {"episode_return": value, "episode_length": 1}


def needed(arm: Arm, seed: int) -> int | None:
    """Return made-up updates; one run of greedy on six states never gets there."""
    if arm.name == "replay=greedy":
        return None if seed == 6 and arm.env_id.endswith("6") else 10 + seed
    return 100 * (seed + 1)


def chain_rows(arm: Arm, seed: int) -> Rows:
    last = needed(arm, seed)
    return [row(1, 0, -0.3), row(1000, 0, -0.2) if last is None else row(last, 0, -0.0009)]


def test_the_chains_table_has_medians_between_order_statistics_and_says_who_did_not_get_there(
    tmp_path: Path,
) -> None:
    store(tmp_path, CHAIN, chain_rows)
    table = study_tables(open_results(tmp_path, "chain", None))["cliffwalk"]
    assert table.headings == ["states", "transitions", "uniform", "greedy"]
    short, long = table.values
    assert [short["states"], short["transitions"], long["transitions"]] == [4, 30, 126]
    # Of seven runs the extreme two hold the median with 1 - 2/128, the next two with 1 - 16/128.
    assert [short[f"uniform_{end}"] for end in ("estimate", "low", "high")] == [400, 100, 700]
    assert [long[f"greedy_{end}"] for end in ("estimate", "low", "high")] == [13, 10, 1000]
    assert (short["greedy unfinished"], long["greedy unfinished"]) == (0, 1)
    assert table.rows[1][3].text.endswith("(7), 1 not finished")


def test_the_chains_figure_has_a_line_for_each_kind_through_its_medians(tmp_path: Path) -> None:
    store(tmp_path, CHAIN, chain_rows)
    (found,) = draw_figures(open_results(tmp_path, "chain", None), FIGURE_KINDS["cliffwalk"])
    axis = found.figure.axes[0]
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    lines = {str(line.get_label()): line.get_xydata() for line in axis.lines}
    np.testing.assert_array_equal(lines["uniform"], [[30, 400], [126, 400]])
    np.testing.assert_array_equal(lines["greedy"], [[30, 13], [126, 13]])
    assert "greedy: 30: 13" in found.description
    assert "↓ better" in axis.get_ylabel()


def test_the_figure_of_one_chain_and_two_runs_has_medians_without_intervals(tmp_path: Path) -> None:
    store(tmp_path, CHAIN | {"environments": CHAIN["environments"][:1], "seeds": 2}, chain_rows)
    (found,) = draw_figures(open_results(tmp_path, "chain", None), FIGURE_KINDS["cliffwalk"])
    save_figure(found, tmp_path, ("svg",))
    axis = found.figure.axes[0]
    lines = {str(line.get_label()): line.get_xydata() for line in axis.lines}
    np.testing.assert_array_equal(lines["uniform"], [[126, 150]])
    low, high = axis.get_ylim()
    assert low < 10.5 < 150 < high


def accuracy(arm: Arm, seed: int, step: int, label: int) -> float:
    """Return an accuracy that tells arm, seed, step and class apart."""
    return (len(arm.name) + seed + step / 10 + label / 100) / 50


def digit_rows(arm: Arm, seed: int) -> Rows:
    return [row(s, label, accuracy(arm, seed, s, label)) for s in (10, 20, 30) for label in range(10)]


def text_rows(arm: Arm, seed: int) -> Rows:
    worse = 1.5 if "none" in arm.name else 1.0
    times = enumerate((20, 60, 100), start=1)
    return [row(s, topic, -worse * (time + topic)) for time, s in times for topic in range(5)]


def blocks(arm: Arm, seed: int) -> Rows:
    ends = {"terminated": False, "truncated": True}
    return [row(50, 0, -2.0) | ends, row(100, 1, -3.0) | ends]


def test_the_digits_figure_maps_the_mean_accuracy_of_each_class_at_each_evaluation(
    tmp_path: Path,
) -> None:
    store(tmp_path, DIGITS, digit_rows)
    results = open_results(tmp_path, "images", None)
    (found,) = draw_figures(results, FIGURE_KINDS["groups"])
    assert found.name == "groups-digits"
    shown = [axis.get_title() for axis in found.figure.axes if axis.get_title()]
    assert shown == ["baseline (n=3)", "replay=none (n=3)"]
    for arm, axis in zip(results.runs.plan.arms, found.figure.axes, strict=False):
        steps, mean, n = mean_by_group(results, arm)
        expected = [[accuracy(arm, 1, step, label) for step in (10, 20, 30)] for label in range(10)]
        np.testing.assert_array_equal(steps, [10, 20, 30])
        np.testing.assert_allclose(mean, expected)
        assert n == 3
        (shown_map,) = axis.collections
        np.testing.assert_allclose(np.asarray(shown_map.get_array()).reshape(10, 3), expected)


def test_the_table_of_a_stream_says_what_was_kept_of_its_first_turn(tmp_path: Path) -> None:
    store(tmp_path, TEXT, text_rows, blocks)
    results = open_results(tmp_path, "words", None)
    table = study_tables(results)["streams"]
    baseline, none = table.values
    # The first topic's loss by evaluation is 1, 2 and 3 with replay, and 1.5 times that without.
    first = [baseline[f"first turn, at {when} end_estimate"] for when in ("its", "the run's")]
    assert (first, baseline["change_estimate"], none["change_estimate"]) == ([1, 3], 2, 3)
    assert baseline["all, at the run's end_estimate"] == 5
    assert baseline["before learning_estimate"] == 2.5
    (figure,) = draw_figures(results, FIGURE_KINDS["running"])
    assert "↓ better" in figure.figure.get_supylabel()
    lines = {str(line.get_label()): line.get_ydata() for line in figure.figure.axes[0].lines}
    np.testing.assert_allclose(lines["baseline"], [2, 3])


def test_other_studies_have_neither(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, outcome)
    results = open_results(tmp_path, "s", None)
    assert "cliffwalk" not in study_tables(results)
    for kind in ("training", "cliffwalk", "groups", "running"):
        assert not list(draw_figures(results, FIGURE_KINDS[kind]))
