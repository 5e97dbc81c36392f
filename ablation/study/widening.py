"""Levels beyond the edge of a tuned factor, continued as its own levels are. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from ablation.study.designs import Factor, Overrides

Named = dict[str, Overrides]


def widened(factor: Factor, number: int) -> Named | None:
    """Return a factor's levels with `number` more at each end, in order; None for one without order.

    A factor has an order if its levels, two or more, are rising or falling numbers of one key. Positive
    levels go on by the ratio of the last two, others and those with equal steps by their difference.
    """
    values = _numbers(factor)
    if values is None:
        return None
    ((key, _),) = next(iter(factor.overrides().values())).items()
    below = {str(x): {key: x} for x in reversed(_beyond(values[::-1], number))}
    above = {str(x): {key: x} for x in _beyond(values, number)}
    return below | factor.overrides() | above


def _numbers(factor: Factor) -> list[float] | None:
    """Return the levels of an ordered factor as numbers; None for another."""
    overrides = list(factor.overrides().values())
    values = [value for level in overrides for value in level.values()]
    one_key = {tuple(level) for level in overrides}
    if len(values) < 2 or len(one_key) != 1 or len(*one_key) != 1:
        return None
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in values):
        return None
    steps = _steps(values)
    return values if all(x > 0 for x in steps) or all(x < 0 for x in steps) else None


def _beyond(values: Sequence[float], number: int) -> list[float]:
    """Return up to `number` levels after the last one; whole numbers stay whole and do not repeat.

    A level beyond an irregular grid (1, 3, 10) has two digits.
    """
    last, before, steps = values[-1], values[-2], _steps(values)
    geometric = min(values) > 0 and not (len(steps) > 1 and _all_close(steps))
    regular = not geometric or _all_close([later / value for value, later in pairwise(values)])
    digits = 12 if regular else 2
    whole = all(isinstance(x, int) for x in values)
    levels: list[float] = []
    for at in range(1, number + 1):
        value = last * (last / before) ** at if geometric else last + (last - before) * at
        level = round(value) if whole else float(f"{value:.{digits}g}")
        if level in (last, *levels) or (geometric and level <= 0):
            break
        levels.append(level)
    return levels


def _all_close(values: Sequence[float]) -> bool:
    return all(math.isclose(value, values[0], rel_tol=1e-9) for value in values)


def _steps(values: Sequence[float]) -> list[float]:
    return [later - value for value, later in pairwise(values)]
