"""A user's project: the directory with their `conf/`, found from where a command is given.

From every directory of it, the same things are there: its results, its components
(`my_lab.samplers:Recency` is imported from there) and its configuration files, which come before the
program's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablation.config.validation import ConfigError

OWN_CONFIGURATION = Path(__file__).resolve().parent.parent / "conf"
GROUPS = ("agent", "env", "launch", "replay", "study", "tracking")
OPTION, SEARCH_PATH = "--config-dir", "hydra.searchpath"
_REPLACED = "override hydra/sweeper: ablation"


@dataclass(frozen=True)
class Project:
    """Where a command works, and the configuration directories or packages that it searches first."""

    root: Path
    sources: tuple[str, ...] = ()
    """As Hydra writes them: `file:///...` or `pkg://...`."""

    def make_importable(self) -> None:
        """Let modules of the project be imported, after those that are installed.

        To be called when our own packages are loaded: a project may have an `analysis.py`.
        """
        if str(self.root) not in sys.path:
            sys.path.append(str(self.root))


def project_of(words: Sequence[str], here: Path | None = None) -> tuple[Project, list[str]]:
    """Return the project that a command line is about, and the line without the words that name it.

    It is the parent of `--config-dir`, else the nearest directory from `here` upwards that has a
    `conf/` with our groups, else `here`. Raises `ConfigError` for directories that do not exist.
    """
    here = (here or Path.cwd()).absolute()
    given, searched, rest = _split(words)
    if given is not None:
        directory: Path | None = _configuration(here / given)
    else:
        candidates = (parent / "conf" for parent in (here, *here.parents))
        directory = next((conf for conf in candidates if is_configuration(conf)), None)
    ours = directory is not None and directory.resolve() == OWN_CONFIGURATION.resolve()
    sources = [] if directory is None or ours else [f"file://{directory}"]
    for source in searched:
        if source.startswith("pkg://"):
            sources.append(source)
        else:
            sources.append(f"file://{_directory(SEARCH_PATH, here / source.removeprefix('file://'))}")
    return Project(here if directory is None else directory.parent, tuple(sources)), rest


def _configuration(given: Path) -> Path:
    """Return a directory of configuration files, which may also be named by the project around it."""
    directory = given if is_configuration(given) else given / "conf"
    if given.is_dir() and not is_configuration(directory):
        raise ConfigError(OPTION, given, f"has none of the directories {', '.join(GROUPS)}")
    return _directory(OPTION, directory if given.is_dir() else given)


def is_configuration(directory: Path) -> bool:
    """Return whether a directory has configuration groups of ours in it."""
    return any((directory / group).is_dir() for group in GROUPS)


def _split(words: Sequence[str]) -> tuple[str | None, list[str], list[str]]:
    """Return the directory of `--config-dir`, the entries of `hydra.searchpath`, and all other words."""
    given, searched, rest = None, [], []
    waiting = iter(words)
    for word in waiting:
        name, _, value = word.partition("=")
        if name in (OPTION, "-cd"):
            given = value or next(waiting, None)
            if not given:
                raise ConfigError(OPTION, "(nothing)", "takes a directory of configuration files")
        elif name.lstrip("+") == SEARCH_PATH:
            searched += [entry.strip(" '\"") for entry in value.strip("[]").split(",") if entry.strip()]
        else:
            rest.append(word)
    return given, searched, rest


def _directory(key: str, path: Path) -> Path:
    path = Path(os.path.normpath(path))
    if not path.is_dir():
        raise ConfigError(key, path, "no such directory")
    primary = path / "config.yaml"
    if primary.exists() and _REPLACED not in primary.read_text(encoding="utf-8"):
        allowed = (
            "would replace the program's own; defaults of a project belong into project/defaults.yaml"
        )
        raise ConfigError(key, primary, allowed)
    return path
