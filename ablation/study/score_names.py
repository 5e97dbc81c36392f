"""The names that a study's scores can have."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from ablation.config.near import one_of
from ablation.config.source_modules import is_component

SCORE_NAMES = (
    "final",
    "area_under_curve",
    "area_per_gradient_step",
    "best",
    "last_training_episodes",
    "online_return",
    "steps_to_threshold",
    "reached_threshold",
    "kept_threshold",
)
"""The scores of a run; `ablation.results.scores` defines each."""


def _score(name: str) -> str:
    if name not in SCORE_NAMES and not is_component(name):
        raise ValueError(f"{one_of(name, SCORE_NAMES)}, or your own as package.module:function")
    return name


ScoreName = Annotated[str, AfterValidator(_score)]
