"""Names of runs, studies and jobs, checked where keys are made.

What a file, a server or a command line calls something becomes part of a path only through here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

_NAME = re.compile(r"\w[\w.-]*")
_LONGEST = 200
SEEDS = 2**63
"""Every seed is smaller."""
_CELL = re.compile(r".+-[0-9a-f]{12}")


class BadName(ValueError):
    """A name that could be a path, or is none of ours."""


def check_name(what: str, name: object) -> str:
    """Return a name that is safe as one part of a path; raises `BadName` for any other."""
    if isinstance(name, str) and _NAME.fullmatch(name) and len(name.encode()) <= _LONGEST:
        return name
    raise BadName(
        f"{what} = {str(name)[:_LONGEST]!r}: must be letters, digits, '.', '_' and '-', "
        f"first a letter or digit, at most {_LONGEST} bytes"
    )


@dataclass(frozen=True, order=True)
class RunKey:
    """Names a run: its cell and its seed. Raises `BadName` for what cannot be part of a path."""

    cell: str
    seed: int

    def __post_init__(self) -> None:
        check_name("configuration", self.cell)
        if type(self.seed) is not int or not 0 <= self.seed < SEEDS:
            raise BadName(f"seed = {self.seed!r}: must be a whole number of at least 0")

    @classmethod
    def of_names(cls, cell: str, seed: str) -> RunKey | None:
        """Return the run of which files have these names; None where they name none."""
        if seed.isascii() and seed.isdigit():
            with suppress(ValueError):
                key = cls(cell, int(seed))
                return key if key.seed_name == seed else None
        return None

    @property
    def ends_in_hash(self) -> bool:
        """Return whether the cell is named as we name cells: by a hash of its configuration."""
        return _CELL.fullmatch(self.cell) is not None

    @property
    def seed_name(self) -> str:
        """Return the seed as directories are named."""
        return f"{self.seed:04d}"
