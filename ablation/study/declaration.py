"""The declaration of a study, as its file has it, checked before expansion. No disk, no Hydra."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ablation.config.near import one_of
from ablation.config.validation import ConfigError, validate
from ablation.study.designs import (
    DESIGN_NAMES,
    FORK,
    Constraint,
    DesignPart,
    Factor,
    Overrides,
    as_levels,
)
from ablation.study.score_names import ScoreName
from ablation.study.seed_lists import Seeds, TuningSeeds
from ablation.study.widening import widened

BASELINE = "baseline"
CONTROL = "baseline again"
"""The names of the arms that every study has, and that `control` adds."""
CONTROL_SEED_OFFSET = 5000
"""Added to the study's seeds to give those of the control."""

VERDICTS_FROM = 10
"""The fewest seeds for a verdict (significant or inconclusive), unless a study says otherwise."""

_SCHEMA = ConfigDict(extra="forbid")


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError("must be letters, digits, '.', '_' and '-', first a letter or digit")
    return name


@dataclass(frozen=True, config=_SCHEMA)
class Tune:
    """A factor whose level each arm chooses for itself in each environment, on seeds of their own.

    The rule: the level with the best mean of `score` (None: the primary one) over the tuning seeds,
    the first of the study file among equals. An arm whose choice lies at the edge of the levels tries
    `widen` levels beyond it, once.
    """

    factor: str
    seeds: TuningSeeds
    score: ScoreName | None = None
    rule: Literal["best_mean"] = "best_mean"
    widen: Annotated[int, Field(strict=True, ge=0, le=10)] = 0


@dataclass(frozen=True, config=_SCHEMA)
class Study:
    """One question, as a study file declares it; `control` trains the baseline on other seeds too.

    `size` names the size of the file whose values these are; `ablation.study.sizes` applies it.
    Comparisons of fewer than `verdicts_from` seeds are reported without p-values and verdicts.
    """

    name: Annotated[str, AfterValidator(_check_name)]
    question: str
    environments: Annotated[list[str], Field(min_length=1)]
    baseline: Overrides
    factors: dict[str, Factor]
    design: str | list[DesignPart]
    seeds: Seeds
    primary_score: ScoreName
    constraints: list[Constraint] = field(default_factory=list)
    control: Annotated[bool, Field(strict=True)] = False
    size: str | None = None
    tune: Tune | None = None
    verdicts_from: Annotated[int, Field(strict=True, ge=2)] = VERDICTS_FROM

    @property
    def designs(self) -> list[DesignPart]:
        """Return the designs of the study, in order."""
        if isinstance(self.design, str):
            return [validate(DesignPart, {"design": self.design})]
        return self.design

    @property
    def crossed(self) -> dict[str, Factor]:
        """Return the factors of the designs: all but the one that is tuned."""
        tuned = None if self.tune is None else self.tune.factor
        return {name: factor for name, factor in self.factors.items() if name != tuned}

    @property
    def tuning_name(self) -> str:
        """Return the name under which its tuning stage is stored."""
        return f"{self.name}-tuning"

    @property
    def design_in_words(self) -> str:
        """Return the names of its designs as text."""
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
        if len(factor.overrides()) != len(factor.levels):
            raise ConfigError(f"study.factors.{name}.levels", factor.levels, "every level once")
    if len(set(study.seeds)) != len(study.seeds):
        raise ConfigError("study.seeds", study.seeds, "every seed once")
    _check_tune(study)
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
            allowed = f"{one_of(given, DESIGN_NAMES)}, or a list of designs"
            raise ConfigError("study.design", given, allowed)
        return given
    if not given:
        raise ConfigError("study.design", given, "at least one design")
    parts = []
    for number, part in enumerate(given):
        values = part if isinstance(part, Mapping) else {"design": part}
        parts.append(validate(DesignPart, values, prefix=f"study.design.{number}."))
    return parts


def _check_tune(study: Study) -> None:
    if study.tune is None:
        return
    name, seeds = study.tune.factor, study.tune.seeds
    if name not in study.factors:
        raise ConfigError("study.tune.factor", name, _factors(study, name))
    if len(set(seeds)) != len(seeds):
        raise ConfigError("study.tune.seeds", seeds, "every seed once")
    reported = {*study.seeds, *(study.control_seeds if study.control else [])}
    shared = sorted(reported.intersection(seeds))
    if shared:
        allowed = f"reported seeds are fresh ones, but both stages have {', '.join(map(str, shared))}"
        raise ConfigError("study.tune.seeds", seeds, allowed)
    if study.tune.widen and widened(study.factors[name], study.tune.widen) is None:
        allowed = f"goes with levels that rise or fall as numbers of one key; {name} has no such order"
        raise ConfigError("study.tune.widen", study.tune.widen, allowed)
    tuned = {key for overrides in study.factors[name].overrides().values() for key in overrides}
    for other, factor in study.crossed.items():
        for level, overrides in factor.overrides().items():
            if clash := tuned & set(overrides):
                allowed = f"sets {', '.join(clash)}, which {name} tunes"
                raise ConfigError(f"study.factors.{other}", level, allowed)


def _check_part(study: Study, key: str, part: DesignPart) -> None:
    for name in part.factors or ():
        _check_factor(study, f"{key}.factors", name)
    if part.fork is not None and (study.tune is not None or FORK in study.factors):
        allowed = f"goes neither with study.tune nor with a factor of the name '{FORK}'"
        raise ConfigError(f"{key}.fork", part.fork.at, allowed)
    if (part.design == "arms") != (part.arms is not None):
        raise ConfigError(f"{key}.arms", part.arms, "goes with the design `arms`, and only with it")
    for number, arm in enumerate(part.arms or ()):
        _check_levels(study, f"{key}.arms.{number}.levels", arm.levels)
        if arm.name in (BASELINE, CONTROL):
            allowed = "is the name of the baseline or of its control; choose another"
            raise ConfigError(f"{key}.arms.{number}.name", arm.name, allowed)
        if not arm.levels and arm.name is None:
            raise ConfigError(f"{key}.arms.{number}.name", None, "an arm without levels needs a name")
        if arm.overrides and arm.name is None:
            raise ConfigError(f"{key}.arms.{number}.name", None, "an arm with overrides needs a name")
    if part.design == "paired":
        sizes = {name: len(study.factors[name].levels) for name in part.factors or study.crossed}
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
                raise ConfigError(f"{key}.{name}", level, one_of(level, known))


def _check_factor(study: Study, key: str, name: str) -> None:
    if name not in study.factors:
        raise ConfigError(key, name, _factors(study, name))
    if name not in study.crossed:
        raise ConfigError(key, name, "is tuned: each arm has the level that it chooses")


def _factors(study: Study, unknown: str) -> str:
    return one_of(unknown, study.factors, "factors are")
