"""The one rule on how many seeds a verdict needs; tables, figures, pages and commands all ask here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from ablation.study.declaration import Study
from analysis.statistics import Difference, Estimate

Compared = TypeVar("Compared", bound=Difference)


def enough_seeds(n: int, study: Study) -> bool:
    """Return whether `n` seeds are enough for a study to call a difference significant or not."""
    return n >= study.verdicts_from


def tested(difference: Compared, study: Study) -> Compared:
    """Return a difference, without its p-value if it has too few seeds for a verdict."""
    return difference if enough_seeds(difference.n, study) else replace(difference, p_value=math.nan)


def verdict_notes(differences: Iterable[Estimate | None], study: Study) -> list[str]:
    """Return the note on differences that have runs, but too few for a verdict, if there are any."""
    if all(each is None or not each.n or enough_seeds(each.n, study) for each in differences):
        return []
    return [
        f"Fewer than {study.verdicts_from} seeds: estimates and intervals without p-values, stars, bold "
        "or verdicts (verdicts_from: N in the study's file asks for them from N seeds on)."
    ]
