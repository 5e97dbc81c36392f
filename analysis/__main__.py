"""The command line of the analysis: tables, figures and pages of studies, and W&B's commands."""

from __future__ import annotations

import argparse
import os
import sys
from io import TextIOWrapper
from typing import NoReturn

from ablation.numerics.library_settings import library_settings

os.environ.update(library_settings())

from ablation.results.load import StudyNotFound
from ablation.results.outside.request import ImportRefused
from analysis.commands.compare import add_compare_command
from analysis.commands.expectations import add_expectation_commands
from analysis.commands.outside import add_outside_commands
from analysis.commands.studies import add_study_commands
from analysis.commands.wandb import add_wandb_commands
from analysis.effects.comparability import NotComparable
from analysis.report.errors import RequestError

EXIT_REFUSED = 2


def main() -> None:
    """Run a command; a request that cannot be met ends with one message and exit status 2."""
    # A terminal of another encoding shows what it cannot as escapes; nothing fails of it.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args()
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
        sys.exit(status or 0)
    except (StudyNotFound, NotComparable, RequestError, ImportRefused) as error:
        _refuse(str(error))
    except BrokenPipeError:
        # The reader closed the pipe (`| head`); the flush at exit must not fail on it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _refuse(f"{error.filename or 'output'}: {error.strerror}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_study_commands(commands)
    add_compare_command(commands)
    add_expectation_commands(commands)
    add_outside_commands(commands)
    add_wandb_commands(commands)
    return parser


def _refuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(EXIT_REFUSED)


if __name__ == "__main__":
    main()
