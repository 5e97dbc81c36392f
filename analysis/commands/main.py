"""Runs the commands that read stored runs; a request that cannot be met ends in one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ablation.config.project import Project
from ablation.config.validation import ConfigError
from ablation.results.load import StudyNotFound
from ablation.results.outside.request import ImportRefused
from ablation.store.keys import BadName
from analysis.commands.compare import add_compare_command
from analysis.commands.expectations import add_expectation_commands
from analysis.commands.outside import add_outside_commands
from analysis.commands.studies import add_study_commands
from analysis.commands.wandb import add_wandb_commands
from analysis.effects.comparability import NotComparable
from analysis.report.errors import RequestError

EXIT_REFUSED = 2


def run(name: str, words: Sequence[str], project: Project) -> int:
    """Run a command and return its exit status; `--results` is relative to the project."""
    try:
        # A score that is not there is refused while words are parsed.
        arguments = _parser().parse_args([name, *words])
        if project.root != Path.cwd():
            arguments.results = project.root / arguments.results
        status: int | None = arguments.run(arguments)
        sys.stdout.flush()
        return status or 0
    except (StudyNotFound, NotComparable, RequestError, ImportRefused, ConfigError, BadName) as error:
        return _refuse(str(error))
    except BrokenPipeError:
        # The reader closed the pipe (`| head`); the flush at exit must not fail on it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _refuse(
            f"{error.filename or 'output'}: {error.strerror}" if error.strerror else str(error)
        )


class _OneLine(argparse.ArgumentParser):
    """A parser, its commands' too, that refuses words in one line without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_REFUSED, f"error: {message}; `{self.prog} --help` lists what it takes\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLine(prog="replay-ablation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_study_commands(commands)
    add_compare_command(commands)
    add_expectation_commands(commands)
    add_outside_commands(commands)
    add_wandb_commands(commands)
    return parser


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return EXIT_REFUSED
