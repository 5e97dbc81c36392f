"""How many seeds: `plan power=0.8 difference=40` says what they find, `minutes=30` what fits a time."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablation.cli.open_study import OpenStudy
from ablation.cli.progress import clock
from ablation.cli.terminal import console, output, plural
from ablation.config.validation import ConfigError
from ablation.study.seeds import with_seeds
from ablation.sweep.estimates.forecast import Forecast, forecast

if TYPE_CHECKING:
    from analysis.effects.pilot import PlannedContrast

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
    """Return the answers by their names in JSON; raises `ConfigError` where there is none."""
    answers: dict[str, Any] = {}
    if question.power is not None:
        answers["power"] = _contrasts(study, question.power, question.difference)
    if question.minutes is not None:
        seconds = _seconds_of_seeds(study)
        answers["seeds_within_minutes"] = largest(
            lambda seeds: seconds(seeds) <= 60 * (question.minutes or 0), MOST_SEEDS
        )
        answers["seconds_of_one_seed"] = seconds(1)
    return answers


def print_answers(answers: dict[str, Any], question: SeedQuestion) -> None:
    """Print the answers that `answer` has returned."""
    if question.power is not None:
        # It imports scipy, which a plan does without.
        from analysis.tables.planning import planning_table

        table = planning_table(answers["power"], question.power)
        output.print(table.to_terminal(), end="", markup=False)
    if question.minutes is not None:
        seeds = answers["seeds_within_minutes"]
        more = "at least" if seeds == MOST_SEEDS else "about"
        text = f"enough for {more} {plural(seeds, 'seed')} an arm"
        if not seeds:
            needed = clock(answers["seconds_of_one_seed"])
            text = f"too few: one seed of every arm takes about {needed} in all"
        unit = "minute" if question.minutes == 1 else "minutes"
        output.print(f"{question.minutes:g} {unit}: {text}")


def _contrasts(study: OpenStudy, power: float, difference: float | None) -> list[PlannedContrast]:
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
    return rows


def forecasts(study: OpenStudy) -> list[Forecast]:
    """Return what a sweep would do in each stage of a study, the reported one last."""
    *before, reported = study.plans
    plain = [forecast(plan, study.settings, study.store) for plan in before]
    return [*plain, forecast(reported, study.settings, study.store, study.undecided)]


def _seconds_of_seeds(study: OpenStudy) -> Callable[[int], float]:
    """Return the time that a number of seeds an arm takes, all stages together, in seconds."""
    *before, _ = forecasts(study)
    first = sum(measured_seconds(stage) for stage in before)

    def seconds(seeds: int) -> float:
        plan = with_seeds(study.plans[-1], seeds)
        return first + measured_seconds(forecast(plan, study.settings, study.store, study.undecided))

    return seconds


def measured_seconds(stage: Forecast) -> float:
    """Return the estimated time of a stage, for which speeds are measured where none is known."""
    seconds = stage.seconds
    if seconds is None:
        console.print("No timing data yet: training each configuration for a moment to measure it.")
        stage.calibrate()
        seconds = stage.seconds
    return seconds or 0.0


def largest(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest number up to `most` that fits, 0 if not even 1 does."""
    return bisect_left(range(1, most + 1), True, key=lambda count: not fits(count))
