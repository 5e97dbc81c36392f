"""Writes values as overrides of a Hydra command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def as_word(key: str, value: Any) -> str:
    """Return one override as a word of Hydra's command line."""
    return f"{key}={_literal(value)}"


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if re.fullmatch(r"[A-Za-z][\w.-]*", value) else "'" + _escaped(value) + "'"
    if isinstance(value, Mapping):
        inner = ",".join(f"{key}:{_literal(item)}" for key, item in value.items())
        return "{" + inner + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_literal(item) for item in value) + "]"
    return repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
