"""The command line of the analysis: tables, figures and pages of studies, and W&B's commands."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from ablation.numerics.library_settings import library_settings

os.environ.update(library_settings())

from ablation.results.load import RESULTS, StudyNotFound
from ablation.results.scores import SCORES
from analysis.effects.comparability import ASPECTS, NotComparable
from analysis.errors import Refused
from analysis.paper_commands import add_paper_commands

EXIT_REFUSED = 2
EVERYTHING = "all"


def main() -> None:
    """Run a command; a refused one ends with one message and exit status 2."""
    arguments = _parser().parse_args()
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
        sys.exit(status or 0)
    except (StudyNotFound, NotComparable, Refused) as error:
        _refuse(str(error))
    except BrokenPipeError:
        # The reader has seen enough (`| head`); what is left must not fail at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _refuse(f"{error.filename or 'output'}: {error.strerror}")


def _report(arguments: argparse.Namespace) -> None:
    from analysis.report.report import write_report

    page = write_report(arguments.results, arguments.study, arguments.score, _allowed(arguments))
    print(f"Report: {page}")


def _table(arguments: argparse.Namespace) -> None:
    from analysis.report.report import tables
    from analysis.tables.writers import WRITERS, to_macros, to_terminal

    results = _results(arguments)
    if arguments.format == "macros":
        print(to_macros(results.runs, results.comparisons), end="")
        return
    found = tables(results, arguments.layout)
    if arguments.kind not in found:
        raise Refused(f"this study has no table '{arguments.kind}'; there are: {', '.join(found)}")
    table = found[arguments.kind]
    if arguments.json:
        _print_json({"caption": table.caption, "rows": table.values, "notes": table.notes})
    else:
        print((WRITERS | {"terminal": to_terminal})[arguments.format](table), end="")


def _figure(arguments: argparse.Namespace) -> None:
    from analysis.figures import FIGURES, draw, write

    if arguments.name not in FIGURES:
        raise Refused(f"no figure '{arguments.name}'; there are: {', '.join(FIGURES)}")
    results = _results(arguments)
    arguments.output.mkdir(parents=True, exist_ok=True)
    paths = [
        path
        for drawn in draw(results, arguments.name, arguments.seeds)
        for path in write(drawn, arguments.output, tuple(arguments.formats))
    ]
    if not paths:
        raise Refused(f"the runs of '{arguments.study}' have nothing to draw as '{arguments.name}'")
    print("\n".join(str(path) for path in paths))


def _compare(arguments: argparse.Namespace) -> None:
    from dataclasses import asdict

    from analysis.effects.comparisons import against
    from analysis.tables.comparisons import comparison_table
    from analysis.tables.writers import to_terminal

    results = _results(arguments)
    runs = results.runs
    if not arguments.arms:
        table = comparison_table(results.comparisons, len(runs.environments) > 1)
        if arguments.json:
            _print_json(table.values)
        else:
            print(to_terminal(table), end="")
        return
    if len(arguments.arms) != 2:
        raise Refused("--arms takes two names: an arm and what it is compared with")
    names = list(dict.fromkeys(arm.name for arm in runs.plan.arms))
    for name in arguments.arms:
        if name not in names:
            raise Refused(f"no arm '{name}'; there are: {'; '.join(names)}")
    pairs = {}
    for environment in runs.environments:
        by_name = {arm.name: arm for arm in runs.arms(environment)}
        if all(name in by_name for name in arguments.arms):
            one, other = (runs.scores(by_name[name], results.score) for name in arguments.arms)
            pairs[by_name[arguments.arms[0]].env_id] = asdict(against(one, other, results.score))
    _print_json(pairs) if arguments.json else _print_pairs(arguments.arms, results.score, pairs)


def _print_pairs(arms: list[str], score: str, pairs: dict[str, Any]) -> None:
    from analysis.statistics import Interval
    from analysis.tables.wording import interval_text, number, p_text

    for env_id, pair in pairs.items():
        paired, unpaired = (pair[kind] for kind in ("paired", "unpaired"))
        print(f"{arms[0]} minus {arms[1]}, {score}, {env_id}")
        for kind, found in (("paired by seed", paired), ("unpaired", unpaired)):
            interval = Interval(**found["interval"])
            print(
                f"  {kind}: {interval_text(interval, signed=True)}, n = {interval.n}, "
                f"p {p_text(found['p_value'])}"
            )
        print(f"  correlation over seeds: {number(paired['correlation'])}")
        print(f"  permutation test: p {p_text(pair['permutation'])}")
        print(f"  probability of improvement: {interval_text(Interval(**pair['improvement']))}")
    print("p-values are not corrected: this is one comparison.")


def _scores(arguments: argparse.Namespace) -> None:
    from ablation.results.load import load

    frame = load(arguments.study, arguments.results).scores_frame()
    if arguments.json:
        print(frame.to_json(orient="records", indent=1))
    else:
        print(frame.to_csv(index=False), end="")


def _claims(arguments: argparse.Namespace) -> None:
    from analysis.expectations.claims import write_claims
    from analysis.tables.writers import to_terminal

    table, page = write_claims(arguments.results)
    print(to_terminal(table))
    print(f"Claims: {page}")


def _results(arguments: argparse.Namespace) -> Any:
    from analysis.report.report import open_results

    return open_results(arguments.results, arguments.study, arguments.score, _allowed(arguments))


def _allowed(arguments: argparse.Namespace) -> tuple[str, ...]:
    return ASPECTS if EVERYTHING in arguments.allow else tuple(arguments.allow)


def _print_json(values: Any) -> None:
    from analysis.tables.writers import plain_json

    print(json.dumps(plain_json(values), indent=1))


def _parser() -> argparse.ArgumentParser:
    from analysis.tables.writers import FORMATS

    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("study")
    shared.add_argument("--results", default=RESULTS, help="results directory (default: %(default)s)")
    scored = argparse.ArgumentParser(add_help=False, parents=[shared])
    scored.add_argument("--score", choices=sorted(SCORES), help="default: the study's primary score")
    scored.add_argument(
        "--allow",
        nargs="+",
        default=[],
        choices=[*ASPECTS, EVERYTHING],
        help="what runs of one table may differ in",
    )
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON, missing numbers as null")

    report = commands.add_parser("report", parents=[scored], help="tables, figures and page of a study")
    report.set_defaults(run=_report)
    table = commands.add_parser("table", parents=[scored, as_json], help="print one table")
    table.add_argument(
        "--kind",
        choices=(
            "table",
            "comparisons",
            "effects",
            "aggregates",
            "why",
            "article",
            "cliffwalk",
            "papers",
        ),
        default="table",
    )
    table.add_argument("--format", choices=FORMATS, default="terminal")
    table.add_argument("--layout", choices=("auto", "arms", "components"), default="auto")
    table.set_defaults(run=_table)
    figure = commands.add_parser("figure", parents=[scored], help="write one kind of figure")
    figure.add_argument(
        "name",
        help="differences, curves, training, cliffwalk, classes, efficiency, doses, sensitivity, "
        "factors, profiles, improvement",
    )
    figure.add_argument("--seeds", action="store_true", help="draw the single runs as well")
    figure.add_argument("--formats", nargs="+", choices=("svg", "png", "pdf"), default=["svg"])
    figure.add_argument("--output", type=Path, default=Path(), help="directory (default: here)")
    figure.set_defaults(run=_figure)
    compare = commands.add_parser(
        "compare", parents=[scored, as_json], help="each arm against the baseline, or two arms"
    )
    compare.add_argument("--arms", nargs="+", metavar="ARM", help="an arm and what to compare it with")
    compare.set_defaults(run=_compare)
    claims = commands.add_parser("claims", help="the article's claims, each with its verdict")
    claims.add_argument("--results", default=RESULTS, help="results directory (default: %(default)s)")
    claims.set_defaults(run=_claims)
    scores = commands.add_parser("scores", parents=[shared, as_json], help="every score of every run")
    scores.set_defaults(run=_scores)
    add_paper_commands(commands)
    _add_wandb_commands(commands)
    return parser


def _add_wandb_commands(commands: Any) -> None:
    stored = argparse.ArgumentParser(add_help=False)
    stored.add_argument("--results", default=RESULTS, help="results directory (default: %(default)s)")
    target = argparse.ArgumentParser(add_help=False, parents=[stored])
    target.add_argument("--project", help="W&B project (default: that of the latest sweep)")
    target.add_argument("--entity", help="W&B user or team (default: that of the latest sweep)")
    sync = commands.add_parser("sync", parents=[target], help="upload to W&B what it has not got")
    sync.add_argument(
        "--jobs", type=int, default=4, help="runs to upload at a time (default: %(default)s)"
    )
    sync.set_defaults(run=_sync)
    report = commands.add_parser("wandb-report", parents=[target], help="a study as a W&B report")
    report.add_argument("study")
    report.add_argument("--dry-run", action="store_true", help="write it to a file; needs no server")
    report.set_defaults(run=_wandb_report)
    pull = commands.add_parser("pull", parents=[stored], help="rebuild the store from W&B")
    pull.add_argument("address", metavar="ENTITY/PROJECT")
    pull.set_defaults(run=_pull)


def _sync(arguments: argparse.Namespace) -> int:
    from analysis.wandb.commands import sync

    return sync(Path(arguments.results), arguments.project, arguments.entity, arguments.jobs)


def _wandb_report(arguments: argparse.Namespace) -> int:
    from analysis.wandb.commands import report

    root = Path(arguments.results)
    return report(root, arguments.study, arguments.project, arguments.entity, arguments.dry_run)


def _pull(arguments: argparse.Namespace) -> int:
    from analysis.wandb.commands import pull

    return pull(arguments.address, Path(arguments.results))


def _refuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(EXIT_REFUSED)


if __name__ == "__main__":
    main()
