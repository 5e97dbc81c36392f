"""The W&B client as this project uses it; the only module of the package that imports wandb."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ablation.tracking.mirrors import directories, first_id, replacements
from ablation.tracking.rows import SHOWN
from ablation.tracking.runs import TrackedRun

if TYPE_CHECKING:
    import pandas as pd

Mode = Literal["offline", "online"]

OPEN_SECONDS = 15.0
"""How long the client may try to reach a server before a run is opened offline instead."""
FINISH_SECONDS = 30.0
"""How long a run may go on uploading after it ended. Both together stay below a minute."""
PAGE = 50
"""Runs in one query."""

AXIS = "env_step"
FINGERPRINT = "internal/fingerprint"
"""The one key that is not for people: a hash of what was sent, last in the summary, and hidden."""
CARRIES_ROWS = "rows_sha256"
"""In the summary of the runs that earlier versions sent, with their stored rows as text."""


def prepare(root: Path) -> None:
    """Keep everything that the client stages below a results directory, and keep it quiet."""
    for variable in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_ARTIFACT_DIR"):
        os.environ[variable] = str(root.absolute() / "wandb" / "internal")
    # Its own telemetry would speak to the server on its own and print when that fails.
    os.environ |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}


def open_run(root: Path, run: TrackedRun, project: str, entity: str | None, mode: Mode) -> Any:
    """Return an open W&B run; an earlier local directory of the same id goes.

    Raises what the client raises: without a key, with a wrong one, without a server.
    """
    prepare(root)
    import wandb

    root.mkdir(parents=True, exist_ok=True)
    # Two local directories with one id would upload their lines twice.
    for id, earlier in directories(root):
        if id == first_id(run.id):
            shutil.rmtree(earlier, ignore_errors=True)
    opened = wandb.init(
        # The default hands the previous run of this process out again.
        reinit="create_new",
        dir=str(root.absolute()),
        mode=mode,
        project=project,
        entity=entity,
        id=run.id,
        name=run.name,
        group=run.group,
        job_type=run.job_type,
        tags=run.tags,
        notes=run.notes,
        config=run.config,
        settings=_settings(),
    )
    # Of two patterns that fit, the client takes either: these do not overlap.
    opened.define_metric(FINGERPRINT, hidden=True)
    for shown in SHOWN:
        opened.define_metric(shown, step_metric=AXIS)
    return opened


def log_rows(run: Any, rows: Iterable[Mapping[str, Any]], start: int = 0) -> None:
    """Log rows as the lines `start`, `start + 1`, ... of a run.

    Numbers that are given twice, or go back, would merge or drop rows: these rise by one.
    """
    for line, row in enumerate(rows, start):
        run.log(dict(row), step=line)


def log_media(
    run: Any, images: Mapping[str, Path], tables: Mapping[str, pd.DataFrame], line: int
) -> None:
    """Log images and tables as one line of a run."""
    import wandb

    media = {name: wandb.Image(str(path)) for name, path in images.items()}
    plain = {name: frame.astype(object).where(frame.notna(), None) for name, frame in tables.items()}
    log_rows(run, [media | {name: wandb.Table(dataframe=frame) for name, frame in plain.items()}], line)


def log_artifact(run: Any, kind: str, files: Mapping[str, Path], fingerprint: str) -> None:
    """Log files as an artifact that is named as the run is, each file under its name in it."""
    import wandb

    artifact = wandb.Artifact(run.id, kind, metadata={FINGERPRINT: fingerprint})
    for inside, path in files.items():
        artifact.add_file(str(path), name=inside)
    run.log_artifact(artifact)


def artifact(api: Any, project: str, name: str) -> Any:
    """Return the latest state of an artifact of `entity/project`; raises what the client raises."""
    return api.artifact(f"{project}/{name}:latest")


def close_run(run: Any, summary: Mapping[str, Any], exit_code: int, fingerprint: str) -> None:
    """Close a run with its summary; raises `TimeoutError` when its data did not leave in time."""
    run.summary.update({**summary, FINGERPRINT: fingerprint})
    run.finish(exit_code=exit_code)


def api(root: Path, timeout: float) -> Any:
    """Return read access to the server; raises what the client raises without one, or without a key."""
    prepare(root)
    import wandb

    return wandb.Api(timeout=int(timeout))


def served(api: Any, project: str, ids: Sequence[str]) -> dict[str, list[Any]]:
    """Return the runs of `entity/project` of these ids and of what replaced them, by id.

    The latest is last. There are none where the project does not exist yet.
    """
    # The client caches answers.
    api.flush()
    found: dict[str, list[Any]] = {}
    try:
        filters = {"name": {"$in": [each for id in ids for each in replacements(id)]}}
        runs = api.runs(project, filters=filters, per_page=PAGE, lazy=False)
        for run in sorted(runs, key=lambda run: run.id):
            found.setdefault(first_id(run.id), []).append(run)
    except ValueError as error:
        if "Could not find project" not in str(error):
            raise
    return found


def next_line(runs: Sequence[Any], id: str) -> tuple[str, int]:
    """Return the id under which the server has a run, and the first line that it does not have.

    Raises `ValueError` for a run to which nothing can be added.
    """
    if not runs:
        return id, 0
    if CARRIES_ROWS in runs[-1].summary_metrics:
        raise ValueError("is there as an older version sent it, its rows as text; use another project")
    return runs[-1].id, runs[-1].historyLineCount


def reason(error: Exception) -> str:
    """Return an error's first line; the key, should it occur in it, is left out."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    key = os.environ.get("WANDB_API_KEY")
    return line.replace(key, "(key)") if key else line


def _settings() -> Any:
    import wandb

    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        init_timeout=OPEN_SECONDS,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
