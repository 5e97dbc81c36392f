"""The program `replay-ablation`, and the worker that a supervisor starts."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path

from ablation.numerics.library_settings import library_settings


def main() -> None:
    """Run a command, or be a worker that a supervisor started."""
    os.environ.update(library_settings())
    # A terminal of another encoding shows what it cannot as escapes; nothing fails of it.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[2:])
        return
    from ablation.cli.command_line import run

    sys.exit(run(sys.argv[1:]))


def work(root: str, sweep: str, name: str, supervisor: str, descriptor: str) -> None:
    """Train a sweep's jobs in this process; listens for Ctrl-C before imports that take seconds."""
    from ablation.sweep.interrupts import Stop
    from ablation.sweep.worker_end import EndReporter

    reporter = EndReporter(int(descriptor))
    stop = Stop(before_exit=lambda: reporter.report("stopped"))
    stop.listen()

    from ablation.config.project import Project
    from ablation.store.runs import Store
    from ablation.sweep.worker import run_worker

    Project(Path.cwd()).make_importable()
    run_worker(Store(root), sweep, name, int(supervisor), stop, reporter)


if __name__ == "__main__":
    main()
