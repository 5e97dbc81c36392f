"""Types with ranges, and errors that name key, value and what is allowed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ablation.config.near import one_of

T = TypeVar("T")


class ConfigError(Exception):
    """A refused configuration: the key, the value given and what is allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        self.key = key
        self.value = value
        self.allowed = allowed
        super().__init__(f"{readable(key)} = {value}: {allowed}")

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


def readable(key: str) -> str:
    """Return a key whose places in lists, `.0`, are said as people count: ` (entry 1)`."""
    return re.sub(r"\.(\d+)(?=\.|$)", lambda place: f" (entry {int(place[1]) + 1})", key)


def _explain(error: ValidationError, schema: type, prefix: str) -> ConfigError:
    # A misspelled key is missing under its right name as well.
    first = min(error.errors(), key=lambda each: each["type"] != _UNKNOWN)
    # Where several types are allowed, pydantic names the one that it tried, as `list[any]`.
    path = [part for part in map(str, first["loc"]) if not re.match(r"(list|dict)\[", part)]
    key = prefix + ".".join(path)
    if first["type"] == _UNKNOWN:
        section = key.removesuffix(path[-1])
        known = [readable(section + name) for name in _known_keys(schema, path[:-1])]
        allowed = one_of(readable(key), known, "allowed here")
        return ConfigError(key, first["input"], f"unknown key; {allowed}")
    if first["type"] == "missing":
        return ConfigError(key, "(missing)", "is required")
    rule = _RULES.get(first["type"])
    if rule is not None:
        return ConfigError(key, first["input"], rule.format(**first.get("ctx", {})))
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(key, first["input"], message[0].lower() + message[1:])


_UNKNOWN = "unexpected_keyword_argument"
_RULES = {
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping, as {{key: value}}",
    "dataclass_type": "must be a mapping, as {{key: value}}",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must match {pattern}",
}
"""What is allowed where a value breaks a rule, by pydantic's name of the rule."""


def _known_keys(schema: Any, path: list[str]) -> list[str]:
    for part in path:
        if dataclasses.is_dataclass(schema):
            schema = get_type_hints(schema)[part]
        else:
            # A number is a place in a list of one kind of thing, a name a key of a mapping to it.
            schema = get_args(schema)[0 if part.isdigit() else -1]
        if get_origin(schema) in (Union, UnionType):
            schema = next(member for member in get_args(schema) if member is not NoneType)
    return [field.name for field in dataclasses.fields(schema)]
