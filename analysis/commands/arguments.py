"""Arguments that several commands share, and how commands open a study and print JSON."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ablation.results.load import RESULTS
from ablation.results.scores import SCORES
from analysis.commands import COMMANDS
from analysis.effects.comparability import ASPECTS

if TYPE_CHECKING:
    from analysis.effects.study_results import StudyResults

EVERYTHING = "all"

Commands = Any
"""What `ArgumentParser.add_subparsers` returns."""


def add_command(commands: Commands, name: str, **options: Any) -> argparse.ArgumentParser:
    """Return the new parser of a command, described by its line in the list of commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, **{"description": COMMANDS[name]} | options
    )
    return parser


def results_argument() -> argparse.ArgumentParser:
    """Return the parent parser of commands that read a results directory."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--results",
        default=RESULTS,
        help="results directory, relative to the project (default: %(default)s)",
    )
    return parser


def study_arguments() -> argparse.ArgumentParser:
    """Return the parent parser of commands about one study."""
    parser = argparse.ArgumentParser(add_help=False, parents=[results_argument()])
    parser.add_argument("study")
    return parser


def score_arguments() -> argparse.ArgumentParser:
    """Return the parent parser of commands about one score of a study."""
    parser = argparse.ArgumentParser(add_help=False, parents=[study_arguments()])
    parser.add_argument(
        "--score",
        type=SCORES.name,
        help=f"{', '.join(SCORES)}, or package.module:function (default: the study's primary score)",
    )
    parser.add_argument(
        "--allow",
        nargs="+",
        default=[],
        choices=[*ASPECTS, EVERYTHING],
        help="what runs of one table may differ in",
    )
    return parser


def json_argument() -> argparse.ArgumentParser:
    """Return the parent parser of commands that can print JSON."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json", action="store_true", help="print JSON, missing numbers as null")
    return parser


def allowed_aspects(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the aspects in which runs may differ."""
    return ASPECTS if EVERYTHING in arguments.allow else tuple(arguments.allow)


def open_study(arguments: argparse.Namespace) -> StudyResults:
    """Return the results of the study and score that the arguments name."""
    from analysis.report.report import open_results

    allowed = allowed_aspects(arguments)
    return open_results(arguments.results, arguments.study, arguments.score, allowed)


def print_json(values: Any) -> None:
    """Print values as JSON, missing numbers as null."""
    from analysis.tables.writers import plain_json

    print(json.dumps(plain_json(values), indent=1))
