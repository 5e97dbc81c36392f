"""What a study file may declare, checked before anything is expanded. Pure: no disk, no Hydra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ablation.config import ConfigError, validate
from ablation.designs import (
    DESIGN_NAMES,
    Constraint,
    DesignPart,
    Factor,
    Overrides,
    as_levels,
)

CONTROL_SEED_OFFSET = 5000
"""The control's seeds are the study's, moved by this much."""

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
class Study:
    """One question, as a study file declares it; `control` trains the baseline on other seeds too."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    question: str
    environments: Annotated[list[str], Field(min_length=1)]
    baseline: Overrides
    factors: dict[str, Factor]
    design: str | list[DesignPart]
    seeds: Annotated[
        list[Annotated[int, Field(ge=0, strict=True)]],
        Field(min_length=1),
        BeforeValidator(_seed_list),
    ]
    primary_score: Score
    constraints: list[Constraint] = field(default_factory=list)
    control: Annotated[bool, Field(strict=True)] = False

    @property
    def designs(self) -> list[DesignPart]:
        """Return the designs whose arms the study has, one after the other."""
        if isinstance(self.design, str):
            return [validate(DesignPart, {"design": self.design})]
        return self.design

    @property
    def design_in_words(self) -> str:
        """Return the names of its designs, to be read."""
        return ", then ".join(part.design.replace("_", " ") for part in self.designs)

    @property
    def control_seeds(self) -> list[int]:
        """Return the seeds on which the control trains the baseline again."""
        return [seed + CONTROL_SEED_OFFSET for seed in self.seeds]


def parse_study(values: Mapping[str, Any]) -> Study:
    """Return a validated study from the plain values of its file, or raise `ConfigError`."""
    study = validate(Study, dict(values) | {"design": _design(values.get("design"))}, prefix="study.")
    for name, factor in study.factors.items():
        if isinstance(factor.levels, list) and factor.key is None:
            raise ConfigError(f"study.factors.{name}.key", None, "a list of levels needs a key")
        if not factor.levels:
            raise ConfigError(f"study.factors.{name}.levels", factor.levels, "at least one level")
    if len(set(study.seeds)) != len(study.seeds):
        raise ConfigError("study.seeds", study.seeds, "every seed once")
    if study.control and set(study.seeds) & set(study.control_seeds):
        allowed = f"the control needs {CONTROL_SEED_OFFSET} and more above each seed for itself"
        raise ConfigError("study.seeds", study.seeds, allowed)
    for number, part in enumerate(study.designs):
        _check_part(study, f"study.design.{number}", part)
    for number, constraint in enumerate(study.constraints):
        _check_constraint(study, f"study.constraints.{number}", constraint)
    return study


def _design(given: Any) -> Any:
    """Return a design's name, or the designs of a list, with errors that name the key."""
    if not isinstance(given, list):
        if given not in DESIGN_NAMES:
            allowed = f"allowed: {', '.join(DESIGN_NAMES)}, or a list of designs"
            raise ConfigError("study.design", given, allowed)
        return given
    if not given:
        raise ConfigError("study.design", given, "at least one design")
    parts = []
    for number, part in enumerate(given):
        values = part if isinstance(part, Mapping) else {"design": part}
        parts.append(validate(DesignPart, values, prefix=f"study.design.{number}."))
    return parts


def _check_part(study: Study, key: str, part: DesignPart) -> None:
    for name in part.factors or ():
        _check_factor(study, f"{key}.factors", name)
    if (part.design == "arms") != (part.arms is not None):
        raise ConfigError(f"{key}.arms", part.arms, "goes with the design `arms`, and only with it")
    for number, arm in enumerate(part.arms or ()):
        _check_levels(study, f"{key}.arms.{number}.levels", arm.levels)
        if not arm.levels and arm.name is None:
            raise ConfigError(f"{key}.arms.{number}.name", None, "an arm without levels needs a name")
        if arm.overrides and arm.name is None:
            raise ConfigError(f"{key}.arms.{number}.name", None, "an arm with overrides needs a name")
    if part.design == "paired":
        sizes = {name: len(study.factors[name].levels) for name in part.factors or study.factors}
        if len(set(sizes.values())) != 1 or len(sizes) < 2:
            allowed = "paired factors, two or more, have equally many levels"
            raise ConfigError(f"{key}.factors", sizes, allowed)


def _check_constraint(study: Study, key: str, constraint: Constraint) -> None:
    if (constraint.forbid is None) == (constraint.collapse is None):
        raise ConfigError(key, constraint.reason, "takes either forbid, or collapse and when")
    if (constraint.collapse is None) != (constraint.when is None):
        raise ConfigError(f"{key}.when", constraint.when, "goes with collapse, and only with it")
    for condition in (constraint.forbid, constraint.when):
        if condition is not None:
            _check_levels(study, key, condition)
    for name in constraint.collapse or ():
        _check_factor(study, f"{key}.collapse", name)


def _check_levels(study: Study, key: str, levels: Mapping[str, Any]) -> None:
    for name, given in levels.items():
        _check_factor(study, key, name)
        known = list(study.factors[name].overrides())
        for level in as_levels(given):
            if level not in known:
                raise ConfigError(f"{key}.{name}", level, f"allowed: {', '.join(known)}")


def _check_factor(study: Study, key: str, name: str) -> None:
    if name not in study.factors:
        raise ConfigError(key, name, f"factors are: {', '.join(study.factors) or 'none'}")
