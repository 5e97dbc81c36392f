"""`replay-ablation new NAME`: writes a small project: a study, an environment, a sampler, a test."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ablation.cli.command_line import EXIT_REFUSED, usage
from ablation.config.program import PROGRAM
from ablation.config.project import Project
from ablation.config.validation import ConfigError

TEMPLATE = Path(__file__).resolve().parent.parent / "template"
"""A link to `examples/project`; its name stands in its files, and for its package."""
NAME = "my_project"


def run(_: str, words: Sequence[str], __: Project) -> int:
    """Write the project below the current directory; refuse to write over anything."""
    if "-h" in words or "--help" in words:
        print(usage("new", (), "NAME"))
        return 0
    try:
        directory = _directory(words)
        for source in sorted(TEMPLATE.rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                _write(source, directory)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_REFUSED
    print(f"Wrote {directory}/. Next: cd {directory}; make check; make plan; make sweep")
    return 0


def _directory(words: Sequence[str]) -> Path:
    if len(words) != 1 or words[0].startswith("-"):
        raise ConfigError("new", " ".join(words) or "(nothing)", f"write {PROGRAM} new {NAME}")
    directory = Path(words[0])
    name = directory.name
    if not name.isidentifier() or not name.isascii():
        raise ConfigError("new", name, "is a Python package too: letters, digits and underscores")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError("new", directory, "exists already")
    if find_spec(name) is not None:
        raise ConfigError("new", name, "is the name of an installed module; choose another")
    return directory


def _write(source: Path, directory: Path) -> None:
    place = str(source.relative_to(TEMPLATE)).replace(NAME, directory.name)
    target = directory / place
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text(encoding="utf-8").replace(NAME, directory.name)
    target.write_text(text, encoding="utf-8")
