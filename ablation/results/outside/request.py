"""What an import is asked for: names of columns, labels of files, and what the user declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from ablation.config.near import one_of
from ablation.results.scores import SCORES
from ablation.study.declaration import VERDICTS_FROM

Kind = Literal["evaluations", "episodes", "scores"]
Incomplete = Literal["refuse", "missing", "keep"]


@dataclass(frozen=True)
class Argument:
    """An argument of an import as a refusal names it, perhaps with a value.

    Of `columns` the value is that of a key; one with `several` values takes a list of them.
    """

    name: str
    value: str = ""
    key: str = ""
    several: bool = False

    def __str__(self) -> str:
        """Return the option of the command line."""
        value = (f"{self.key}=" if self.key else "") + self.value + ("..." if self.several else "")
        return f"--{self.name.replace('_', '-')} {value}".rstrip()

    def in_python(self) -> str:
        """Return the argument of `from_frame`."""
        if not self.value:
            return self.name
        value = f"[{self.value!r}, ...]" if self.several else repr(self.value)
        return f"{self.name}={f'{{{self.key!r}: {value}}}' if self.key else value}"


class ImportRefused(Exception):
    """Runs from elsewhere that cannot be taken as they are; one line that says what helps.

    It has texts and the arguments between them, which are named as options of the command line.
    """

    def __init__(self, *parts: str | Argument) -> None:
        super().__init__(*parts)
        self.parts = parts

    def __str__(self) -> str:
        return "".join(map(str, self.parts))

    def in_python(self) -> ImportRefused:
        """Return the same refusal for `from_frame`."""
        texts = (part if isinstance(part, str) else part.in_python() for part in self.parts)
        return ImportRefused(*texts)


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
