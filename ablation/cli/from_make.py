"""Runs a program with the words of the Makefile's ARGS: split as a shell does, nothing in them is run.

`python -m ablation.cli.from_make 'ARGS' PROGRAM [word ...]`, a program of this environment.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

_CLOSING = {"[": "]", "{": "}", "(": ")"}


def split(text: str) -> list[str]:
    """Return the words of a text; a list such as `[64, 64]` is one although it has a space.

    Raises `ValueError` where a quote is not closed.
    """
    words: list[str] = []
    for word in shlex.split(text):
        if words and any(words[-1].count(a) > words[-1].count(b) for a, b in _CLOSING.items()):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def main() -> None:
    """Run the program; an ARGS that cannot be split ends with one line and exit status 2."""
    text, name, *words = sys.argv[1:]
    try:
        given = split(text)
    except ValueError as error:
        advice = "close it, or put the other kind of quote around the value"
        print(f"error: ARGS = {text}: {str(error).lower()}; {advice}", file=sys.stderr)
        sys.exit(2)
    program = str(Path(sys.executable).with_name(name))
    os.execv(program, [program, *words, *given])


if __name__ == "__main__":
    main()
