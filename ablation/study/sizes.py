"""Sizes of a study: one for a desktop machine, one with the published budget. No disk, no Hydra."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ablation.config.near import one_of
from ablation.config.validation import ConfigError, validate
from ablation.study.designs import Overrides

PLAIN_SIZE = "default"
"""The size of a study that has it where none is asked for; its results have the study's own name."""
DEFAULT_SIZE = "quick"
"""The size of every other study where none is asked for."""

_SCHEMA = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_SCHEMA)
class Size:
    """The values in which a size differs from its study.

    `baseline` and `tune` override the study's key by key. `levels` are a factor's levels in this size;
    of named levels, the names of those to keep, or others in their place.
    """

    question: str | None = None
    seeds: Any = None
    environments: list[str] | None = None
    design: Any = None
    baseline: Overrides = field(default_factory=dict)
    levels: dict[str, list[Any] | dict[str, Any]] = field(default_factory=dict)
    tune: dict[str, Any] = field(default_factory=dict)


def sized(
    study: Mapping[str, Any], size: str | None = None, given: Collection[str] = ()
) -> dict[str, Any]:
    """Return the plain values of a study file in one of its sizes; None: `default`, or else `quick`.

    The size becomes part of the name, so that each size has its own report; `default` alone does not.
    `given` are the study's keys that the command line sets, which take precedence. Raises `ConfigError`
    for an unknown size.
    """
    values = {key: value for key, value in study.items() if key != "sizes"}
    sizes = {
        name: validate(Size, declared or {}, prefix=f"study.sizes.{name}.")
        for name, declared in (study.get("sizes") or {}).items()
    }
    if not sizes:
        if size is not None:
            raise ConfigError("size", size, f"study '{study.get('name')}' has no sizes; leave it out")
        return values
    usual = PLAIN_SIZE if PLAIN_SIZE in sizes else DEFAULT_SIZE
    chosen = usual if size is None else size
    if chosen not in sizes:
        allowed = one_of(chosen, sizes, f"sizes of study '{study.get('name')}'")
        raise ConfigError("size", chosen, allowed)
    return values | _changed(values, sizes[chosen], f"study.sizes.{chosen}.", given) | {"size": chosen}


def _changed(
    values: Mapping[str, Any], size: Size, prefix: str, given: Collection[str]
) -> dict[str, Any]:
    """Return the keys of a study that a size changes, with their values."""
    name = prefix.split(".")[2]
    changed: dict[str, Any] = {} if name == PLAIN_SIZE else {"name": f"{values.get('name')}-{name}"}
    for key in ("question", "seeds", "environments", "design"):
        if getattr(size, key) is not None and key not in given:
            changed[key] = getattr(size, key)
    for key in ("baseline", "tune"):
        if getattr(size, key):
            changed[key] = (values.get(key) or {}) | getattr(size, key)
    if size.levels:
        factors = dict(values.get("factors") or {})
        for factor, levels in size.levels.items():
            if factor not in factors:
                raise ConfigError(f"{prefix}levels", factor, one_of(factor, factors, "factors are"))
            declared = factors[factor].get("levels")
            factors[factor] = factors[factor] | {
                "levels": _levels(declared, levels, f"{prefix}levels.{factor}")
            }
        changed["factors"] = factors
    return changed


def _levels(declared: Any, levels: list[Any] | dict[str, Any], key: str) -> Any:
    if isinstance(levels, dict) or not isinstance(declared, Mapping):
        return levels
    for level in levels:
        if level not in declared:
            raise ConfigError(key, level, one_of(level, declared))
    return {level: declared[level] for level in levels}
