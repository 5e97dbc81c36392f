"""A study's figures in a notebook: drawn into axes of one's own, or as a figure."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablation.config.near import one_of
from ablation.results.load import StudyRuns
from analysis.effects.study_results import StudyResults
from analysis.figures import curves
from analysis.figures.effects import draw_differences, forest_plot
from analysis.figures.returns import return_curves
from analysis.figures.sensitivity import draw_sensitivity, sensitivity_by_arm
from analysis.figures.style import PAPER, STYLE
from analysis.report.errors import RequestError


class Plots:
    """The figures of one study.

    With `ax`, each draws one panel with all arms into it and returns it; without, it returns a figure,
    as on the study's page. `environment` is an environment's name, by default the first; `score` the
    primary one. All raise `RequestError` where the runs have nothing to draw.
    """

    def __init__(self, runs: StudyRuns, of_score: Callable[[str | None], StudyResults]) -> None:
        self._runs = runs
        self._of_score = of_score

    def differences(
        self, ax: Axes | None = None, *, environment: str | None = None, score: str | None = None
    ) -> Axes | Figure:
        """Draw each arm's difference from the baseline with its interval, significant ones filled."""
        results, name = self._of_score(score), self._environment(environment)
        if ax is None:
            return _figure(lambda: forest_plot(results))
        draw_differences(ax, results, self._runs.arms(name)[0].env_id)
        return ax

    def curves(
        self,
        ax: Axes | None = None,
        *,
        seeds: bool = False,
        environment: str | None = None,
    ) -> Axes | Figure:
        """Draw the mean return by environment step; `seeds` adds the single runs.

        Returns are of evaluations; of training episodes if no run of the environment was evaluated.
        """
        results, name = self._of_score(None), self._environment(environment)
        if ax is None:
            return _figure(lambda: curves.learning_curves(results, name, seeds))
        lines = return_curves(self._runs, name)
        if lines is None:
            raise RequestError(NOTHING)
        curves.draw_arms(ax, self._runs, name, lines.line, lines.axis_labels, seeds)
        return ax

    def sensitivity(
        self, ax: Axes | None = None, *, environment: str | None = None, score: str | None = None
    ) -> Axes | Figure:
        """Draw the score by the level of a tuned or crossed numeric factor, a line for each arm."""
        results, name = self._of_score(score), self._environment(environment)
        if ax is None:
            return _figure(lambda: sensitivity_by_arm(results, name))
        if draw_sensitivity(ax, results, name) is None:
            raise RequestError(NOTHING)
        return ax

    def profiles(
        self, ax: Axes | None = None, *, environment: str | None = None, score: str | None = None
    ) -> Axes | Figure:
        """Draw the fraction of runs with a score above x (performance profile), with Wilson's band."""
        results, name = self._of_score(score), self._environment(environment)
        if ax is None:
            return _figure(lambda: curves.performance_profiles(results, name))
        found = curves.profile_lines(results, name)
        if found is None:
            raise RequestError(NOTHING)
        lines, axis_labels = found
        curves.draw_arms(ax, self._runs, name, lambda arm: lines[arm.name], axis_labels)
        return ax

    def _environment(self, name: str | None) -> str:
        known = self._runs.environments
        if name is not None and name not in known:
            raise RequestError(f"no environment '{name}'; {one_of(name, known, 'there are')}")
        return name or known[0]


NOTHING = "the runs of this study have nothing to draw in this figure"


def _figure(draw: Callable[[], tuple[Figure, str] | None]) -> Figure:
    with mpl.rc_context(STYLE):
        drawing = draw()
    if drawing is None:
        raise RequestError(NOTHING)
    # A notebook may be dark; the ink is not.
    drawing[0].set_facecolor(PAPER)
    return drawing[0]
