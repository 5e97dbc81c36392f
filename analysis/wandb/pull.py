"""Rebuilds a store from W&B: the files of its studies' artifacts, checked before they are stored."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablation.results.integrity import damage_of
from ablation.store.disk import means_disk_full
from ablation.store.files import read_json, write_json
from ablation.store.runs import RunKey, Store
from ablation.study.plan import plan_from_json
from ablation.tracking import client
from ablation.tracking.mirrors import first_id
from ablation.tracking.runs import STUDY, TRAIN, wandb_id
from analysis.wandb.sync import UploadResult

TIMEOUT_SECONDS = 60


class ProjectUnreadable(Exception):
    """The W&B project cannot be read."""


@dataclass
class Pulled(UploadResult):
    """The outcome of each run, where `sent` are the fetched ones; and the studies that are new."""

    studies: list[str] = field(default_factory=list)


def fetch(address: str, root: Path, show: Callable[[Pulled, int], None] = lambda *_: None) -> Pulled:
    """Fetch the runs and studies of `ENTITY/PROJECT` into a store, which keeps what it already has.

    Raises `ProjectUnreadable` when the project cannot be read. A run that is damaged, or in no artifact,
    is reported as failed and left out.
    """
    pulled, store = Pulled(), Store(root)
    try:
        api = client.api(root, TIMEOUT_SECONDS)
        runs = list(api.runs(address, per_page=client.PAGE, lazy=False))
    except Exception as error:
        reason = client.reason(error)
        raise ProjectUnreadable(f"{address}: cannot be read from W&B ({reason})") from None
    trained = sorted({first_id(str(run.id)) for run in runs if run.job_type == TRAIN})
    for id in [str(run.id) for run in runs if run.job_type == STUDY]:
        try:
            for _ in _pull(store, client.artifact(api, address, id), pulled):
                show(pulled, len(trained))
        # Whoever can write to the project decides what is there; it stops no other study.
        except Exception as error:
            if means_disk_full(error):
                raise
            pulled.failed[id] = client.reason(error)
    for id in trained:
        if id not in {*pulled.sent, *pulled.skipped, *pulled.failed}:
            pulled.failed[id] = (
                "is in no study's files there; `replay-ablation sync` where it was trained sends them"
            )
    show(pulled, len(trained))
    return pulled


def _pull(store: Store, artifact: Any, pulled: Pulled) -> Iterator[RunKey]:
    """Store what is new in an artifact, and yield each of its runs."""
    entries = artifact.manifest.entries
    keys = list(_keys(entries))
    new = {key for key in keys if store.read_record(key) is None}
    if any(entry.ref for entry in entries.values()):
        raise ValueError("its artifact names files that lie elsewhere")
    below = store.inside(store.root / "wandb" / "internal" / "pulled")
    try:
        # The client refuses names that lead out of the directory.
        for wanted in ["runs/"] * bool(new) + ["studies/"]:
            artifact.download(str(below), path_prefix=wanted, skip_cache=True)
        for key in keys:
            if key in new:
                _take(store, Store(below), key, pulled)
            elif wandb_id(key) not in pulled.sent + pulled.skipped:
                pulled.skipped.append(wandb_id(key))
            yield key
        for path in below.glob("studies/*/plan.json"):
            _take_plan(store, path, pulled)
    finally:
        shutil.rmtree(below, ignore_errors=True)


def _keys(paths: Iterable[str]) -> Iterator[RunKey]:
    """Yield the runs of which files have these names; others are no files of ours."""
    for parts in (str(path).split("/") for path in paths):
        if len(parts) == 4 and (parts[0], parts[3]) == ("runs", "run.json"):
            key = RunKey.of_names(parts[1], parts[2])
            if key is not None:
                yield key


def _take(store: Store, other: Store, key: RunKey, pulled: Pulled) -> None:
    damage = damage_of(other, key)
    if damage is not None:
        pulled.failed[wandb_id(key)] = damage
        return
    store.copy_run(other.run_directory(key), key)
    pulled.failed.pop(wandb_id(key), None)
    pulled.sent.append(wandb_id(key))


def _take_plan(store: Store, path: Path, pulled: Pulled) -> None:
    values = read_json(path)
    study = plan_from_json(values).study.name
    ours = store.inside(store.study_directory(study) / "plan.json")
    if not ours.exists():
        write_json(ours, values)
        pulled.studies.append(study)
