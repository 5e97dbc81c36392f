"""The commands about expected effects: claims, papers, and the gallery of papers' studies."""

from __future__ import annotations

import argparse
from pathlib import Path

from ablation.config.near import one_of
from analysis.commands.arguments import Commands, add_command, results_argument
from analysis.report.errors import RequestError


def add_expectation_commands(commands: Commands) -> None:
    """Add `claims`, `papers` and `gallery` to the command line."""
    parents = [results_argument()]
    claims = add_command(
        commands,
        "claims",
        parents=parents,
    )
    claims.set_defaults(run=_claims)
    papers = add_command(
        commands,
        "papers",
        parents=parents,
    )
    papers.add_argument("study", nargs="?", help="one study, as young2019 or young2019-paper")
    papers.set_defaults(run=_papers)
    gallery = add_command(
        commands,
        "gallery",
        parents=parents,
    )
    gallery.add_argument(
        "--project", type=Path, default=Path(), help="directory that has docs/papers (default: here)"
    )
    gallery.set_defaults(run=_gallery)


def _claims(arguments: argparse.Namespace) -> None:
    from analysis.report.expectation_pages import write_claims

    table, page = write_claims(arguments.results)
    print(table.to_terminal())
    print(f"Claims: {page}")


def _papers(arguments: argparse.Namespace) -> None:
    from analysis.expectations.papers import declared_papers, paper_of
    from analysis.report.expectation_pages import write_papers

    if arguments.study is not None and paper_of(arguments.study) is None:
        names = [paper.study for paper in declared_papers()]
        there = one_of(arguments.study, names, "there are")
        raise RequestError(f"no paper's study '{arguments.study}'; {there}")
    tables, page = write_papers(arguments.results, arguments.study)
    print("\n".join(table.to_terminal() for table in tables))
    print(f"Papers: {page}")


def _gallery(arguments: argparse.Namespace) -> None:
    from analysis.report.gallery import write_gallery

    print("\n".join(map(str, write_gallery(arguments.results, arguments.project))))
