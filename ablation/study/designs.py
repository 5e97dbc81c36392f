"""Designs: which combinations of a study's levels become arms, and which may not. Pure data.

The baseline is in every design without being named: a design lists what differs from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass as plain_dataclass
from dataclasses import field, replace
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict
from pydantic import Field as Checked
from pydantic.dataclasses import dataclass

from ablation.config.validation import ConfigError

Overrides = dict[str, Any]
"""Configuration keys (`replay.capacity`) or config groups (`replay`) and the value each takes."""

DesignName = Literal[
    "one_factor_at_a_time", "leave_one_out", "add_one_in", "factorial", "paired", "arms"
]
DESIGN_NAMES: tuple[str, ...] = get_args(DesignName)

FORK = "fork at"
"""Stands beside the factors of a forked arm; its level is the share of the run at which it forks."""

_SCHEMA = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_SCHEMA)
class Factor:
    """An axis of a study: values of one `key`, or named levels that are overrides of several.

    `off` names the level that leaves a component out; only `leave_one_out` and `add_one_in` read it,
    and need it only where more than one level differs from the baseline.
    """

    levels: list[Any] | dict[str, Overrides]
    key: str | None = None
    off: Any = None

    def overrides(self) -> dict[str, Overrides]:
        """Return each level's name and its overrides, in the order of the file."""
        if isinstance(self.levels, dict):
            return self.levels
        if self.key is None:
            raise ValueError("a list of levels needs the key that they are values of")
        return {str(level): {self.key: level} for level in self.levels}


@dataclass(frozen=True, config=_SCHEMA)
class ExplicitArm:
    """One arm of a list: levels of factors, and keys of its own that need a `name`."""

    levels: dict[str, Any] = field(default_factory=dict)
    overrides: Overrides = field(default_factory=dict)
    name: str | None = None


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


_Share = Annotated[float, Checked(gt=0, lt=1, strict=True)]


@dataclass(frozen=True, config=_SCHEMA)
class Forks:
    """The moments, as shares of a run, at which arms leave the baseline's run and change."""

    at: Annotated[list[_Share], Checked(min_length=1), BeforeValidator(_as_list)]


@dataclass(frozen=True, config=_SCHEMA)
class DesignPart:
    """One design of a study, over all of its factors or those named; `arms` only for that design.

    With `fork`, each of its combinations is an arm for each moment: the baseline's run until then.
    """

    design: DesignName
    factors: list[str] | None = None
    arms: list[ExplicitArm] | None = None
    fork: Forks | None = None


@dataclass(frozen=True, config=_SCHEMA)
class Constraint:
    """A rule on combinations of levels, and its reason; conditions are factors with a level or several.

    `forbid` prunes the combinations that meet it; `collapse` puts the named factors back to the
    baseline in the combinations that meet `when`, so that they become one arm.
    """

    reason: str
    forbid: dict[str, Any] | None = None
    collapse: list[str] | None = None
    when: dict[str, Any] | None = None

    def applies(self, levels: Mapping[str, str | None]) -> bool:
        """Return whether a combination, given the level of every factor, meets the condition."""
        condition = self.forbid if self.forbid is not None else self.when or {}
        return all(levels.get(factor) in as_levels(given) for factor, given in condition.items())


@plain_dataclass(frozen=True)
class Combination:
    """Levels by factor, overrides that belong to no factor, and a name of its own if it has one.

    `fork` is the share of the run after which they hold; None: from its first step on.
    """

    levels: dict[str, str]
    overrides: Overrides = field(default_factory=dict)
    name: str | None = None
    fork: float | None = None

    @property
    def label(self) -> str:
        """Return its own name, or `factor=level` for each of its levels; empty for the baseline."""
        if self.name is None or self.fork is None:
            return self.name or self.words
        return f"{self.name}, {FORK}={self.fork:g}"

    @property
    def words(self) -> str:
        """Return `factor=level` for each of its levels."""
        return ", ".join(f"{factor}={level}" for factor, level in self.shown_levels.items())

    @property
    def shown_levels(self) -> dict[str, str]:
        """Return its levels by factor, and the moment of its fork beside them."""
        return self.levels if self.fork is None else self.levels | {FORK: f"{self.fork:g}"}

    def without(self, factors: Sequence[str]) -> Combination:
        """Return the combination with some factors at their baseline levels."""
        kept = {factor: level for factor, level in self.levels.items() if factor not in factors}
        return self if kept == self.levels else Combination(kept, self.overrides, fork=self.fork)

    def all_overrides(self, factors: Mapping[str, Factor]) -> Overrides:
        """Return the overrides of all levels; raises `ConfigError` if two set one key differently."""
        combined: Overrides = {}
        owner: dict[str, str] = {}
        for factor, level in self.levels.items():
            for key, value in factors[factor].overrides()[level].items():
                if key in combined and combined[key] != value:
                    words = f"{owner[key]} and {factor}={level}"
                    allowed = f"both set {key}; rule the combination out with a constraint"
                    raise ConfigError("study.factors", words, allowed)
                combined[key], owner[key] = value, f"{factor}={level}"
        return combined | self.overrides


def as_levels(given: Any) -> list[str]:
    """Return the level names that a condition gives: one, or a list of them."""
    return [str(level) for level in given] if isinstance(given, list) else [str(given)]


def combinations(
    part: DesignPart, factors: Mapping[str, Factor], off: Mapping[str, str]
) -> Iterator[Combination]:
    """Yield a design's combinations beside the baseline; `off` is each component's level without it.

    Where they are forks, each of them once for every moment.
    """
    for combination in _unforked(part, factors, off):
        moments = [None] if part.fork is None else part.fork.at
        yield from (replace(combination, fork=moment) for moment in moments)


def _unforked(
    part: DesignPart, factors: Mapping[str, Factor], off: Mapping[str, str]
) -> Iterator[Combination]:
    chosen = {name: factors[name] for name in part.factors or factors}
    if part.design == "arms":
        yield from _explicit(part.arms or [])
    elif part.design == "one_factor_at_a_time":
        yield from (_one(name, level) for name in chosen for level in chosen[name].overrides())
    elif part.design == "leave_one_out":
        yield from (_one(name, off[name]) for name in chosen)
    elif part.design == "add_one_in":
        yield from _add_one_in([(name, off[name]) for name in chosen])
    elif part.design == "factorial":
        levels = [[(name, level) for level in factor.overrides()] for name, factor in chosen.items()]
        yield from (Combination(dict(pairs)) for pairs in itertools.product(*levels))
    else:
        names = [list(factor.overrides()) for factor in chosen.values()]
        yield from (Combination(dict(zip(chosen, row, strict=True))) for row in zip(*names, strict=True))


def _one(factor: str, level: str) -> Combination:
    return Combination({factor: level})


def _explicit(arms: Sequence[ExplicitArm]) -> Iterator[Combination]:
    for arm in arms:
        levels = {factor: str(level) for factor, level in arm.levels.items()}
        yield Combination(levels, arm.overrides, arm.name)


def _add_one_in(off: Sequence[tuple[str, str]]) -> Iterator[Combination]:
    yield Combination(dict(off), name="bare")
    for added, _ in off:
        rest = {name: level for name, level in off if name != added}
        yield Combination(rest, name=f"only {added}")
