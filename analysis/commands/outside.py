"""The commands about runs from elsewhere: import, export."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ablation.results.outside.request import ImportRefused, Request
from ablation.results.scores import SCORES
from ablation.study.declaration import VERDICTS_FROM
from analysis.commands import COMMANDS
from analysis.commands.arguments import Commands, add_command, results_argument

if TYPE_CHECKING:
    from ablation.results.outside.importing import Imported

NATIVE = "runs"
"""The word for runs of another results directory of this program, in place of a format."""


def add_outside_commands(commands: Commands) -> None:
    """Add `import` and `export` to the command line."""
    parser = add_command(
        commands,
        "import",
        parents=[results_argument()],
        description=f"{COMMANDS['import']}. Formats: csv, parquet, sb3-evaluations, sb3-monitor, "
        "tensorboard, wandb; 'runs' copies complete runs of another results directory of this program. "
        "docs/outside-runs.md has examples.",
    )
    parser.add_argument("format")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or directories")
    _add_labels(parser)
    _add_declarations(parser)
    parser.set_defaults(run=_import)
    export = add_command(
        commands,
        "export",
        parents=[results_argument()],
    )
    export.add_argument("study")
    export.add_argument("output", type=Path, help="directory to write <arm>/<environment>_<seed>/ into")
    export.set_defaults(run=_export)


def _add_labels(parser: argparse.ArgumentParser) -> None:
    labels = parser.add_argument_group("which run is which")
    labels.add_argument("--study", help="name of the new study")
    labels.add_argument("--arm", help="arm of all files, where they do not say it")
    labels.add_argument("--environment", help="environment id of all files, where they do not say it")
    labels.add_argument("--seed", type=int, help="seed of all files, where they do not say it")
    labels.add_argument(
        "--columns", nargs="+", default=[], metavar="OURS=THEIRS", help="names of columns"
    )
    labels.add_argument(
        "--factors", nargs="+", default=[], metavar="COLUMN", help="arms: several factors"
    )
    labels.add_argument("--pattern", help="labels in paths or run names: '{arm}/{environment}_{seed}'")


def _add_declarations(parser: argparse.ArgumentParser) -> None:
    declared = parser.add_argument_group("what you declare")
    declared.add_argument("--baseline", nargs="+", metavar="ARM", help="an arm, or FACTOR=LEVEL of each")
    declared.add_argument("--rows", choices=("evaluations", "episodes"), help="what the returns are of")
    declared.add_argument("--score", choices=sorted(SCORES), help="what a file of scores alone holds")
    declared.add_argument("--primary-score", choices=sorted(SCORES), help="score to show first")
    declared.add_argument("--budget", type=int, help="environment steps that every run was given")
    declared.add_argument("--gymnasium", help="version of Gymnasium that they were trained with")
    declared.add_argument("--shared-seeds", action="store_true", help="equal seeds are pairs")
    declared.add_argument("--incomplete", choices=("refuse", "missing", "keep"), default="refuse")
    declared.add_argument("--question", default="")
    declared.add_argument(
        "--verdicts-from", type=int, default=VERDICTS_FROM, help="fewest seeds for p-values and verdicts"
    )
    declared.add_argument("--beside", metavar="STUDY", help="show them beside this study of ours")
    declared.add_argument("--replace", action="store_true", help="replace an import of the same name")


def _import(arguments: argparse.Namespace) -> None:
    from ablation.results.outside.importing import import_files, plan_beside, store_import
    from ablation.results.outside.native import copy_runs
    from ablation.store.runs import Store

    store = Store(arguments.results)
    if arguments.format == NATIVE:
        for path in arguments.paths:
            print("\n".join(copy_runs(path, store)))
        return
    if arguments.study is None:
        raise ImportRefused("--study NAME is needed: the name of the new study")
    beside = plan_beside(store, arguments.beside) if arguments.beside else None
    imported = import_files(arguments.format, arguments.paths, _request(arguments), beside)
    store_import(store, imported, f"replay-ablation {shlex.join(sys.argv[1:])}", arguments.replace)
    print("\n".join(imported_lines(imported)))


def _request(arguments: argparse.Namespace) -> Request:
    given = arguments.baseline
    baseline = _pairs("--baseline", given) if given and (len(given) > 1 or arguments.factors) else None
    return Request(
        study=arguments.study,
        columns=_pairs("--columns", arguments.columns),
        factors=tuple(arguments.factors),
        arm=arguments.arm,
        environment=arguments.environment,
        seed=arguments.seed,
        pattern=arguments.pattern,
        rows=arguments.rows,
        score=arguments.score,
        baseline=baseline or (given[0] if given else None),
        primary_score=arguments.primary_score,
        budget=arguments.budget,
        gymnasium=arguments.gymnasium,
        shared_seeds=arguments.shared_seeds,
        incomplete=arguments.incomplete,
        question=arguments.question,
        verdicts_from=arguments.verdicts_from,
    )


def _pairs(option: str, words: list[str]) -> dict[str, str]:
    for word in words:
        if "=" not in word:
            raise ImportRefused(f"{option} {word}: pairs NAME=VALUE are needed")
    return dict(word.split("=", 1) for word in words)


def imported_lines(imported: Imported) -> list[str]:
    """Return what an import read, and what the user should know of it."""
    data, plan = imported.data, imported.plan
    cells = {key.cell for key in data.keys}
    arms = {arm.name for arm in plan.arms if arm.cell in cells}
    environments = {arm.env_id for arm in plan.arms if arm.cell in cells}
    rows = [f"{len(next(iter(table.columns.values()))):,} {kind}" for kind, table in data.tables.items()]
    rows += [f"scores {', '.join(data.scores)}"] if data.scores else []
    line = (
        f"Imported {_counted(len(data.keys), 'run')} of {_counted(len(arms), 'arm')} in "
        f"{', '.join(sorted(environments))}: "
        f"{', '.join(rows)}."
    )
    unknown = "Unknown: commit, device, versions" + ("" if data.about["declared"].get("gymnasium") else
        ", Gymnasium's among them (--gymnasium says it)")  # fmt: skip
    notes = [f"Note: {note}." for note in imported.notes]
    return [line, *notes, f"{unknown}.", f"Next: replay-ablation report {plan.study.name}"]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _export(arguments: argparse.Namespace) -> None:
    from ablation.results.load import load
    from ablation.results.outside.export import export_runs

    written = export_runs(load(arguments.study, arguments.results), arguments.output)
    print(f"Wrote {len(written)} runs below {arguments.output}")
