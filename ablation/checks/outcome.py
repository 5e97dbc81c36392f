"""The outcome of checking one property."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ablation.config.schema import CellConfig


class Resolve(Protocol):
    """Overrides on the default configuration -> the validated configuration of a cell."""

    def __call__(self, overrides: Mapping[str, Any], /) -> CellConfig:
        """Return the configuration; raises `ConfigError` where it is refused."""


class Counterexample(Exception):
    """A property does not hold; the message is the smallest case that shows it."""


@dataclass(frozen=True)
class Outcome:
    """A property by name, whether it holds (None: it could not be checked), and what was seen."""

    name: str
    holds: bool | None
    seen: str
