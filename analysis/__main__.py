"""The command line of the analysis: `python -m analysis report|sync|wandb-report|pull`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from analysis.load import RESULTS, StudyNotFound
from analysis.scores import SCORES

EXIT_FAILED, EXIT_REFUSED = 1, 2


def main() -> None:
    """Run one command; exit with 1 if a part of it failed, with 2 if it was refused."""
    parser = argparse.ArgumentParser(prog="python -m analysis")
    commands = parser.add_subparsers(required=True)
    report = _command(commands, "report", _report, "table, figures and page of a study")
    report.add_argument("study")
    report.add_argument("--score", choices=sorted(SCORES), help="default: the study's primary score")
    _command(commands, "sync", _sync, "upload to W&B what it has not got", target=True).add_argument(
        "--jobs", type=int, default=4, help="runs to upload at a time (default: %(default)s)"
    )
    wandb = _command(commands, "wandb-report", _wandb_report, "a study as a W&B report", target=True)
    wandb.add_argument("study")
    wandb.add_argument("--dry-run", action="store_true", help="write it to a file; needs no server")
    pull = _command(commands, "pull", _pull, "rebuild the store from W&B")
    pull.add_argument("address", metavar="ENTITY/PROJECT")
    arguments = parser.parse_args()
    try:
        sys.exit(arguments.run(arguments))
    except StudyNotFound as error:
        sys.exit(_refuse(error))


def _command(commands: Any, name: str, run: Any, about: str, target: bool = False) -> Any:
    parser = commands.add_parser(name, help=about)
    parser.set_defaults(run=run)
    parser.add_argument("--results", default=RESULTS, help="results directory (default: %(default)s)")
    if target:
        parser.add_argument("--project", help="W&B project (default: that of the latest sweep)")
        parser.add_argument("--entity", help="W&B user or team (default: that of the latest sweep)")
    return parser


def _report(arguments: argparse.Namespace) -> int:
    from analysis.report import write_report

    page = write_report(arguments.results, arguments.study, arguments.score)
    print(f"Report: {page}")
    return 0


def _sync(arguments: argparse.Namespace) -> int:
    from analysis.wandb_commands import sync

    return sync(Path(arguments.results), arguments.project, arguments.entity, arguments.jobs)


def _wandb_report(arguments: argparse.Namespace) -> int:
    from analysis.wandb_commands import report

    root = Path(arguments.results)
    return report(root, arguments.study, arguments.project, arguments.entity, arguments.dry_run)


def _pull(arguments: argparse.Namespace) -> int:
    from analysis.wandb_commands import pull

    return pull(arguments.address, Path(arguments.results))


def _refuse(error: Exception) -> int:
    print(f"error: {error}", file=sys.stderr)
    return EXIT_REFUSED


if __name__ == "__main__":
    main()
