"""Code blocks of a page of the documentation: their files written, their commands run as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from .processes import ROOT, installed

FILE = re.compile(r"# (\S+\.(?:py|yaml))\n")


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of one language in a page, named by its path in the project."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def write_files(page: str, directory: Path) -> list[str]:
    """Write each block whose first line names a file; return the names."""
    names = []
    for block in (*blocks(page, "yaml"), *blocks(page, "python")):
        if named := FILE.match(block):
            path = directory / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
            names.append(named[1])
    return names


def commands(page: str) -> Iterator[list[str]]:
    """Yield the words of each `replay-ablation` command of a page, without the program."""
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            program, *words = shlex.split(line, comments=True)
            if program == "replay-ablation":
                yield words


def run_command(words: Sequence[str], directory: Path) -> str:
    """Run a command of ours as a user would, who has no variables of W&B; return what it prints."""
    done = installed(*words, cwd=directory)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout + done.stderr
