"""What an import is asked for: names of columns, labels of files, and what the user declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from ablation.config.near import one_of
from ablation.results.scores import SCORES
from ablation.study.declaration import VERDICTS_FROM

Kind = Literal["evaluations", "episodes", "scores"]
Incomplete = Literal["refuse", "missing", "keep"]


class ImportRefused(Exception):
    """Runs from elsewhere that cannot be taken as they are; one line that says what helps."""


def in_python(message: str) -> str:
    """Return a refusal's line with options of the command line as arguments of `from_frame`."""
    message = re.sub(r"--columns (\w+)=([^\s,;)]+)", r"columns={'\1': '\2'}", message)
    message = re.sub(r"--([a-z-]+) ([A-Z.]+|missing)\b", r"--\1='\2'", message)
    return re.sub(r"--([a-z-]+)", lambda option: option[1].replace("-", "_"), message)


@dataclass(frozen=True)
class Request:
    """What the user says of runs from elsewhere.

    `columns` names the file's column (or metric) by ours; `factors` are columns whose combinations are
    the arms. `arm`, `environment` and `seed` label files that do not say it; `pattern` reads labels from
    paths or names of runs (`{arm}/{environment}_{seed}`). `rows` says what returns are of, `score` which
    score a file of scores has. `budget` is the environment steps that each run was given. `shared_seeds`
    declares that runs of equal seeds share their randomness: arms are then compared within seeds.
    Comparisons of fewer than `verdicts_from` seeds have no p-values and verdicts.
    """

    study: str
    columns: Mapping[str, str] = field(default_factory=dict)
    factors: tuple[str, ...] = ()
    arm: str | None = None
    environment: str | None = None
    seed: int | None = None
    pattern: str | None = None
    rows: Literal["evaluations", "episodes"] | None = None
    score: str | None = None
    baseline: str | Mapping[str, str] | None = None
    primary_score: str | None = None
    budget: int | None = None
    gymnasium: str | None = None
    shared_seeds: bool = False
    incomplete: Incomplete = "refuse"
    question: str = ""
    verdicts_from: int = VERDICTS_FROM

    def __post_init__(self) -> None:
        choices = {
            "rows": (None, "evaluations", "episodes"),
            "incomplete": get_args(Incomplete),
            "score": (None, *SCORES),
            "primary_score": (None, *SCORES),
        }
        for name, allowed in choices.items():
            given = getattr(self, name)
            if given not in allowed:
                there = one_of(given, [text for text in allowed if text is not None])
                raise ImportRefused(f"{name} {given!r}: {there}")
        if self.budget is not None and self.budget < 1:
            raise ImportRefused(
                f"budget {self.budget}: a number of environment steps from 1 on is needed"
            )
        if not isinstance(self.verdicts_from, int) or self.verdicts_from < 2:
            raise ImportRefused(
                f"verdicts_from {self.verdicts_from}: a whole number from 2 on is needed"
            )
        if isinstance(self.factors, str):
            raise ImportRefused(f"factors {self.factors!r}: a list of columns is needed")

    def read_until(self, damage: str) -> str:
        """Return the note on a file that is read up to its damage; refuses it unless that is allowed."""
        if self.incomplete == "refuse":
            raise ImportRefused(f"{damage}; --incomplete missing or keep reads it until there")
        return damage
