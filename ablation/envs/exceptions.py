"""Exceptions of environments in a line: what was raised, and where in the user's own code."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_PASSING = (str(Path(__file__).parents[1]), "<frozen ")
"""Code that only passes on what was raised: ours and the import system's."""
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
_REGISTRATION = str(Path("gymnasium", "envs", "registration.py"))


def from_gymnasium(error: BaseException) -> BaseException:
    """Return the exception that Gymnasium's `make` packed into one of its own, else the same one."""
    frames = traceback.extract_tb(error.__traceback__)
    packed = error.__cause__ or error.__context__
    if packed is not None and frames and frames[-1].filename.endswith(_REGISTRATION):
        return packed
    return error


def summary(error: BaseException) -> str:
    """Return an exception's kind and the first line of its message."""
    line = (str(error).strip().splitlines() or [""])[0]
    kind = type(error).__name__
    return f"{kind}: {line}" if line else kind


def place(error: BaseException) -> str:
    """Return ` (file, line N)` of the last of the user's own code that an exception passed through.

    It is the last of any code where none is the user's, and nothing without a traceback.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_PASSING) and not frame.filename.endswith(_REGISTRATION)
    ]
    own = [frame for frame in frames if not _is_library(frame.filename)]
    chosen = (own or frames)[-1:]
    return "".join(f" ({frame.filename}, line {frame.lineno})" for frame in chosen)


def _is_library(file: str) -> bool:
    return file.startswith(_LIBRARIES) or "site-packages" in file
