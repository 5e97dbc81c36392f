"""Runs a module with the words of the Makefile's ARGS: split as a shell does, nothing in them is run.

`python -m ablation.cli.from_make 'ARGS' MODULE [word ...]`
"""

from __future__ import annotations

import os
import shlex
import sys

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
    """Run the module; an ARGS that cannot be split ends with one line and exit status 2."""
    text, module, *words = sys.argv[1:]
    try:
        given = split(text)
    except ValueError as error:
        advice = "close it, or put the other kind of quote around the value"
        print(f"error: ARGS = {text}: {str(error).lower()}; {advice}", file=sys.stderr)
        sys.exit(2)
    os.execv(sys.executable, [sys.executable, "-m", module, *words, *given])


if __name__ == "__main__":
    main()
