"""Imports runs that were trained elsewhere: files or a data frame to a study of the store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.config.near import one_of
from ablation.results.load import StudyNotFound, load_plan
from ablation.results.outside import data as stored
from ablation.results.outside.checks import check_rows, run_text
from ablation.results.outside.formats import FORMATS, read_files
from ablation.results.outside.names import check_study, has_outside, is_outside
from ablation.results.outside.request import Argument, ImportRefused, Request
from ablation.results.outside.rows import RowTable, merge
from ablation.results.outside.study import OutsidePlan, make_plan
from ablation.results.outside.tidy import read_tidy
from ablation.store.files import read_json
from ablation.store.runs import RunKey, Store
from ablation.study.history import save_plan
from ablation.study.plan import Plan, plan_from_json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Imported:
    """A plan with runs from elsewhere, those runs, and lines that the user should read."""

    plan: Plan
    data: stored.OutsideData
    notes: list[str]


def import_files(
    form: str, paths: Sequence[Path], request: Request, beside: Plan | None = None
) -> Imported:
    """Return the runs of files in one of `FORMATS`; raises `ImportRefused` in one line."""
    check_study(request.study)
    if form not in FORMATS:
        there = one_of(form, [*FORMATS, "runs"], "there are")
        raise ImportRefused(f"no format '{form}'; {there}")
    files, tables, facts = read_files(FORMATS[form], paths, request)
    listed = [
        {"file": name, "sha256": stored.file_hash(path), "bytes": path.stat().st_size}
        for name, path in files
    ]
    digest = hashlib.sha256("".join(str(file["sha256"]) for file in listed).encode()).hexdigest()
    about: dict[str, Any] = {"format": form, "files": listed} | facts
    return _make(tables, request, beside, digest, about)


def import_frame(frame: pd.DataFrame, request: Request, beside: Plan | None = None) -> Imported:
    """Return the runs of a tidy data frame; raises `ImportRefused` in one line."""
    import pandas as pd
    import pyarrow

    check_study(request.study)
    if not isinstance(frame, pd.DataFrame):
        raise ImportRefused(f"a pandas data frame is needed, not a {type(frame).__name__}")
    try:
        table = pyarrow.Table.from_pandas(frame, preserve_index=False)
        digest = hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise ImportRefused(f"the frame is not tidy: {' '.join(str(error).split())}") from None
    about = {"format": "frame", "files": []}
    return _make([read_tidy(table, request, "the frame")], request, beside, digest.hexdigest(), about)


def _make(
    tables: Sequence[RowTable],
    request: Request,
    beside: Plan | None,
    digest: str,
    about: dict[str, Any],
) -> Imported:
    merged = merge(tables)
    planned = make_plan(merged, request, digest, beside)
    problems = check_rows(merged, request)
    notes = [*merged.notes, *planned.notes, *_unequal(planned)]
    if problems:
        run, text = next(iter(problems.items()))
        first = f"the first: {run_text(merged.runs[run])}: {text}"
        notes.append(f"{len(problems)} of {len(merged.runs)} runs count as missing, {first}")
    scores = merged.tables.pop("scores", None)
    declared = {key: value for key, value in asdict(request).items() if value not in (None, (), {}, "")}
    data = stored.OutsideData(
        planned.keys,
        [problems.get(run) for run in range(len(merged.runs))],
        {} if scores is None else _by_run(scores),
        merged.tables,
        about | {"declared": declared, "at": datetime.now(UTC).isoformat(timespec="seconds")},
    )
    return Imported(planned.plan, data, notes)


def _by_run(scores: Any) -> dict[str, Any]:
    """Return scores `[runs]` of a table with at most one row a run, NaN for a run without."""
    import numpy as np

    present = np.diff(scores.bounds) > 0
    by_run = {}
    for name, column in scores.columns.items():
        values = np.full(len(present), np.nan)
        values[present] = column
        by_run[name] = values
    return by_run


def _unequal(planned: OutsidePlan) -> list[str]:
    """Return a line if seeds are missing in some arms."""
    stored_keys = set(planned.keys)
    lacking = [
        (arm, sum(1 for seed in arm.seeds if RunKey(arm.cell, seed) not in stored_keys))
        for arm in planned.plan.arms
        if is_outside(planned.plan.cells, arm.cell)
    ]
    texts = [f"{arm.name} in {arm.env_id} lacks {count}" for arm, count in lacking if count]
    more = f"; and {len(texts) - 6} more arms" if len(texts) > 6 else ""
    return [f"seeds that other arms have are missing: {'; '.join(texts[:6])}{more}"] if texts else []


def store_import(store: Store, imported: Imported, command: str = "", replace: bool = False) -> None:
    """Write an import and its plan; one of the same name is replaced only if asked for."""
    study = imported.plan.study.name
    earlier = read_json(store.study_directory(study) / "plan.json")
    if earlier is not None:
        if not has_outside(plan_from_json(earlier).cells):
            raise ImportRefused(
                f"--study {study}: a study of that name was swept here; choose another name"
            )
        if not replace:
            raise ImportRefused(
                f"--study {study} was imported already; --replace puts this in its place"
            )
    stored.write(store, study, imported.data)
    save_plan(store, imported.plan, command)


def plan_beside(store: Store, study: str) -> Plan:
    """Return the stored plan of a study of ours; raises `ImportRefused` if there is none."""
    try:
        plan, _ = load_plan(study, store)
    except StudyNotFound as error:
        raise ImportRefused(Argument("beside"), f" {study}: {error}") from None
    if has_outside(plan.cells):
        raise ImportRefused(
            Argument("beside"),
            f" {study}: is itself an import; import its files together with these",
        )
    return plan
