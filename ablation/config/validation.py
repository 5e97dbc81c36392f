"""Types with ranges, and errors that name key, value and what is allowed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ablation.config.near import one_of

T = TypeVar("T")


class ConfigError(Exception):
    """A refused configuration: the key, the value given and what is allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        self.key = key
        self.value = value
        self.allowed = allowed
        super().__init__(f"{key} = {value}: {allowed}")

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, object, str]]:
        """Let the error cross process borders."""
        return type(self), (self.key, self.value, self.allowed)


# Strict: "64" is no integer, 1 is no boolean; an integer where a real number is due is fine.
Count = Annotated[int, Field(ge=1, strict=True)]


Width = Annotated[int, Field(ge=2, strict=True)]


Steps = Annotated[int, Field(ge=0, strict=True)]


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]


Finite = Annotated[float, Field(allow_inf_nan=False, strict=True)]


UnitInterval = Annotated[float, Field(ge=0, le=1, strict=True)]


Decay = Annotated[float, Field(ge=0, lt=1, strict=True)]


Share = Annotated[float, Field(gt=0, le=1, strict=True)]


Switch = Annotated[bool, Field(strict=True)]


_SCHEMA = ConfigDict(extra="forbid")


def validate(schema: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """Return plain values as an instance of a pydantic dataclass, or raise `ConfigError`.

    `prefix` goes before the key that the error names.
    """
    try:
        return TypeAdapter(schema).validate_python(dict(values))
    except ValidationError as error:
        raise _explain(error, schema, prefix) from None


def _explain(error: ValidationError, schema: type, prefix: str) -> ConfigError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = prefix + ".".join(path)
    if first["type"] == "unexpected_keyword_argument":
        section = key.removesuffix(path[-1])
        known = [section + name for name in _known_keys(schema, path[:-1])]
        allowed = one_of(key, known, "allowed here")
        return ConfigError(key, first["input"], f"unknown key; {allowed}")
    if first["type"] == "missing":
        return ConfigError(key, "(missing)", "is required")
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(key, first["input"], message[0].lower() + message[1:])


def _known_keys(schema: Any, path: list[str]) -> list[str]:
    for part in path:
        # A number is a place in a tuple of one kind of thing.
        schema = get_args(schema)[0] if part.isdigit() else get_type_hints(schema)[part]
    return [field.name for field in dataclasses.fields(schema)]
