"""The table of scores: entries by name, and those of a user's own by import path."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from numbers import Real
from typing import Any, Literal

from ablation.config.near import one_of
from ablation.config.registry import load_component
from ablation.config.source import check_component
from ablation.config.source_modules import is_component
from ablation.config.validation import ConfigError
from ablation.study.declaration import Study

KEY = "primary_score"


@dataclass(frozen=True)
class ScoreDefinition:
    """A score: how it is computed, what it says, its unit, and which direction is better.

    `return`s can be normalised by an environment's references; `share`s are 0 or 1 in each run;
    `steps` may be censored; `number` is anything else. `rows` is the table without whose rows there is
    no score, None for a score that looks for itself.
    """

    compute: Callable[[Any], float]
    """Of a run's `RunRows`."""
    description: str
    unit: Literal["return", "steps", "share", "number"] = "return"
    higher_is_better: bool = True
    rows: Literal["evaluations", "episodes"] | None = "evaluations"


class Scores(Mapping[str, ScoreDefinition]):
    """The scores of every run by name; `scores["my_lab.scores:f"]` is one of a user's own.

    Iteration has the first kind alone. A user's own raises `ConfigError` where it cannot be imported.
    """

    def __init__(self, entries: Mapping[str, ScoreDefinition]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> ScoreDefinition:
        return _own(name) if is_component(name) else self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def name(self, given: str) -> str:
        """Return the name of a score; raises `ConfigError` if there is none of this name."""
        if given not in self:
            raise ConfigError("score", given, one_of(given, list(self)))
        return given


def require_scores(study: Study) -> None:
    """Raise `ConfigError` for a score of the user's own that cannot be imported."""
    given = {"study.primary_score": study.primary_score}
    given |= {} if study.tune is None else {"study.tune.score": study.tune.score or study.primary_score}
    for key, name in given.items():
        if is_component(name):
            try:
                _own(name)
            except ConfigError as error:
                raise ConfigError(key, name, error.allowed) from None


@cache
def _own(path: str) -> ScoreDefinition:
    """Return a function of a user's own as a score, or the `ScoreDefinition` that the path names."""
    check_component(KEY, path)
    try:
        component = load_component(path)
    # A user's module may raise anything.
    except Exception as error:
        raise ConfigError(KEY, path, f"cannot be imported: {_last_line(error)}") from None
    if isinstance(component, ScoreDefinition):
        return replace(component, compute=_checked(path, component.compute))
    if not callable(component):
        allowed = f"is {type(component).__name__}; a score is a function of a run, or a ScoreDefinition"
        raise ConfigError(KEY, path, allowed)
    said = (component.__doc__ or path).strip().splitlines()[0].rstrip(".")
    return ScoreDefinition(_checked(path, component), said, "number", rows=None)


def _checked(path: str, compute: Callable[[Any], Any]) -> Callable[[Any], float]:
    def checked(run: Any) -> float:
        try:
            value = compute(run)
        except Exception as error:
            raise ConfigError(KEY, path, f"failed: {_last_line(error)}") from error
        if not isinstance(value, Real):
            given = f"{value!r}"[:60]
            raise ConfigError(
                KEY, path, f"returned {given}; a score is a number, NaN where there is none"
            )
        return float(value)

    return checked


def _last_line(error: Exception) -> str:
    """Return what an exception says, and the line of code that raised it."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said} ({where.filename}, line {where.lineno})"
