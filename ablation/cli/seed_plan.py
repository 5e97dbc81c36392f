"""How many seeds: `plan power=0.8 difference=40` says what they find, `minutes=30` what fits a time."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ablation.cli.messages import console, plural
from ablation.cli.open_study import OpenStudy
from ablation.config.validation import ConfigError
from ablation.study.seeds import with_seeds
from ablation.sweep.estimates.forecast import forecast

MOST_SEEDS = 1_000
"""More are not looked for."""


@dataclass(frozen=True)
class SeedQuestion:
    """What the command line asks about seeds: `None` where it does not."""

    power: float | None = None
    difference: float | None = None
    minutes: float | None = None


def seed_question(words: Sequence[str]) -> tuple[SeedQuestion, list[str]]:
    """Return what a command line asks about seeds, and its other words; raises `ConfigError`."""
    given: dict[str, float] = {}
    others = []
    for word in words:
        key, _, value = word.partition("=")
        if key in SeedQuestion.__dataclass_fields__:
            given[key] = _number(key, value)
        else:
            others.append(word)
    if "difference" in given and "power" not in given:
        raise ConfigError("difference", given["difference"], "goes with power, as in power=0.8")
    return SeedQuestion(**given), others


def _number(key: str, text: str) -> float:
    """Return a number in the range of its key; raises `ConfigError`."""
    allowed = {
        "power": "a probability between 0 and 1, as 0.8",
        "difference": "a difference of the score other than 0, as 40",
        "minutes": "a number of minutes above 0, as 30",
    }[key]
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(key, text, allowed) from None
    fits = 0 < value < 1 if key == "power" else value != 0 if key == "difference" else value > 0
    if not fits or not math.isfinite(value):
        raise ConfigError(key, text, allowed)
    return value


def answer(study: OpenStudy, question: SeedQuestion) -> dict[str, Any]:
    """Return the answers to what was asked as plain values; raises `ConfigError` where there is none."""
    answers: dict[str, Any] = {}
    if question.power is not None:
        answers["power"] = _contrasts(study, question.power, question.difference)
    if question.minutes is not None:
        answers["seeds_within_minutes"] = _seeds_within(study, question.minutes)
    return answers


def print_answers(answers: dict[str, Any], question: SeedQuestion) -> None:
    """Print the answers that `answer` has returned."""
    if question.power is not None:
        # They import scipy, which a plan does without.
        from analysis.effects.pilot import PlannedContrast
        from analysis.tables.planning import planning_table

        rows = [PlannedContrast(**row) for row in answers["power"]]
        console.print(planning_table(rows, question.power).to_terminal(), end="", markup=False)
    if question.minutes is not None:
        seeds = answers["seeds_within_minutes"]
        more = "at least " if seeds == MOST_SEEDS else "about "
        console.print(f"{question.minutes:g} minutes: {more}{plural(seeds, 'seed')} an arm")


def _contrasts(study: OpenStudy, power: float, difference: float | None) -> list[dict[str, Any]]:
    from analysis.effects.pilot import planned_contrasts

    rows = planned_contrasts(
        study.plans, study.store, power, math.nan if difference is None else difference
    )
    if not rows:
        name = study.plans[-1].study.name
        raise ConfigError(
            "power",
            power,
            f"no pilot runs of study '{name}', its tuning stage or another size: the spread is not "
            "known before two seeds of an arm and of its baseline are trained (study.seeds=2)",
        )
    return [asdict(row) for row in rows]


def _seeds_within(study: OpenStudy, minutes: float) -> int:
    """Return how many seeds an arm fit into a time, all stages together; raises `ConfigError`."""
    *before, reported = study.plans
    first = sum(_seconds(study, plan, minutes) for plan in before)

    def fits(seeds: int) -> bool:
        seconds = _seconds(study, with_seeds(reported, seeds), minutes)
        return first + seconds <= 60 * minutes

    return largest(fits, MOST_SEEDS)


def _seconds(study: OpenStudy, plan: Any, minutes: float) -> float:
    seconds = forecast(plan, study.settings, study.store).seconds
    if seconds is None:
        raise ConfigError(
            "minutes",
            minutes,
            "no timing data yet; --calibrate (CALIBRATE=1) measures for seconds",
        )
    return seconds


def largest(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest number up to `most` that fits, 0 if not even 1 does."""
    return bisect_left(range(1, most + 1), True, key=lambda count: not fits(count))
