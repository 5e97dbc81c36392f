"""Figures: which a study has follows from its levels; arms can be told apart; files are complete."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import matplotlib.colors
import numpy as np
import pytest

from ablation.results.load import load
from ablation.study.plan import Arm
from analysis.effects.design_grid import DesignGrid
from analysis.effects.study_results import StudyResults
from analysis.figures.curves import reached_threshold_line
from analysis.figures.dose_response import numeric_levels
from analysis.figures.draw import FORMATS, StudyFigure, draw_figures, save_figure
from analysis.figures.returns import learning_curve
from analysis.figures.style import COLORS, style_at
from analysis.report.report import open_results
from analysis.studies.registry import FIGURE_KINDS

from .analysis_helpers import CROSSED, STUDY, make_store, outcome


@pytest.fixture
def results(tmp_path: Path) -> Path:
    make_store(tmp_path, STUDY, outcome)
    return tmp_path


def draw(made: StudyResults, kind: str) -> list[StudyFigure]:
    return list(draw_figures(made, FIGURE_KINDS[kind]))


def drawn(made: StudyResults) -> set[str]:
    return {figure.name for kind in FIGURE_KINDS for figure in draw(made, kind)}


def level(arm: Arm, seed: int) -> float:
    return 300.0 + 20 * seed + 7 * len(arm.name)


def test_the_figures_follow_from_the_levels(tmp_path: Path) -> None:
    usual = {"differences", "improvement"} | {
        f"{kind}-CartPole-v1" for kind in ("curves", "steps_to_threshold", "performance_profiles")
    }
    make_store(tmp_path, STUDY, level)
    assert drawn(open_results(tmp_path, "s", None)) == usual | {"dose_response"}
    make_store(tmp_path, CROSSED, level)
    crossed = drawn(open_results(tmp_path, "crossed", None))
    # Three batch sizes along the baseline make a curve, one for each capacity; two factors a heat map.
    assert crossed == usual | {"dose_response", "interactions-CartPole-v1", "sensitivity-CartPole-v1"}


def test_numeric_levels_are_named_as_the_study_names_its_levels() -> None:
    arms = [Arm(name, "arm", "pole", "CartPole-v1", {}, {}, name, [0]) for name in "abc"]
    levels = ["2^-12", "2^-14", "2^-10"]
    arm_at: dict[tuple[str, ...], Arm] = {(level,): arm for level, arm in zip(levels, arms, strict=True)}
    found = numeric_levels(DesignGrid({"step size": levels}, arm_at), "step size")
    assert [level for level, _ in found.values()] == ["2^-14", "2^-12", "2^-10"]
    assert [arm.name for _, arm in found.values()] == ["b", "a", "c"]


def test_an_environment_without_threshold_has_no_steps_to_it(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, level, config={"env": {"id": "Nowhere-v0"}, "train": {"env_steps": 500}})
    made = open_results(tmp_path, "s", None)
    assert draw(made, "steps_to_threshold") == []


def test_a_study_without_runs_has_no_figures(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, lambda arm, seed: "missing")
    assert drawn(open_results(tmp_path, "s", None)) == set()


def test_a_figure_is_written_as_svg_png_and_pdf_and_says_what_it_shows(
    results: Path, tmp_path: Path
) -> None:
    made = open_results(results, "s", None)
    (figure,) = draw(made, "differences")
    paths = save_figure(figure, tmp_path)
    starts = {path.suffix[1:]: path.read_bytes()[:5] for path in paths}
    assert set(starts) == set(FORMATS)
    assert (starts["svg"], starts["png"][1:4], starts["pdf"]) == (b"<?xml", b"PNG", b"%PDF-")
    assert "capacity=16 (CartPole-v1) -49.9 [-50.4, -49.5] significant" in figure.description


def test_svg_files_are_the_same_when_written_again(results: Path, tmp_path: Path) -> None:
    texts = []
    for _ in range(2):
        (figure,) = draw(open_results(results, "s", None), "curves")
        texts.append(save_figure(figure, tmp_path, ("svg",))[0].read_text())
    assert texts[0] == texts[1]


def test_curves_are_means_with_t_intervals_over_the_runs_that_got_so_far(results: Path) -> None:
    runs = load("s", results)
    line = learning_curve(runs, runs.plan.arms[0])
    assert line is not None
    last = runs.scores(runs.plan.arms[0], "final")
    half = 2.5705818 * last.std(ddof=1) / math.sqrt(6)
    assert line.estimate[-1] == pytest.approx(last.mean())
    assert line.high[-1] - line.estimate[-1] == pytest.approx(half)
    np.testing.assert_array_equal(line.x, np.arange(50, 501, 50))


def test_steps_to_threshold_count_runs_from_the_step_that_they_reached_it(tmp_path: Path) -> None:
    # Evaluations rise by a tenth each: 475 of 500 is reached at the last, of 1000 at the fifth.
    make_store(tmp_path, STUDY, lambda arm, seed: (400.0, 500.0, 1000.0)[seed % 3])
    runs = load("s", tmp_path)
    line = reached_threshold_line(runs, runs.plan.arms[0])
    assert line is not None
    np.testing.assert_allclose(line.estimate, [0] * 4 + [1 / 3] * 5 + [2 / 3])


@pytest.mark.parametrize("levels", [4, 24, 40])
def test_a_legend_lies_beside_many_curves_and_leaves_them_their_place(
    tmp_path: Path, levels: int
) -> None:
    rates = {"key": "agent.learning_rate", "levels": [0.001 * (at + 1) for at in range(levels)]}
    make_store(tmp_path, STUDY | {"factors": {"rate": rates}, "seeds": 3}, level)
    (made,) = draw(open_results(tmp_path, "s", None), "curves")
    made.figure.draw_without_rendering()
    (axes,) = made.figure.axes
    legend = axes.get_legend()
    assert len(legend.get_texts()) == levels, "one of them is the baseline"
    frame, curves = legend.get_window_extent(), axes.get_window_extent()
    assert frame.y1 - frame.y0 < made.figure.bbox.height
    assert curves.width > 2.5 * made.figure.dpi
    if levels > 4:
        assert frame.x0 >= curves.x1
        assert frame.x1 <= made.figure.bbox.x1 + 1


def test_sixty_arms_have_looks_of_their_own_and_neighbours_differ_without_color() -> None:
    looks = [style_at(at) for at in range(60)]
    assert len({(look.color, look.dashes) for look in looks}) == 60
    for one, next_ in itertools.pairwise(looks):
        assert one.color != next_.color
        assert one.dashes != next_.dashes
        assert one.marker != next_.marker


@pytest.mark.parametrize("paper", ["#ffffff", "#16181b"])
@pytest.mark.parametrize("color", COLORS)
def test_colors_stand_out_from_light_and_dark_pages(color: str, paper: str) -> None:
    light, dark = sorted((_luminance(color), _luminance(paper)), reverse=True)
    # WCAG 2.2 asks for 3 : 1 of graphics (success criterion 1.4.11).
    assert (light + 0.05) / (dark + 0.05) >= 3


def _luminance(color: str) -> float:
    parts = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in matplotlib.colors.to_rgb(color)
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
