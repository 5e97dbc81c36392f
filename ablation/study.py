"""From a study file to cells: designs, merged arms, and the frozen plan. Pure: no disk, no Hydra."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ablation.config import CellConfig, ConfigError, validate
from ablation.identity import canonical, cell_name
from ablation.store import RunKey

BASELINE = "baseline"
Overrides = dict[str, Any]
"""Configuration keys (`replay.capacity`) or config groups (`replay`) and the value each takes."""

Resolve = Callable[[Mapping[str, Any]], CellConfig]
"""Overrides on the default configuration -> the validated configuration of a cell."""

Score = Literal[
    "final",
    "area_under_curve",
    "area_per_gradient_step",
    "best",
    "last_training_episodes",
    "steps_to_threshold",
    "reached_threshold",
    "kept_threshold",
]
"""The scores of a run; `analysis.scores` defines each."""

_SCHEMA = ConfigDict(extra="forbid")


def _seed_list(value: object) -> object:
    return list(range(value)) if isinstance(value, int) and not isinstance(value, bool) else value


@dataclass(frozen=True, config=_SCHEMA)
class Factor:
    """An axis of a study: values of one `key`, or named levels that are overrides of several."""

    levels: list[Any] | dict[str, Overrides]
    key: str | None = None

    def overrides(self) -> dict[str, Overrides]:
        """Return each level's name and its overrides, in the order of the file."""
        if isinstance(self.levels, dict):
            return self.levels
        if self.key is None:
            raise ValueError("a list of levels needs the key that they are values of")
        return {str(level): {self.key: level} for level in self.levels}


@dataclass(frozen=True, config=_SCHEMA)
class Study:
    """One question, as a study file declares it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    question: str
    environments: Annotated[list[str], Field(min_length=1)]
    baseline: Overrides
    factors: dict[str, Factor]
    design: Literal["one_factor_at_a_time", "factorial"]
    seeds: Annotated[
        list[Annotated[int, Field(ge=0, strict=True)]],
        Field(min_length=1),
        BeforeValidator(_seed_list),
    ]
    primary_score: Score


@dataclass(frozen=True)
class Arm:
    """One combination of levels in one environment; `levels` names those off the baseline."""

    name: str
    role: Literal["baseline", "arm"]
    environment: str
    env_id: str
    levels: dict[str, str]
    overrides: Overrides
    cell: str


@dataclass(frozen=True)
class Merged:
    """A combination that resolves to a cell that an earlier arm already has."""

    name: str
    environment: str
    into: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """A study, expanded: every arm with its cell, and every combination that is not one."""

    study: Study
    arms: list[Arm]
    merged: list[Merged]
    cells: dict[str, dict[str, Any]] = field(default_factory=dict)

    def runs(self) -> Iterator[RunKey]:
        """Yield every run that the study asks for, cell by cell."""
        for cell in self.cells:
            for seed in self.study.seeds:
                yield RunKey(cell, seed)

    @property
    def hash(self) -> str:
        """Return 12 hex digits that change with anything in the plan."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def as_json(self, command: str = "") -> dict[str, Any]:
        """Return the plan as plain values for `plan.json`, with the command that asked for it."""
        return {"schema": 1, "hash": self.hash, "command": command} | asdict(self)


def parse_study(values: Mapping[str, Any]) -> Study:
    """Return a validated study from the plain values of its file, or raise `ConfigError`."""
    study = validate(Study, values, prefix="study.")
    for name, factor in study.factors.items():
        if isinstance(factor.levels, list) and factor.key is None:
            raise ConfigError(f"study.factors.{name}.key", None, "a list of levels needs a key")
        if not factor.levels:
            raise ConfigError(f"study.factors.{name}.levels", factor.levels, "at least one level")
    if len(set(study.seeds)) != len(study.seeds):
        raise ConfigError("study.seeds", study.seeds, "every seed once")
    return study


def plan_from_json(values: Mapping[str, Any]) -> Plan:
    """Return the plan that `Plan.as_json` wrote."""
    known = {key: value for key, value in values.items() if key not in ("schema", "hash", "command")}
    return validate(Plan, known, prefix="plan.")


def expand(study: Study, resolve: Resolve) -> Plan:
    """Return the plan of a study: its design's combinations as arms, equal ones merged.

    Raises `ConfigError` for the first combination whose configuration is refused.
    """
    plan = Plan(study, [], [])
    for environment in study.environments:
        names: dict[str, str] = {}
        for levels, overrides in _DESIGNS[study.design](study):
            _add(plan, names, environment, levels, overrides, resolve)
    return plan


def _add(
    plan: Plan,
    names: dict[str, str],
    environment: str,
    levels: dict[str, str],
    overrides: Overrides,
    resolve: Resolve,
) -> None:
    """Add one combination to the plan; `names` maps this environment's cells to their arms."""
    every = plan.study.baseline | overrides | {"env": environment}
    config = resolve(every)
    cell = cell_name(config)
    name = ", ".join(f"{factor}={level}" for factor, level in levels.items()) or BASELINE
    if cell in names:
        reason = f"trains exactly what {names[cell]} trains"
        plan.merged.append(Merged(name, environment, names[cell], reason))
        return
    names[cell] = name
    role: Literal["baseline", "arm"] = "arm" if levels else "baseline"
    plan.arms.append(Arm(name, role, environment, config.env.id, levels, every, cell))
    plan.cells[cell] = canonical(config)


def _one_factor_at_a_time(study: Study) -> Iterator[tuple[dict[str, str], Overrides]]:
    yield {}, {}
    for name, factor in study.factors.items():
        for level, overrides in factor.overrides().items():
            yield {name: level}, overrides


def _factorial(study: Study) -> Iterator[tuple[dict[str, str], Overrides]]:
    yield {}, {}
    axes = [
        [(name, level, overrides) for level, overrides in factor.overrides().items()]
        for name, factor in study.factors.items()
    ]
    for combination in itertools.product(*axes):
        levels = {name: level for name, level, _ in combination}
        overrides = {key: value for _, _, part in combination for key, value in part.items()}
        yield levels, overrides


_DESIGNS = {"one_factor_at_a_time": _one_factor_at_a_time, "factorial": _factorial}
