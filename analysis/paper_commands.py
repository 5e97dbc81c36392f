"""The commands about papers: verdicts on what they report, and the gallery."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ablation.results.load import RESULTS
from analysis.errors import Refused


def add_paper_commands(commands: Any) -> None:
    """Add `papers` and `gallery` to the command line."""
    stored = argparse.ArgumentParser(add_help=False)
    stored.add_argument("--results", default=RESULTS, help="results directory (default: %(default)s)")
    papers = commands.add_parser(
        "papers", parents=[stored], help="what papers report beside what the runs say"
    )
    papers.add_argument("study", nargs="?", help="one study, as young2019 or young2019-paper")
    papers.set_defaults(run=_papers)
    gallery = commands.add_parser(
        "gallery", parents=[stored], help="put the papers' studies into README and docs/papers.md"
    )
    gallery.add_argument(
        "--project", type=Path, default=Path(), help="where README and docs are (default: here)"
    )
    gallery.set_defaults(run=_gallery)


def _papers(arguments: argparse.Namespace) -> None:
    from analysis.expectations.paper_tables import write_papers
    from analysis.expectations.papers import declared, paper_of
    from analysis.tables.writers import to_terminal

    if arguments.study is not None and paper_of(arguments.study) is None:
        names = ", ".join(paper.study for paper in declared())
        raise Refused(f"no paper's study '{arguments.study}'; there are: {names}")
    tables, page = write_papers(arguments.results, arguments.study)
    print("\n".join(to_terminal(table) for table in tables))
    print(f"Papers: {page}")


def _gallery(arguments: argparse.Namespace) -> None:
    from analysis.report.gallery import write_gallery

    print("\n".join(map(str, write_gallery(arguments.results, arguments.project))))
