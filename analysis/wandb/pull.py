"""Rebuilds a store from W&B: every row of every run, not the sample that W&B plots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablation.results.integrity import is_named
from ablation.store.disk import means_disk_full
from ablation.store.files import write_json
from ablation.store.run_record import STORED_STATUSES, RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.plan import plan_from_json
from ablation.tracking import client
from ablation.tracking.runs import DIGEST, PLAN_OF_STUDY, RECORD, STUDY, TRAIN, digest, tables_from
from ablation.tracking.sync import UploadResult

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
        try:
            _pull(store, run, pulled)
        # Whoever can write to the project decides what is there; it stops no other run.
        except Exception as error:
            if means_disk_full(error):
                raise
            pulled.failed[str(run.id)] = client.reason(error)
        show(pulled, len(runs))
    return pulled


def _pull(store: Store, run: Any, pulled: Pulled) -> None:
    if run.job_type == STUDY:
        _pull_study(store, run, pulled)
    elif run.job_type == TRAIN and RECORD in run.summary_metrics:
        _pull_run(store, run, pulled)
    elif run.job_type == TRAIN:
        raise ValueError(f"has not ended on the server ({run.state})")


def _runs(address: str, root: Path) -> list[Any]:
    try:
        return list(client.api(root, TIMEOUT_SECONDS).runs(address, per_page=50, lazy=False))
    except Exception as error:
        reason = client.reason(error)
        raise ProjectUnreadable(f"{address}: cannot be read from W&B ({reason})") from None


def _pull_run(store: Store, run: Any, pulled: Pulled) -> None:
    record = RunRecord.from_json(run.summary_metrics[RECORD])
    key = RunKey(record.cell, record.seed)
    if record.status not in STORED_STATUSES or not is_named(record, key):
        raise ValueError(f"its record is not one of ours ({record.cell}, {record.status})")
    if store.read_record(key) is not None:
        pulled.skipped.append(run.id)
        return
    tables = tables_from(run.scan_history(use_cache=False), run.summary_metrics)
    if digest(tables) != run.summary_metrics[DIGEST]:
        counts = ", ".join(f"{len(rows)} {name}" for name, rows in tables.items())
        raise ValueError(f"its rows on the server differ from the stored ones ({counts} there)")
    store.write_run(record, tables)
    pulled.sent.append(run.id)


def _pull_study(store: Store, run: Any, pulled: Pulled) -> None:
    values = json.loads(run.config[PLAN_OF_STUDY])
    study = plan_from_json(values).study.name
    path = store.inside(store.study_directory(study) / "plan.json")
    if not path.exists():
        write_json(path, values)
        pulled.studies.append(study)
