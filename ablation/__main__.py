"""The command line: `python -m ablation [plan|status|verify] [key=value ...]`, in Hydra's syntax."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

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
    # Errors come to us instead of being printed and turned into exit status 1 by Hydra.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    from ablation.cli.main import run_command

    run_command(sys.argv)


def work(root: str, sweep: str, name: str, supervisor: str, descriptor: str) -> None:
    """Train a sweep's jobs in this process; listens for Ctrl-C before imports that take seconds."""
    from ablation.sweep.interrupts import Stop
    from ablation.sweep.worker_end import EndReporter

    reporter = EndReporter(int(descriptor))
    stop = Stop(before_exit=lambda: reporter.report("stopped"))
    stop.listen()

    from ablation.store.runs import Store
    from ablation.sweep.worker import run_worker

    run_worker(Store(root), sweep, name, int(supervisor), stop, reporter)


if __name__ == "__main__":
    main()
