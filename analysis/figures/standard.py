"""The kinds of figures that every study can have, in the order of the page."""

from __future__ import annotations

from analysis.effects.study_results import StudyResults
from analysis.figures import curves, dose_response, effects, forks, interactions, sensitivity
from analysis.figures.draw import Drawings, FigureKind, each_environment, whole_study


def _curves(results: StudyResults, seeds: bool) -> Drawings:
    for environment, _ in results.environments:
        yield environment, curves.learning_curves(results, environment, seeds)


def _profiles(results: StudyResults, _seeds: bool) -> Drawings:
    if results.across and len(results.environments) > 1:
        yield "", curves.performance_profiles(results, None)
        return
    for environment, _ in results.environments:
        yield environment, curves.performance_profiles(results, environment)


STANDARD_FIGURES = (
    FigureKind("differences", "Differences from the baseline", whole_study(effects.forest_plot)),
    FigureKind("forks", "Effect by the moment of the change", each_environment(forks.effect_by_moment)),
    FigureKind("curves", "Learning curves", _curves, single_runs=True),
    FigureKind("dose_response", "Hyperparameter sensitivity", whole_study(dose_response.dose_response)),
    FigureKind("sensitivity", "Sensitivity by arm", each_environment(sensitivity.sensitivity_by_arm)),
    FigureKind("interactions", "Interaction plot", each_environment(interactions.interaction_plot)),
    FigureKind(
        "steps_to_threshold",
        "Steps to threshold",
        each_environment(curves.steps_to_threshold),
        details=True,
    ),
    FigureKind("performance_profiles", "Performance profiles", _profiles, details=True),
    FigureKind(
        "improvement", "Probability of improvement", whole_study(effects.improvement_plot), details=True
    ),
)
