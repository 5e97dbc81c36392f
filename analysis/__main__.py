"""The command line of the analysis: `python -m analysis report STUDY`."""

from __future__ import annotations

import argparse
import sys

from analysis.load import RESULTS, StudyNotFound
from analysis.scores import SCORES

EXIT_REFUSED = 2


def main() -> None:
    """Write a study's report from the stored runs."""
    parser = argparse.ArgumentParser(prog="python -m analysis")
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="table, figures and page of a study")
    report.add_argument("study")
    report.add_argument("--score", choices=sorted(SCORES), help="default: the study's primary score")
    report.add_argument("--results", default=RESULTS, help="results directory (default: %(default)s)")
    arguments = parser.parse_args()

    from analysis.report import write_report

    try:
        page = write_report(arguments.results, arguments.study, arguments.score)
    except StudyNotFound as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_REFUSED)
    print(f"Report: {page}")


if __name__ == "__main__":
    main()
