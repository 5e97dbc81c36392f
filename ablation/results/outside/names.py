"""Names from elsewhere: what may name an arm, level or environment, and keys that are safe as files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ablation.results.outside.request import Argument, ImportRefused

STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
CELL = re.compile(r"outside-[0-9a-f]{12}")
LONGEST = 100


def check_study(name: str) -> None:
    """Refuse a study's name that could be a path."""
    if not STUDY.fullmatch(name):
        raise ImportRefused(
            Argument("study"),
            f" {name!r}: letters, digits, '.', '_' and '-', first a letter or digit",
        )


def check_label(what: str, text: str) -> None:
    """Refuse an empty or endless label, and one with characters that no table can show."""
    if not text.strip() or len(text) > LONGEST or not text.isprintable():
        raise ImportRefused(f"{what} {text[:LONGEST]!r}: 1 to {LONGEST} printable characters are needed")


def environment_keys(env_ids: Iterable[str]) -> dict[str, str]:
    """Return a key for each environment id that is safe in a file's name, all of them different."""
    keys: dict[str, str] = {}
    for env_id in env_ids:
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", env_id).strip("-.") or "environment"
        key, number = stem, 2
        while key in keys.values():
            key, number = f"{stem}-{number}", number + 1
        keys[env_id] = key
    return keys


def cell_of(config: dict[str, Any]) -> str:
    """Return the name of an outside arm's cell: a hash of what is known of its configuration."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    return f"outside-{digest[:12]}"


def is_outside(cells: Mapping[str, Mapping[str, Any]], cell: str) -> bool:
    """Return whether a cell's runs were trained elsewhere."""
    return "outside" in cells.get(cell, {})


def has_outside(cells: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether any of a plan's cells has runs that were trained elsewhere."""
    return any(is_outside(cells, cell) for cell in cells)
