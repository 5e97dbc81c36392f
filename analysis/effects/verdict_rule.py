"""The one rule on how many seeds a verdict needs; tables, figures, pages and commands all ask here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from ablation.study.looks import Looks
from ablation.study.plan import Plan
from analysis.statistics import Difference, Estimate

Compared = TypeVar("Compared", bound=Difference)


def enough_seeds(n: int, plan: Plan) -> bool:
    """Return whether `n` seeds are enough for a study to call a difference significant or not.

    Never where seeds were added at looks: there the looks decide, and a p-value would not hold.
    """
    return plan.looks is None and n >= plan.study.verdicts_from


def tested(difference: Compared, plan: Plan) -> Compared:
    """Return a difference, without its p-value if it has too few seeds for a verdict."""
    return difference if enough_seeds(difference.n, plan) else replace(difference, p_value=math.nan)


def verdict_notes(differences: Iterable[Estimate | None], plan: Plan) -> list[str]:
    """Return the note on how looks decided, or on differences with too few seeds, if there are any."""
    if plan.looks is not None:
        return [_on_looks(plan.looks)]
    if all(each is None or not each.n or enough_seeds(each.n, plan) for each in differences):
        return []
    return [
        f"Fewer than {plan.study.verdicts_from} seeds: estimates and intervals without p-values, stars, "
        "bold or verdicts (verdicts_from: N in the study's file asks for them from N seeds on)."
    ]


def _on_looks(looks: Looks) -> str:
    declared = ", ".join(map(str, looks.declared))
    taken = "" if looks.finished else f"; {looks.taken} of these looks were taken"
    return (
        f"Seeds were added at looks declared before ({declared} seeds{taken}), and an arm stopped once "
        "it was found to differ from the baseline: arms have different n. *: found different in the "
        "primary score by group-sequential sign-flip tests with Holm's method, whose family-wise error "
        "over all looks is at most 5 % in an environment; the interval of the difference is that of the "
        "same test. After the last look all others are inconclusive. p-values and bold are left out, as "
        "they would not hold; means of arms that stopped early are a little too far from the baseline's."
    )
