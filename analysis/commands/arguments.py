"""Arguments that several commands share, and how commands open a study and print JSON."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from ablation.results.load import RESULTS, StudyRuns
from ablation.results.scores import SCORES
from ablation.store.runs import Store
from ablation.study.history import earlier_command, stored_command
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
    results = open_results(arguments.results, arguments.study, arguments.score, allowed)
    say_which_plan(results.runs)
    return results


def say_which_plan(runs: StudyRuns) -> None:
    """Say on stderr of which sweep a study's plan is where there was another one before it."""
    store, study = Store(runs.root), runs.plan.study.name
    if earlier_command(store, study) is not None:
        print(swept_last(store, study), file=sys.stderr)


def swept_last(store: Store, study: str) -> str:
    """Return by which command a study was swept last, and how to see the plan before it."""
    line, earlier = f"As swept last: {stored_command(store, study)}", earlier_command(store, study)
    if earlier is None:
        return line
    return f"{line}; `{earlier}` again shows the plan before, and trains nothing that is stored"


def print_json(values: Any) -> None:
    """Print values as JSON, missing numbers as null."""
    from analysis.tables.writers import plain_json

    print(json.dumps(plain_json(values), indent=1))
