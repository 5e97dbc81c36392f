"""The commands about one study: report, table, figure, checklist, scores."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from ablation.config.near import one_of
from ablation.store.runs import Store
from ablation.study.history import stored_command
from analysis.commands.arguments import (
    EVERYTHING,
    Commands,
    add_command,
    allowed_aspects,
    json_argument,
    open_study,
    print_json,
    say_which_plan,
    score_arguments,
    study_arguments,
    swept_last,
)
from analysis.report.errors import FiguresFailed, RequestError
from analysis.tables.writers import FORMATS


def add_study_commands(commands: Commands) -> None:
    """Add `report`, `table`, `figure`, `checklist` and `scores` to the command line."""
    parents = [score_arguments()]
    report = add_command(
        commands,
        "report",
        parents=parents,
    )
    report.set_defaults(run=_report)
    _add_table(commands)
    _add_figure(commands)
    checklist = add_command(commands, "checklist", parents=[score_arguments(), json_argument()])
    checklist.add_argument(
        "--strict", action="store_true", help="end with status 1 if a common error is found, not with 0"
    )
    checklist.set_defaults(run=_checklist)
    parents = [study_arguments(), json_argument()]
    scores = add_command(
        commands,
        "scores",
        parents=parents,
    )
    scores.set_defaults(run=_scores)


def _add_table(commands: Commands) -> None:
    parents = [score_arguments(), json_argument()]
    table = add_command(
        commands,
        "table",
        parents=parents,
    )
    table.add_argument(
        "--kind", default="table", help="which table (an unknown one lists them; default: %(default)s)"
    )
    table.add_argument("--format", choices=FORMATS, default="terminal")
    table.add_argument("--layout", choices=("auto", "arms", "components"), default="auto")
    table.set_defaults(run=_table)


def _add_figure(commands: Commands) -> None:
    figure = add_command(
        commands,
        "figure",
        parents=[score_arguments()],
    )
    figure.add_argument("name", help="kind of figure, as curves (an unknown one lists them)")
    figure.add_argument("--seeds", action="store_true", help="draw the single runs as well")
    figure.add_argument("--formats", nargs="+", choices=("svg", "png", "pdf"), default=["svg"])
    figure.add_argument("--output", type=Path, default=Path(), help="directory (default: here)")
    figure.set_defaults(run=_figure)


def _report(arguments: argparse.Namespace) -> int:
    from analysis.report.report import write_report

    allowed = allowed_aspects(arguments)
    try:
        page = write_report(arguments.results, arguments.study, arguments.score, allowed)
    except FiguresFailed as error:
        print(f"Report: {error.page}")
        for line in error.lines:
            print(line, file=sys.stderr)
        return 1
    store, study = Store(arguments.results), page.parent.parent.name
    if stored_command(store, study):
        print(swept_last(store, study))
    print(f"Report: {page}")
    return 0


def _table(arguments: argparse.Namespace) -> None:
    from analysis.report.report import study_tables
    from analysis.tables.macros import to_macros
    from analysis.tables.writers import PRINTERS

    results = open_study(arguments)
    if arguments.format == "macros":
        print(to_macros(results.runs, results.comparisons), end="")
        return
    tables = study_tables(results, arguments.layout)
    if arguments.kind not in tables:
        there = one_of(arguments.kind, tables, "there are")
        raise RequestError(f"this study has no table '{arguments.kind}'; {there}")
    table = tables[arguments.kind]
    if arguments.json:
        print_json({"caption": table.caption, "rows": table.values, "notes": table.notes})
    else:
        print(PRINTERS[arguments.format](table), end="")


def _figure(arguments: argparse.Namespace) -> None:
    from analysis.figures.draw import draw_figures, save_figure
    from analysis.studies.registry import FIGURE_KINDS

    if arguments.name not in FIGURE_KINDS:
        there = one_of(arguments.name, FIGURE_KINDS, "there are")
        raise RequestError(f"no figure '{arguments.name}'; {there}")
    results = open_study(arguments)
    arguments.output.mkdir(parents=True, exist_ok=True)
    paths = [
        path
        for figure in draw_figures(results, FIGURE_KINDS[arguments.name], arguments.seeds)
        for path in save_figure(figure, arguments.output, tuple(arguments.formats))
    ]
    if not paths:
        raise RequestError(f"the runs of '{arguments.study}' have nothing to draw as '{arguments.name}'")
    print("\n".join(str(path) for path in paths))


def _checklist(arguments: argparse.Namespace) -> int:
    from analysis.report.checklist import paragraph, write_checklist
    from analysis.report.lint import lint

    # Runs that differ in what they should share are a finding, not a reason to check nothing.
    arguments.allow = [EVERYTHING]
    results = open_study(arguments)
    findings = lint(results)
    text = paragraph(results)
    path = write_checklist(text, results, arguments.results)
    if arguments.json:
        print_json({"paragraph": text, "findings": [asdict(finding) for finding in findings]})
    else:
        print(text)
        print(
            "\n".join(f"{finding.rule}: {finding.text}" for finding in findings) or "No common errors."
        )
        print(f"Written: {path}")
    return 1 if findings and arguments.strict else 0


def _scores(arguments: argparse.Namespace) -> None:
    from ablation.results.load import load
    from analysis.notebook.study import Study

    runs = load(arguments.study, arguments.results)
    say_which_plan(runs)
    frame = Study(runs).scores()
    if arguments.json:
        print(frame.to_json(orient="records", indent=1))
    else:
        print(frame.to_csv(index=False), end="")
