"""Other processes, run to their end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
BARE = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
"""Variables of a process that finds our packages, and no others."""

Ended = subprocess.CompletedProcess[str]


def run(
    *words: str, cwd: Path = ROOT, variables: Mapping[str, str] | None = None, stdin: str = ""
) -> Ended:
    """Run a command to its end; `variables` are all that it has, None for ours."""
    return subprocess.run(
        words,
        cwd=cwd,
        env=variables,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def python(*words: str, cwd: Path = ROOT, variables: Mapping[str, str] | None = None) -> str:
    """Run Python to its end and return what it prints; it must succeed."""
    done = run(sys.executable, *words, cwd=cwd, variables=variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def installed(*words: str, cwd: Path, stdin: str = "") -> Ended:
    """Run our program as users have it: it does not look for our packages in the current directory."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    ours.pop("PYTHONPATH", None)
    return run(sys.executable, "-P", "-m", "ablation", *words, cwd=cwd, variables=ours, stdin=stdin)
