"""Commands as messages name them: so that they work where they are read, with make or without."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

PROGRAM = "replay-ablation"


def command(*words: str) -> str:
    """Return a command of ours as it can be typed in the shell that this process was started from.

    By its name where the shell finds this environment's program, otherwise by its path: the Makefile
    runs that of an environment that need not be active.
    """
    return shlex.join([_program(), *words])


def _program() -> str:
    own = Path(sys.executable).with_name(PROGRAM)
    found = shutil.which(PROGRAM)
    if not own.exists() or (found is not None and Path(found).resolve() == own.resolve()):
        return PROGRAM
    # Commands work from the root of a project; the shell may stand below it.
    here = Path(os.environ.get("PWD", Path.cwd()))
    return str(own.relative_to(here)) if own.is_relative_to(here) else str(own)
