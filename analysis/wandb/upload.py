"""What W&B should have of a results directory: every stored run, and each study with its files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.config.program import command
from ablation.config.validation import ConfigError
from ablation.results.integrity import inspect
from ablation.results.outside.names import has_outside
from ablation.results.scores import summary_scores
from ablation.store.files import read_json
from ablation.store.records import LaneRecords
from ablation.store.run_record import RunRecord
from ablation.store.runs import FILES, TABLES, RunKey, Store
from ablation.study.plan import Plan, plan_from_json
from ablation.tracking import client
from ablation.tracking.runs import (
    MAX_TAG,
    STUDY,
    EndedRun,
    TrackedRun,
    filings,
    fingerprint,
    tracked_run,
    wandb_id,
)
from analysis.effects.comparability import ASPECTS
from analysis.report.errors import FiguresFailed
from analysis.report.report import write_report
from analysis.wandb.wanted import Target, Wanted, wanted_run

OF_NO_STUDY = "runs-of-no-study"
"""Id of the W&B run, and name of the artifact, with the stored runs that no study asks for any more."""


def everything_to_upload(root: Path, target: Target) -> list[Wanted]:
    """Return everything that W&B should have of a results directory: its runs, then its studies."""
    store = Store(root)
    plans, unreadable = _plans(store)
    having: dict[str, list[Plan]] = {}
    for plan in plans:
        for cell in plan.cells:
            having.setdefault(cell, []).append(plan)
    wanted, records, alone = [], {}, []
    for key in store.run_keys():
        record, damage = inspect(store, key)
        if record is None or damage is not None:
            wanted.append(_refused(wandb_id(key), f"{damage}; `{command('repair')}` sets it aside"))
            continue
        asking = having.get(key.cell, [])
        filed = list(filings(asking, key))
        run = tracked_run(key, record.config, filed)
        primary_score = asking[0].study.primary_score if asking else ""
        sign, load = fingerprint(record, run), partial(ended_run, store, key, primary_score)
        wanted.append(wanted_run(run, sign, load))
        records[key] = sign
        if not filed:
            alone.append(key)
    wanted += [_refused(study_id(name), reason) for name, reason in unreadable.items()]
    for plan in plans:
        signs = [target.name, plan.hash, *(records.get(key, "-") for key in plan.runs())]
        wanted.append(_wanted_files(store, _study_run(plan), signs, list(plan.runs()), plan.study.name))
    if alone:
        run = TrackedRun(OF_NO_STUDY, "runs of no study", "studies", [], "", {}, STUDY)
        signs = [target.name, *(records[key] for key in alone)]
        wanted.append(_wanted_files(store, run, signs, alone, None))
    return wanted


def _refused(id: str, reason: str) -> Wanted:
    """Return what fails with a reason when its upload is prepared, so that it is named."""

    def refuse(*_: object) -> Any:
        raise ValueError(reason)

    return Wanted(TrackedRun(id, id, "", [], "", {}), "", refuse, refuse)


def ended_run(store: Store, key: RunKey, primary_score: str = "") -> EndedRun:
    """Return a stored run with its rows and scores, as its job would have logged them at its end."""
    tables = {name: store.read_table(key, name).to_pylist() for name in TABLES}
    record = store.read_record(key) or RunRecord()
    env_id, env_steps = record.setting("env", "id") or "", record.setting("train", "env_steps")
    rows = LaneRecords(**tables)
    scores = summary_scores(rows, env_id, env_steps, primary=primary_score)
    return EndedRun(record, tables, scores)


def study_id(study: str) -> str:
    """Return the id of a study's own W&B run, and the name of its artifact."""
    return f"study-{study}"


def current_report(root: Path, study: str) -> Path:
    """Write a study's report anew without printing it, and return its directory."""
    with redirect_stdout(io.StringIO()):
        try:
            return write_report(root, study, allowed=ASPECTS).parent
        except FiguresFailed as error:
            return error.page.parent


def _wanted_files(
    store: Store, run: TrackedRun, signs: Sequence[str], keys: Sequence[RunKey], study: str | None
) -> Wanted:
    """Return a W&B run whose artifact has the files of runs, and of their study: plan and report.

    Figures and table are media too, one line of its history for each state of the study.
    """
    sign = hashlib.sha256(" ".join(signs).encode()).hexdigest()[:16]

    def log(opened: Any, line: int) -> tuple[dict[str, Any], int]:
        paths = [store.run_directory(key) / name for key in keys for name in FILES]
        if study is not None:
            report = current_report(store.root, study)
            images = {path.stem: path for path in sorted(report.glob("*.png"))}
            client.log_media(opened, images, {"table": pd.read_csv(report / "table.csv")}, line)
            paths += [store.study_directory(study) / "plan.json", *report.iterdir()]
        client.log_artifact(opened, STUDY, _files(store, paths), sign)
        return {"runs": len(keys)}, 0

    return Wanted(run, sign, None, log)


def _files(store: Store, paths: Iterable[Path]) -> dict[str, Path]:
    """Return the files of an artifact by their paths in it, which are those below the results."""
    # A link in a shared directory could name any file of whoever uploads.
    root = store.root.resolve()
    return {
        path.relative_to(store.root).as_posix(): path
        for path in paths
        if path.is_file() and path.resolve() == root / path.relative_to(store.root)
    }


def _study_run(plan: Plan) -> TrackedRun:
    study = plan.study
    return TrackedRun(
        id=study_id(study.name),
        name=f"study {study.name}",
        group="studies",
        tags=[study.name[:MAX_TAG]],
        notes=study.question,
        config={"study": study.name, "design": study.design_in_words, "score": study.primary_score},
        job_type=STUDY,
    )


def _plans(store: Store) -> tuple[list[Plan], dict[str, str]]:
    """Return the studies that were trained here, and why others cannot be read, by name.

    Those with imported runs stay in the store.
    """
    plans, unreadable = [], {}
    for path in sorted(store.root.glob("studies/*/plan.json")):
        try:
            plan = plan_from_json(read_json(path))
        except ConfigError as error:
            unreadable[path.parent.name] = str(error)
            continue
        if not has_outside(plan.cells):
            plans.append(plan)
    return plans, unreadable
