"""`replay-ablation verify study=NAME runs=3`: trains stored runs again and compares every bit."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ablation.cli.as_swept import as_swept
from ablation.cli.open_study import OpenStudy, open_study
from ablation.cli.terminal import plural
from ablation.config.validation import ConfigError
from ablation.store.files import read_json
from ablation.sweep.config import check_device
from ablation.sweep.verification import (
    StoredRun,
    difference_of,
    other_arithmetic_here,
    stored_runs,
)

RUNS = "runs="
DEFAULT = "3"


def verify(config_directory: str, arguments: Sequence[str]) -> int:
    """Train stored runs of a study again and print a line for each; return 1 if one differs, else 0.

    `runs=` is how many, chosen by a hash of the plan, or their names. Raises `ConfigError` for runs that
    are not there.
    """
    asked = next((word[len(RUNS) :] for word in reversed(arguments) if word.startswith(RUNS)), DEFAULT)
    words = [word for word in arguments if not word.startswith(RUNS)]
    study = open_study(config_directory, as_swept(config_directory, words))
    there = stored_runs(study.plans, study.store)
    runs = [run for run in _chosen(asked, there, study) if _is_reproducible(run, study)]
    for device in {_device(run, study) for run in runs}:
        check_device(device)
    print(f"Trains {plural(len(runs), 'run')} of {len(there):,} stored ones again.", flush=True)
    for run in runs:
        warning = other_arithmetic_here(run, study.store)
        if warning is not None:
            print(f"  other arithmetic: {run.name}: {warning}", flush=True)
    different = sum(_differs(run, study) for run in runs)
    equal = len(runs) - different
    print(f"{plural(equal, 'run')} equal in every bit, {different} different.")
    return 1 if different else 0


def _is_reproducible(run: StoredRun, study: OpenStudy) -> bool:
    """Return whether a run's numbers are to be equal; name one whose environment is not reproducible."""
    record = study.store.read_record(run.key)
    reason = None if record is None else record.not_reproducible
    if reason is not None:
        print(
            f"  {run.name} ({run.arm.name}): not trained again, not reproducible: {reason}", flush=True
        )
    return reason is None


def _differs(run: StoredRun, study: OpenStudy) -> bool:
    with tempfile.TemporaryDirectory(prefix="verify-") as directory:
        difference = difference_of(run, study.store, Path(directory))
    said = "equal in every bit" if difference is None else f"DIFFERENT: {difference}"
    print(f"  {run.name} ({run.arm.name}): {said}", flush=True)
    return difference is not None


def _chosen(asked: str, there: dict[str, StoredRun], study: OpenStudy) -> list[StoredRun]:
    if not there:
        where = study.store.root / "runs"
        raise ConfigError("runs", asked, f"no run of this study is stored below {where}{_swept(study)}")
    if asked.isdecimal() and int(asked) > 0:
        return list(there.values())[: int(asked)]
    chosen = []
    for name in asked.split(","):
        if name not in there:
            example = next(iter(there))
            allowed = f"must be a number of runs or names of stored ones such as {example}, with commas"
            raise ConfigError("runs", name, f"{allowed}{_swept(study)}")
        chosen.append(there[name])
    return chosen


def _swept(study: OpenStudy) -> str:
    """Return what the stored plan says where it is not the one that the command line gives."""
    plan = study.plans[-1]
    saved = read_json(study.store.study_directory(plan.study.name) / "plan.json")
    if not isinstance(saved, dict) or saved.get("hash") == plan.hash:
        return ""
    words = shlex.split(str(saved.get("command", "")))
    return f"; its stored plan is another: it was swept by `{shlex.join(words)}`, give the same words"


def _device(run: StoredRun, study: OpenStudy) -> str:
    record = study.store.read_record(run.key)
    return record.device if record else "cpu"
