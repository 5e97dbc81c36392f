"""Rebuilds a store from W&B: every row of every run, not the sample that W&B plots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablation.store.files import read_json, write_json
from ablation.store.run_record import RunRecord, wrong_schema
from ablation.store.runs import RunKey, Store
from ablation.tracking import client
from ablation.tracking.runs import DIGEST, RECORD, STUDY, TRAIN, digest, tables_from
from ablation.tracking.sync import UploadResult
from analysis.wandb.upload import PLAN

TIMEOUT_SECONDS = 60


class ProjectUnreadable(Exception):
    """The W&B project cannot be read."""


@dataclass
class Pulled(UploadResult):
    """The outcome of each run, where `sent` are the fetched ones; and the studies that are new."""

    studies: list[str] = field(default_factory=list)


def fetch(address: str, root: Path, show: Callable[[Pulled, int], None] = lambda *_: None) -> Pulled:
    """Fetch the runs and studies of `ENTITY/PROJECT` into a store, which keeps what it already has.

    Raises `ProjectUnreadable` when the project cannot be read. A run whose rows on the server are not
    complete is reported as failed and left out.
    """
    pulled = Pulled()
    store = Store(root)
    runs = _runs(address, root)
    for run in runs:
        if run.job_type == STUDY:
            _pull_study(store, run, pulled)
        elif run.job_type == TRAIN and RECORD in run.summary_metrics:
            _pull_run(store, run, pulled)
        elif run.job_type == TRAIN:
            pulled.failed[run.id] = f"has not ended on the server ({run.state})"
        show(pulled, len(runs))
    return pulled


def _runs(address: str, root: Path) -> list[Any]:
    try:
        return list(client.api(root, TIMEOUT_SECONDS).runs(address, per_page=50, lazy=False))
    except Exception as error:
        reason = client.reason(error)
        raise ProjectUnreadable(f"{address}: cannot be read from W&B ({reason})") from None


def _pull_run(store: Store, run: Any, pulled: Pulled) -> None:
    values = json.loads(run.summary_metrics[RECORD])
    refused = wrong_schema(values)
    if refused is not None:
        pulled.failed[run.id] = refused
        return
    record = RunRecord.from_json(values)
    if store.read_record(RunKey(record.cell, record.seed)) is not None:
        pulled.skipped.append(run.id)
        return
    try:
        tables = tables_from(run.scan_history(use_cache=False), run.summary_metrics)
    except Exception as error:
        pulled.failed[run.id] = client.reason(error)
        return
    if digest(tables) != run.summary_metrics[DIGEST]:
        counts = ", ".join(f"{len(rows)} {name}" for name, rows in tables.items())
        pulled.failed[run.id] = f"its rows on the server differ from the stored ones ({counts} there)"
        return
    store.write_run(record, tables)
    pulled.sent.append(run.id)


def _pull_study(store: Store, run: Any, pulled: Pulled) -> None:
    plan = json.loads(run.config[PLAN])
    path = store.study_directory(plan["study"]["name"]) / "plan.json"
    if read_json(path) is None:
        write_json(path, plan)
        pulled.studies.append(plan["study"]["name"])
