"""The commands that speak to W&B: sync, wandb-report, pull."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.commands.arguments import Commands, add_command, results_argument


def add_wandb_commands(commands: Commands) -> None:
    """Add `sync`, `wandb-report` and `pull` to the command line."""
    target = argparse.ArgumentParser(add_help=False, parents=[results_argument()])
    target.add_argument("--project", help="W&B project (default: that of the latest sweep)")
    target.add_argument("--entity", help="W&B user or team (default: that of the latest sweep)")
    sync = add_command(
        commands,
        "sync",
        parents=[target],
    )
    sync.add_argument(
        "--jobs", type=int, default=4, help="runs to upload at a time (default: %(default)s)"
    )
    sync.set_defaults(run=_sync)
    report = add_command(
        commands,
        "wandb-report",
        parents=[target],
    )
    report.add_argument("study")
    report.add_argument("--dry-run", action="store_true", help="write it to a file; needs no server")
    report.set_defaults(run=_wandb_report)
    pull = add_command(
        commands,
        "pull",
        parents=[results_argument()],
    )
    pull.add_argument("address", metavar="ENTITY/PROJECT")
    pull.set_defaults(run=_pull)


def _sync(arguments: argparse.Namespace) -> int:
    from analysis.wandb.transfer import sync

    return sync(Path(arguments.results), arguments.project, arguments.entity, arguments.jobs)


def _wandb_report(arguments: argparse.Namespace) -> int:
    from analysis.wandb.transfer import report

    root = Path(arguments.results)
    return report(root, arguments.study, arguments.project, arguments.entity, arguments.dry_run)


def _pull(arguments: argparse.Namespace) -> int:
    from analysis.wandb.transfer import pull

    return pull(arguments.address, Path(arguments.results))
