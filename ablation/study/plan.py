"""The plan of a study: arms, merged and pruned combinations, cells. No disk, no Hydra."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, field
from functools import cached_property, partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from ablation.config.cell import Cell
from ablation.config.env_settings import References
from ablation.config.validation import ConfigError, validate
from ablation.store.keys import SEEDS, check_name
from ablation.store.runs import RunKey
from ablation.study.declaration import VERDICTS_FROM, Study
from ablation.study.designs import Overrides
from ablation.study.looks import Looks
from ablation.study.score_names import ScoreName


@dataclass(frozen=True)
class Arm:
    """One combination of levels in one environment; `levels` names those off the baseline.

    The control has the baseline's cell and seeds of its own. `candidate_of` is the reported arm whose
    tuned level the runs of an arm of the tuning stage help to choose.
    """

    name: str
    role: Literal["baseline", "arm", "control"]
    environment: str
    env_id: str
    levels: dict[str, str]
    overrides: Overrides
    cell: Annotated[str, AfterValidator(partial(check_name, "configuration"))]
    seeds: list[Annotated[int, Field(strict=True, ge=0, lt=SEEDS)]]
    candidate_of: str | None = None


@dataclass(frozen=True)
class Choice:
    """The level that an arm's tuned factor has, and the means over tuning seeds that it follows from.

    `means` has every level in the study's order, None for one without a score; `n` is runs a level.
    `certainty` is the share of resamples of the tuning seeds that lead to the same choice, None with one
    seed; `widened` are the levels that were tried beyond the edge of the study's own.
    """

    environment: str
    arm: str
    factor: str
    level: str
    score: ScoreName
    means: dict[str, float | None]
    n: dict[str, int]
    certainty: float | None = None
    widened: list[str] = field(default_factory=list)

    @property
    def at_the_edge(self) -> bool:
        """Return whether no level was tried on one side of the chosen one."""
        levels = list(self.means)
        return len(levels) > 1 and self.level in (levels[0], levels[-1])


@dataclass(frozen=True)
class Merged:
    """A combination whose cell an earlier arm, `into`, already has."""

    name: str
    environment: str
    into: str
    reason: str
    levels: dict[str, str]


@dataclass(frozen=True)
class Pruned:
    """A combination that a constraint forbids, with the constraint's reason."""

    name: str
    environment: str
    reason: str
    levels: dict[str, str]


@dataclass(frozen=True)
class Plan:
    """A study, expanded: every arm with its cell, and every combination that has none of its own.

    `cells` are their canonical forms, by name.
    """

    study: Study
    arms: list[Arm]
    merged: list[Merged]
    cells: dict[str, dict[str, Any]] = field(default_factory=dict)
    pruned: list[Pruned] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    references: dict[str, References] = field(default_factory=dict)
    """The returns that an environment's settings give scores to be compared with, by its name."""
    looks: Looks | None = None
    """The looks of a study that stops arms once they are decided; they then differ in their seeds."""

    def runs(self) -> Iterator[RunKey]:
        """Yield every run that the study asks for, once, arm by arm."""
        yield from dict.fromkeys(RunKey(arm.cell, seed) for arm in self.arms for seed in arm.seeds)

    @cached_property
    def configured(self) -> dict[str, Cell]:
        """The cells themselves, for planning and training; none in a plan that was read from a file."""
        return {}

    def add_cells(self, cells: Iterable[Cell]) -> None:
        """Add the cells of arms."""
        for cell in cells:
            self.cells[cell.name], self.configured[cell.name] = cell.canonical, cell

    @property
    def hash(self) -> str:
        """Return 12 hex digits that change with anything in the plan."""
        values = asdict(self)
        study = values["study"]
        for choice in values["choices"]:
            # It follows from the runs that the means are of.
            del choice["certainty"]
            _leave_out(choice, widened=[])
        for arm in values["arms"]:
            _leave_out(arm, candidate_of=None)
        for part in study["design"] if isinstance(study["design"], list) else ():
            _leave_out(part, fork=None)
        _leave_out(study["tune"] or {}, widen=0)
        _leave_out(study, size=None, tune=None, verdicts_from=VERDICTS_FROM)
        _leave_out(values, choices=[], references={}, looks=None)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    def as_json(self, command: str = "") -> dict[str, Any]:
        """Return the plan as plain values for `plan.json`, with the command that asked for it."""
        return {"schema": 1, "hash": self.hash, "command": command} | asdict(self)


def _leave_out(values: dict[str, Any], **neutral: Any) -> None:
    """Remove keys where their value says nothing, so that a new key changes no hash."""
    for key, value in neutral.items():
        if key in values and values[key] == value:
            del values[key]


def plan_from_json(values: Any) -> Plan:
    """Return the plan that `Plan.as_json` wrote; raises `ConfigError` for anything else."""
    try:
        check_name("hash", values["hash"])
        known = {key: values[key] for key in Plan.__dataclass_fields__ if key in values}
        return validate(Plan, known, prefix="plan.")
    except ConfigError:
        raise
    # Whatever may be wrong with a file that was edited or is another version's.
    except Exception as error:
        reason = f"is not what a plan is written as ({type(error).__name__}: {error})"
        raise ConfigError("plan", f"{str(values)[:40]}...", reason) from None
