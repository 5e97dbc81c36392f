"""Tables of named components; they refer to code by import path, so that planning loads none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from ablation.config.near import one_of
from ablation.config.validation import ConfigError


class Named(Protocol):
    """An entry of a registry."""

    @property
    def name(self) -> str:
        """Return what configurations call it."""


Entry = TypeVar("Entry", bound=Named)


class Registry(Generic[Entry]):
    """The entries that one configuration key chooses from, in the order in which they were added."""

    def __init__(self, key: str, entries: Iterable[Entry] = ()) -> None:
        self._key = key
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Add an entry; raises `ValueError` if its name is taken."""
        if entry.name in self._entries:
            raise ValueError(f"{self._key}: '{entry.name}' is already registered")
        self._entries[entry.name] = entry

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of a name; raises `ConfigError` with the names there are."""
        if name not in self._entries:
            raise ConfigError(self._key, name, one_of(name, self._entries))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())


def load_component(path: str) -> Any:
    """Return what an import path `package.module:name` refers to."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
