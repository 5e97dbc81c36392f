"""The formats of runs from elsewhere: which files each has, how one is read, what its path says."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablation.results.outside import stable_baselines, tensorboard_events, tidy, wandb_export
from ablation.results.outside.patterns import match
from ablation.results.outside.request import ImportRefused, Request
from ablation.results.outside.rows import Labels, RowTable

MULTIPLE_ARMS_HELP = "--arm NAME, or --pattern such as '{arm}/{environment}_{seed}'"


@dataclass(frozen=True)
class Format:
    """A format: what it is, its files below a directory, and how the files of one run are read.

    `groups` puts the files together that belong to one run. `path_of_run` is what `pattern` is matched
    with: the end of it that has as many parts. Tables that label their own rows have no pattern.
    """

    name: str
    description: str
    glob: str
    read: Callable[[Sequence[Path], Request], RowTable]
    pattern: str | None = None
    groups: Callable[[Sequence[Path]], list[list[Path]]] = lambda files: [[file] for file in files]
    path_of_run: Callable[[Path], str] = lambda file: file.with_suffix("").as_posix()
    facts: Callable[[Path], dict[str, str]] = lambda _: {}


def _single(read: Callable[[Path, Request], RowTable]) -> Callable[[Sequence[Path], Request], RowTable]:
    return lambda files, request: read(files[0], request)


ZOO = "{arm}/{environment}_{seed}"
FORMATS = {
    form.name: form
    for form in (
        Format("csv", "tidy CSV: a row per run and step, or per run", "*.csv", _single(tidy.read_csv)),
        Format("parquet", "tidy Parquet, as CSV", "*.parquet", _single(tidy.read_parquet)),
        Format(
            "sb3-evaluations",
            "evaluations.npz of Stable-Baselines3's EvalCallback and rl-zoo3",
            "evaluations.npz",
            _single(stable_baselines.read_evaluations),
            ZOO,
            path_of_run=lambda file: file.parent.as_posix(),
            facts=stable_baselines.zoo_facts,
        ),
        Format(
            "sb3-monitor",
            "monitor.csv of Stable-Baselines3's Monitor and rl-zoo3",
            "*monitor.csv",
            stable_baselines.read_monitors,
            ZOO,
            stable_baselines.monitors_of_runs,
            stable_baselines.monitor_path,
            stable_baselines.zoo_facts,
        ),
        Format(
            "tensorboard",
            "TensorBoard event files (CleanRL, Stable-Baselines3)",
            "*tfevents*",
            tensorboard_events.read_events,
            "{environment}__{arm}__{seed}__{}",
            tensorboard_events.files_of_runs,
            lambda file: file.parent.as_posix(),
        ),
        Format(
            "wandb",
            "CSV export of a Weights & Biases chart (a column per run)",
            "*.csv",
            _single(wandb_export.read_chart),
        ),
    )
}
"""Every format by its name; another one is a reader in its own file and an entry here."""


def read_files(
    form: Format, paths: Sequence[Path], request: Request
) -> tuple[list[tuple[str, Path]], list[RowTable], dict[str, Any]]:
    """Return files below the paths with their names, their rows, and what lies beside runs."""
    files = [found for path in paths for found in _files(form, path)]
    twice = [file for file, count in Counter(map(Path.resolve, files)).items() if count > 1]
    if twice:
        raise ImportRefused(f"{twice[0]} is given twice")
    tables, facts = [], {}
    runs: dict[tuple[tuple[str, str], ...], Path] = {}
    for group in form.groups(files):
        table = form.read(group, request)
        if form.pattern is not None:
            beside = form.facts(group[0])
            if beside:
                facts[form.path_of_run(group[0])] = beside
            table = _labeled(table, form, group[0], request, beside)
            run = tuple(sorted((name, labels.values[0]) for name, labels in table.labels.items()))
            if run in runs:
                named = ", ".join(f"{name} {value}" for name, value in run)
                raise ImportRefused(f"{runs[run]} and {group[0]} are both {named}; one run, one file")
            runs[run] = group[0]
        tables.append(table)
    return _named(files), tables, {"runs": facts} if facts else {}


def _files(form: Format, path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise ImportRefused(f"{path}: no such file or directory")
    found = sorted(file for file in path.rglob(form.glob) if file.is_file())
    if not found:
        raise ImportRefused(f"{path}: no file '{form.glob}' below it, as format {form.name} has")
    return found


def _named(files: Sequence[Path]) -> list[tuple[str, Path]]:
    """Return each file after its path below the directory that all of them lie in."""
    absolute = [file.absolute() for file in files]
    common = Path(os.path.commonpath([file.parent for file in absolute]))
    names = [file.relative_to(common).as_posix() for file in absolute]
    return list(zip(names, files, strict=True))


def _labeled(
    table: RowTable, form: Format, file: Path, request: Request, facts: dict[str, str]
) -> RowTable:
    """Return a run's rows with the labels that request, file and path give, in this order."""
    given = {"arm": request.arm, "environment": request.environment, "seed": request.seed}
    labels = {key: str(value) for key, value in given.items() if value is not None}
    own = {key: text.values[0] for key, text in table.labels.items()}
    from_path = match(request.pattern or form.pattern or "", form.path_of_run(file.absolute()))
    labels = (from_path or {}) | {k: v for k, v in facts.items() if k == "seed"} | own | labels
    if len(labels) > len(given):
        labels = {
            key: value for key, value in labels.items() if key != "arm" or "arm" in (from_path or {})
        }
    lacking = [key for key in ("environment", "seed") if key not in labels]
    lacking += ["arm"] if not set(labels) - {"environment", "seed"} else []
    if lacking:
        raise ImportRefused(
            f"{file}: its path does not say the {' and '.join(lacking)} (expected "
            f"'{request.pattern or form.pattern}'); {MULTIPLE_ARMS_HELP}, --environment ID, --seed N"
        )
    return replace(
        table, labels={key: Labels.constant(value, table.rows) for key, value in labels.items()}
    )
