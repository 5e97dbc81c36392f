"""Figures: which a study has follows from its levels; arms can be told apart; files are complete."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ablation.results.load import load
from ablation.study.plan import Arm
from analysis.effects.design_grid import DesignGrid
from analysis.effects.study_results import StudyResults
from analysis.figures.curves import reached_threshold_line
from analysis.figures.dose_response import numeric_levels
from analysis.figures.draw import FORMATS, StudyFigure, draw_figures, save_figure
from analysis.figures.forks import changes_by_moment
from analysis.figures.intervals import score_bounds, within_reach
from analysis.figures.labels import wrapped
from analysis.figures.returns import learning_curve
from analysis.figures.style import COLORS, PAPER, PER_PANEL, arm_styles, luminance, shades
from analysis.report.report import open_results
from analysis.statistics import Estimate
from analysis.studies.registry import FIGURE_KINDS

from .analysis_helpers import CROSSED, STUDY, make_store, noise, outcome

CAPACITY = {"key": "replay.capacity", "levels": [16]}


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
    assert "capacity=16 (CartPole-v1) -49.94 [-50.39, -49.48] significant" in figure.description


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


@pytest.mark.parametrize("levels", [4, 24, 61])
def test_legends_lie_beside_the_curves_and_no_panel_has_more_arms_than_can_be_told_apart(
    tmp_path: Path, levels: int
) -> None:
    rates = {"key": "agent.learning_rate", "levels": [0.001 * (at + 1) for at in range(levels)]}
    make_store(tmp_path, STUDY | {"factors": {"rate": rates}, "seeds": 3}, level)
    (made,) = draw(open_results(tmp_path, "s", None), "curves")
    made.figure.draw_without_rendering()
    shown = 0
    for axes in made.figure.axes:
        legend = axes.get_legend()
        names = [text.get_text() for text in legend.get_texts()]
        assert names[0] == "baseline"
        assert 1 < len(names) <= PER_PANEL + 1
        shown += len(names) - 1
        frame, curves = legend.get_window_extent(), axes.get_window_extent()
        assert curves.width > 2 * made.figure.dpi
        assert frame.x0 >= curves.x1
        assert frame.x1 <= made.figure.bbox.x1 + 1
        assert frame.height < curves.height
    assert shown == levels - 1, "one of them is the baseline"


def test_a_factor_has_one_hue_everywhere_and_its_levels_differ_without_color(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, level)
    results = open_results(tmp_path, "s", None)
    styles = arm_styles(results.runs)
    capacity = [style for name, style in styles.items() if name.startswith("capacity=")]
    assert len(capacity) == 2
    assert np.ptp([hue(style.color) for style in capacity]) < 0.05
    assert abs(hue(styles["replay=none"].color) - hue(capacity[0].color)) > 0.1
    for attribute in ("color", "dashes", "marker"):
        assert len({getattr(style, attribute) for style in capacity}) == 2
    for kind in ("differences", "dose_response", "curves", "improvement"):
        (figure,) = draw(results, kind)
        used = {line.get_color() for axis in figure.figure.axes for line in axis.lines}
        assert {style.color for style in capacity} <= used, kind


def hue(color: str) -> float:
    return float(matplotlib.colors.rgb_to_hsv(matplotlib.colors.to_rgb(color))[0])


@pytest.mark.parametrize("n", [1, 2, 60])
@pytest.mark.parametrize("at", range(len(COLORS)))
def test_shades_stand_out_from_light_and_dark_pages(at: int, n: int) -> None:
    for style in shades(at, n):
        for paper in ("#ffffff", "#16181b"):
            light, dark = sorted((luminance(style.color), luminance(paper)), reverse=True)
            # WCAG 2.2 asks for 3 : 1 of graphics (success criterion 1.4.11).
            assert (light + 0.05) / (dark + 0.05) >= 3


def test_a_filled_marker_is_significant_in_every_figure(results: Path) -> None:
    made = open_results(results, "s", None)
    significant = {row.arm.name for row in made.comparisons if row.significant}
    assert significant == {"capacity=16"}
    (forest,) = draw(made, "differences")
    (axis,) = forest.figure.axes
    names = [text.get_text() for text in axis.get_yticklabels()]
    marked = {names[round(float(line.get_ydata()[0]))]: line for line in estimates(axis)}
    filled = {name for name, line in marked.items() if line.get_markerfacecolor() != PAPER}
    assert (set(marked), filled) == ({"capacity=16", "capacity=500"}, significant)
    (doses,) = draw(made, "dose_response")
    faces = {line.get_xdata()[0]: line.get_markerfacecolor() for line in estimates(doses.figure.axes[0])}
    # The baseline, 64, is filled as well.
    assert [x for x, face in faces.items() if face != PAPER] == [16, 64]


def estimates(axis: Axes) -> list[Line2D]:
    return [line for line in axis.lines if line.get_markersize() == 6 and len(line.get_xdata()) == 1]


def test_every_run_is_a_point_beside_its_interval(results: Path) -> None:
    made = open_results(results, "s", None)
    (forest,) = draw(made, "differences")
    (axis,) = forest.figure.axes
    arms = {arm.name: made.runs.scores(arm, "final") for arm in made.runs.plan.arms}
    shown = [line.get_xdata() for line in axis.lines if line.get_markersize() == 2.2]
    expected = [arms[name] - arms["baseline"] for name in arms if name.startswith("capacity=")]
    np.testing.assert_allclose(np.sort(np.concatenate(shown)), np.sort(np.concatenate(expected)))


def test_no_run_lies_outside_of_the_axes(tmp_path: Path) -> None:
    make_store(
        tmp_path, STUDY, lambda arm, seed: 300.0 + seed - 250 * (seed == 0 and "capacity" in arm.name)
    )
    (forest,) = draw(open_results(tmp_path, "s", None), "differences")
    (axis,) = forest.figure.axes
    low, high = axis.get_xlim()
    runs = [x for line in axis.lines if line.get_markersize() == 2.2 for x in line.get_xdata()]
    assert low < min(runs) == -250
    assert max(runs) < high


def test_the_description_of_differences_is_true_where_none_some_or_all_are_significant(
    tmp_path: Path,
) -> None:
    def described(outcome: Callable[[Arm, int], float | str]) -> str:
        make_store(tmp_path / str(len(list(tmp_path.iterdir()))), STUDY, outcome)
        newest = max(tmp_path.iterdir(), key=lambda path: int(path.name))
        return draw(open_results(newest, "s", None), "differences")[0].description

    none = described(lambda arm, seed: 100.0 + noise(arm.name, seed))
    assert none.endswith("None differs significantly.")
    assert described(outcome).endswith("All others are inconclusive.")
    all_of_them = described(lambda arm, seed: 100.0 * (arm.name == "baseline") + noise(arm.name, seed))
    assert all_of_them.endswith("All differ significantly.")


def test_bands_end_where_no_return_can_lie_and_references_are_lines(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, lambda arm, seed: 500.0 if seed % 2 else 400.0)
    results = open_results(tmp_path, "s", None)
    line = learning_curve(results.runs, results.runs.plan.arms[0])
    assert line is not None
    assert line.high.max() == 500, "CartPole's largest return"
    (figure,) = draw(results, "curves")
    axis = figure.figure.axes[0]
    assert {text.get_text() for text in axis.texts} == {"random", "solved"}
    level_lines = [line.get_ydata()[0] for line in axis.lines if len(set(line.get_ydata())) == 1]
    assert {22.1, 475.0} <= set(level_lines)
    assert "References: random 22.1, solved 475." in figure.description


def test_intervals_by_arm_end_where_no_return_can_lie(tmp_path: Path) -> None:
    make_store(tmp_path, CROSSED, lambda arm, seed: 500.0 if seed % 2 else 400.0)
    (figure,) = draw(open_results(tmp_path, "crossed", None), "sensitivity")
    (axis,) = figure.figure.axes
    ends = [line.get_ydata() for line in axis.lines if line.get_linewidth() == 0.8 and line.get_alpha()]
    assert len(ends) == 6
    np.testing.assert_allclose(ends, [[392.52, 500]] * 6, atol=0.01)
    assert "[393, 500]" in figure.description
    runs = [line.get_ydata() for line in axis.lines if line.get_markersize() == 2.2]
    np.testing.assert_array_equal(runs, [[400.0, 500.0] * 3] * 6)


def test_intervals_of_steps_lie_within_a_run(tmp_path: Path) -> None:
    make_store(tmp_path, CROSSED, lambda arm, seed: 500.0 if seed % 2 else 400.0)
    results = open_results(tmp_path, "crossed", "steps_to_threshold")
    length = float(next(iter(results.runs.plan.cells.values()))["train"]["env_steps"])
    bounds = score_bounds(results, results.runs.environments[0])
    assert bounds == (0, length)
    wide = within_reach(Estimate(100, -50, 2 * length, 3), np.array([20.0, 180.0]), bounds)
    assert (wide.low, wide.high) == (0, length)
    (figure,) = draw(results, "sensitivity")
    (axis,) = figure.figure.axes
    ends = [line.get_ydata() for line in axis.lines if line.get_linewidth() == 0.8 and line.get_alpha()]
    # The made runs are said to need up to 500 steps, more than their length; Student's t ends at 522.
    np.testing.assert_allclose(ends, [[177.56, 500]] * 6, atol=0.01)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("replay=proportional, capacity=250", ["replay=proportional,", "capacity=250"]),
        ("batch size per gradient step=1024", ["batch size per", "gradient step=1024"]),
        ("none, fork at=0.1 (n=20)", ["none, fork at=0.1", "(n=20)"]),
        ("replay=everything_that_was_ever_seen", ["replay=", "everything_that_was_ever_seen"]),
    ],
)
def test_names_on_several_lines_have_whole_words(name: str, lines: list[str]) -> None:
    assert wrapped(name, 22).splitlines() == lines


def test_axes_say_in_words_what_they_show_and_which_direction_is_better(results: Path) -> None:
    for score, words, arrow in (
        ("final", "mean return, last 10 % of evaluations", "→ better"),
        ("steps_to_threshold", "environment steps to the solved threshold", "← better"),
    ):
        (figure,) = draw(open_results(results, "s", score), "differences")
        label = figure.figure.get_supxlabel()
        assert words in label
        assert arrow in label
    (curves,) = draw(open_results(results, "s", None), "curves")
    assert "↑ better" in curves.figure.get_supylabel()


@pytest.mark.parametrize("score", ["final", "steps_to_threshold"])
def test_lighter_fields_of_a_heat_map_are_better(score: str, tmp_path: Path) -> None:
    make_store(tmp_path, CROSSED, lambda arm, seed: 2000.0 if "capacity=16" in arm.name else 600.0)
    (figure,) = draw(open_results(tmp_path, "crossed", score), "interactions")
    heat_map = figure.figure.axes[0]
    assert heat_map.get_title(loc="right") == "lighter is better"
    (image,) = heat_map.images
    light = [luminance(image.cmap(image.norm(row[0]))) for row in np.asarray(image.get_array())]
    names = [text.get_text() for text in heat_map.get_yticklabels()]
    assert light[names.index("16")] > light[names.index("64")]


def test_fields_of_a_heat_map_have_the_decimals_of_the_tables(tmp_path: Path) -> None:
    make_store(tmp_path, CROSSED, lambda arm, seed: 100 + 0.01 * seed + len(arm.name))
    (figure,) = draw(open_results(tmp_path, "crossed", None), "interactions")
    fields = [text.get_text().split("\n")[0] for text in figure.figure.axes[0].texts]
    assert len(fields) > 1
    for field in fields:
        assert re.fullmatch(r"1\d\d\.\d{3}", field)
        assert f": {field} [" in figure.description


def test_names_get_a_font_that_has_them_or_the_description_says_which_none_has(tmp_path: Path) -> None:
    lost = "\U000e0041"
    odd = {"levels": {"plain": {}, f"ʘ {lost}": {"replay.capacity": 16}}}
    make_store(tmp_path, STUDY | {"factors": {"name": odd}}, level)
    (figure,) = draw(open_results(tmp_path, "s", None), "differences")
    assert f"No font here has {lost}: PNG and PDF show boxes instead." in figure.description
    for path in save_figure(figure, tmp_path):
        assert path.stat().st_size > 0


def test_forks_are_drawn_by_their_moment_with_a_line_for_each_change(tmp_path: Path) -> None:
    forks = {"design": "one_factor_at_a_time", "fork": {"at": [0.5, 0.25]}}
    study = STUDY | {
        "factors": {"replay": {"levels": {"none": {"replay.kind": "none"}}}, "capacity": CAPACITY},
        "design": ["one_factor_at_a_time", forks],
    }

    def loss(arm: Arm, seed: int) -> float:
        """Return 300, less what `replay` off takes away: the more, the earlier."""
        off = 100 * (1 - float(arm.levels.get("fork at", 0))) if "replay" in arm.levels else 0
        return 300.0 + 20 * seed - off + (seed % 2) * ("capacity" in arm.levels)

    make_store(tmp_path, study, loss)
    made = open_results(tmp_path, "s", None)
    changes = changes_by_moment(made, "CartPole-v1")
    values = {
        name: {at: round(row.difference.value, 6) for at, row in moments.items() if row.difference}
        for name, moments in changes.items()
    }
    assert values == {
        "replay=none": {0: -100, 0.25: -75, 0.5: -50},
        "capacity=16": {0: 0.5, 0.25: 0.5, 0.5: 0.5},
    }
    (figure,) = draw(made, "forks")
    assert "after 25% of the run -75.0" in figure.description
    assert "from the start -100" in figure.description
    styles, (axis,) = arm_styles(made.runs), figure.figure.axes
    for name in ("replay=none", "capacity=16"):
        hues = [hue(style.color) for arm, style in styles.items() if arm.startswith(name)]
        assert len(hues) == 3
        assert np.ptp(hues) < 0.05
    points = [line for line in axis.lines if line.get_markersize() == 2.2]
    assert {line.get_color() for line in points} == {styles[name].color for name in changes}
    shown = sorted(float(np.mean(line.get_ydata())) for line in points)
    np.testing.assert_allclose(shown, [-100, -75, -50, 0.5, 0.5, 0.5])
    assert all(row.correlation > 0.99 for row in made.comparisons[1:])
