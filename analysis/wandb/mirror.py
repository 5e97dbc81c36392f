"""What of a results directory W&B should have: every stored run, and a page of files per study."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ablation.results.scores import summary_scores
from ablation.store.files import read_json
from ablation.store.records import LaneRecords
from ablation.store.run_record import RunRecord
from ablation.store.runs import TABLES, RunKey, Store
from ablation.study.plan import Arm, Plan, plan_from_json
from ablation.tracking import client
from ablation.tracking.mirrors import Directory
from ablation.tracking.runs import (
    FINGERPRINT,
    MAX_TAG,
    STUDY,
    EndedRun,
    TrackedRun,
    fingerprint,
    tracked_run,
)
from ablation.tracking.wanted import Target, Wanted, place, wanted_run
from analysis.effects.comparability import ASPECTS
from analysis.report.report import write_report

PLAN = "plan"
"""Key of a study's W&B run under which its frozen plan is kept, as text."""


def wanted(root: Path, target: Target) -> list[Wanted]:
    """Return all that a server should have of a results directory: its runs, then its studies."""
    store = Store(root)
    plans = dict(_plans(store))
    homes = {arm.cell: (plan, arm) for plan in plans.values() for arm in plan.arms}
    runs = []
    for key in store.run_keys():
        record = store.read_record(key)
        if record is not None:
            run = _tracked(key, record, homes.get(key.cell))
            runs.append(wanted_run(root, run, fingerprint(record), partial(ended_run, store, key)))
    return runs + [_wanted_study(store, plan, target) for plan in plans.values()]


def ended_run(store: Store, key: RunKey) -> EndedRun:
    """Return a stored run with its rows and scores, as its job had them when it ended."""
    tables = {name: store.read_table(key, name).to_pylist() for name in TABLES}
    record = store.read_record(key) or RunRecord()
    env_id, env_steps = record.setting("env", "id") or "", record.setting("train", "env_steps")
    return EndedRun(record, tables, summary_scores(LaneRecords(**tables), env_id, env_steps))


def study_id(study: str) -> str:
    """Return the id of a study's own W&B run, and the name of its artifact."""
    return f"study-{study}"


def mirror_study(root: Path, study: str, target: Target, line: int) -> Directory:
    """Log a study's figures, table, plan and stored runs to an offline W&B run of its own.

    Figures and table are media, the rest an artifact, so that the study can be had as files too.
    Each state of the study is a line of its history, the latest is what W&B shows; `line` is the next.
    It is made for one project: the client uploads an artifact to the project that it was logged for,
    whatever `wandb sync --project` says.
    """
    store = Store(root)
    frozen = read_json(store.study_directory(study) / "plan.json")
    plan = plan_from_json(frozen)
    report = current_report(root, study)
    run = _study_run(plan, frozen)
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
    """Write a study's report anew, saying nothing, and return its directory."""
    with redirect_stdout(io.StringIO()):
        return write_report(root, study, allowed=ASPECTS).parent


def _files(store: Store, plan: Plan, report: Path) -> dict[str, Path]:
    """Return the files of a study's artifact by their names in it: a results directory in small."""
    directories = [store.run_directory(key) for key in plan.runs()]
    paths = [store.study_directory(plan.study.name) / "plan.json", *report.iterdir()]
    paths += [path for directory in directories for path in directory.glob("*")]
    return {path.relative_to(store.root).as_posix(): path for path in paths if path.is_file()}


def _wanted_study(store: Store, plan: Plan, target: Target) -> Wanted:
    study = plan.study.name
    return Wanted(
        study_id(study),
        _study_fingerprint(store, plan, target),
        None,
        lambda target, line: mirror_study(store.root, study, target, line),
    )


def _study_run(plan: Plan, frozen: Any) -> TrackedRun:
    study = plan.study
    return TrackedRun(
        id=study_id(study.name),
        name=f"study {study.name}",
        group="studies",
        tags=[study.name[:MAX_TAG]],
        notes=study.question,
        config={"study": study.name, "design": study.design_in_words, "score": study.primary_score}
        | {PLAN: json.dumps(frozen)},
        job_type=STUDY,
    )


def _study_fingerprint(store: Store, plan: Plan, target: Target) -> str:
    """Return what changes when a study's plan, any of its runs or their project does."""
    records = (store.read_record(key) for key in plan.runs())
    parts = [target.name, plan.hash, *(fingerprint(record) if record else "-" for record in records)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _plans(store: Store) -> Iterator[tuple[str, Plan]]:
    for path in sorted(store.root.glob("studies/*/plan.json")):
        frozen = read_json(path)
        if frozen is not None:
            yield path.parent.name, plan_from_json(frozen)


def _tracked(key: RunKey, record: RunRecord, home: tuple[Plan, Arm] | None) -> TrackedRun:
    """Return what a run is filed under: the study whose plan has its cell, or no study."""
    if home is None:
        return tracked_run(key, record.config, key.cell, {}, (), "none", "")
    plan, arm = home
    study = plan.study
    return tracked_run(
        key, record.config, arm.name, arm.levels, study.factors, study.name, study.question
    )
