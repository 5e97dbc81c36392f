"""What W&B should have of a results directory: every stored run, and one W&B run per study."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.config.validation import ConfigError
from ablation.results.integrity import inspect
from ablation.results.outside.names import has_outside
from ablation.results.scores import summary_scores
from ablation.store.files import read_json
from ablation.store.records import LaneRecords
from ablation.store.run_record import RunRecord
from ablation.store.runs import FILES, TABLES, RunKey, Store
from ablation.study.plan import Arm, Plan, plan_from_json
from ablation.tracking import client
from ablation.tracking.mirrors import Directory
from ablation.tracking.runs import (
    FINGERPRINT,
    MAX_TAG,
    PLAN_OF_STUDY,
    STUDY,
    EndedRun,
    TrackedRun,
    fingerprint,
    tracked_run,
    wandb_id,
)
from ablation.tracking.wanted import Target, Wanted, place, wanted_run
from analysis.effects.comparability import ASPECTS
from analysis.report.errors import FiguresFailed
from analysis.report.report import write_report


def everything_to_upload(root: Path, target: Target) -> list[Wanted]:
    """Return everything that W&B should have of a results directory: its runs, then its studies."""
    store = Store(root)
    plans, unreadable = _plans(store)
    filed_under = {arm.cell: (plan, arm) for plan in plans.values() for arm in plan.arms}
    runs = []
    for key in store.run_keys():
        record, damage = inspect(store, key)
        if record is None or damage is not None:
            runs.append(_refused(wandb_id(key), f"{damage}; `make repair` sets it aside"))
            continue
        run = _tracked(key, record, filed_under.get(key.cell))
        ended = partial(ended_run, store, key, _primary_score(filed_under.get(key.cell)))
        runs.append(wanted_run(root, run, fingerprint(record), ended))
    refused = [_refused(study_id(name), reason) for name, reason in unreadable.items()]
    return runs + refused + [_wanted_study(store, plan, target) for plan in plans.values()]


def _refused(id: str, reason: str) -> Wanted:
    """Return what fails with a reason when its upload is prepared, so that it is named."""

    def refuse(*_: object) -> Directory:
        raise ValueError(reason)

    return Wanted(id, "", None, refuse)


def _primary_score(filed: tuple[Plan, Arm] | None) -> str:
    return "" if filed is None else filed[0].study.primary_score


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


def log_study(root: Path, study: str, target: Target, line: int) -> Directory:
    """Log a study's figures, table, plan and stored runs to an offline W&B run of its own.

    Figures and table are media, all files an artifact. Each state of the study is a line of the run's
    history, of which W&B shows the latest; `line` is the number of the next. The run belongs to one
    project: `wandb sync --project` does not change the project that an artifact is uploaded to.
    """
    store = Store(root)
    saved = read_json(store.study_directory(study) / "plan.json")
    plan = plan_from_json(saved)
    report = current_report(root, study)
    run = _study_run(plan, saved)
    opened = client.open_run(place(root, line), run, target.project, target.entity, "offline")
    images = {path.stem: path for path in sorted(report.glob("*.png"))}
    client.log_media(opened, images, {"table": pd.read_csv(report / "table.csv")}, line)
    client.log_artifact(opened, study_id(study), STUDY, _files(store, plan, report))
    state = _study_fingerprint(store, plan, target)
    client.close_run(opened, {FINGERPRINT: state, "runs": sum(1 for _ in plan.runs())}, 0)
    directory = Directory(Path(opened.settings.sync_dir))
    directory.complete(state)
    return directory


def current_report(root: Path, study: str) -> Path:
    """Write a study's report anew without printing it, and return its directory."""
    with redirect_stdout(io.StringIO()):
        try:
            return write_report(root, study, allowed=ASPECTS).parent
        except FiguresFailed as error:
            return error.page.parent


def _files(store: Store, plan: Plan, report: Path) -> dict[str, Path]:
    """Return the files of a study's artifact by their paths in it, which are those below the results."""
    directories = [store.run_directory(key) for key in plan.runs()]
    paths = [store.study_directory(plan.study.name) / "plan.json", *report.iterdir()]
    paths += [directory / name for directory in directories for name in FILES]
    # A link in a shared directory could name any file of whoever uploads.
    root = store.root.resolve()
    return {
        path.relative_to(store.root).as_posix(): path
        for path in paths
        if path.is_file() and path.resolve() == root / path.relative_to(store.root)
    }


def _wanted_study(store: Store, plan: Plan, target: Target) -> Wanted:
    study = plan.study.name
    return Wanted(
        study_id(study),
        _study_fingerprint(store, plan, target),
        None,
        lambda target, line, _: log_study(store.root, study, target, line),
    )


def _study_run(plan: Plan, saved: Any) -> TrackedRun:
    study = plan.study
    return TrackedRun(
        id=study_id(study.name),
        name=f"study {study.name}",
        group="studies",
        tags=[study.name[:MAX_TAG]],
        notes=study.question,
        config={"study": study.name, "design": study.design_in_words, "score": study.primary_score}
        | {PLAN_OF_STUDY: json.dumps(saved)},
        job_type=STUDY,
    )


def _study_fingerprint(store: Store, plan: Plan, target: Target) -> str:
    """Return a hash of a study's project, plan and runs, which changes with any of them."""
    records = (store.read_record(key) for key in plan.runs())
    parts = [target.name, plan.hash, *(fingerprint(record) if record else "-" for record in records)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _plans(store: Store) -> tuple[dict[str, Plan], dict[str, str]]:
    """Return the studies that were trained here, and why others cannot be read, by name.

    Those with imported runs stay in the store.
    """
    plans, unreadable = {}, {}
    for path in sorted(store.root.glob("studies/*/plan.json")):
        try:
            plan = plan_from_json(read_json(path))
        except ConfigError as error:
            unreadable[path.parent.name] = str(error)
            continue
        if not has_outside(plan.cells):
            plans[path.parent.name] = plan
    return plans, unreadable


def _tracked(key: RunKey, record: RunRecord, study_arm: tuple[Plan, Arm] | None) -> TrackedRun:
    """Return a run as W&B files it: under the study whose plan has its cell, or under no study."""
    if study_arm is None:
        return tracked_run(key, record.config, key.cell, {}, (), "none", "")
    plan, arm = study_arm
    study = plan.study
    return tracked_run(
        key, record.config, arm.name, arm.levels, study.factors, study.name, study.question
    )
