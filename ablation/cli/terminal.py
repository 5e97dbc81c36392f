"""Where a command prints: what was asked for to stdout; progress and warnings to stderr."""

from __future__ import annotations

from rich.console import Console


def _console(stderr: bool) -> Console:
    # Names, levels and messages of users are text: nothing in them is read as markup or as an emoji.
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        # There is no width to fit into: long lines are better than cut ones.
        console = Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=160)
    return console


output = _console(stderr=False)
"""The tables and lines that a command is run for."""
console = _console(stderr=True)
"""What happens meanwhile, and warnings."""


def plural(number: int, noun: str) -> str:
    """Return a number with its noun: "1 arm", "2 arms"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
