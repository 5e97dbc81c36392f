"""The W&B client as this project uses it; the only module of the package that imports wandb."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ablation.tracking.mirrors import directories, first_id, replacements
from ablation.tracking.rows import CARRIED, SHOWN
from ablation.tracking.runs import TrackedRun

if TYPE_CHECKING:
    import pandas as pd

Mode = Literal["offline", "online"]

OPEN_SECONDS = 15.0
"""How long the client may try to reach a server before a run is opened offline instead."""

FINISH_SECONDS = 30.0
"""How long a run may go on uploading after it ended. Both together stay below a minute."""

AXIS = "env_step"
PAGE = 50
"""Runs in one query."""

_ENVIRONMENT = {
    "WANDB_SILENT": "true",
    # Its own telemetry would speak to the server on its own and print when that fails.
    "WANDB_ERROR_REPORTING": "false",
}


def prepare(root: Path) -> None:
    """Keep everything that the client stages below a results directory, and keep it quiet."""
    for variable in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_ARTIFACT_DIR"):
        os.environ[variable] = str(root.absolute() / "wandb" / "internal")
    os.environ.update(_ENVIRONMENT)


def open_run(root: Path, run: TrackedRun, project: str, entity: str | None, mode: Mode) -> Any:
    """Return an open W&B run; an earlier local directory of the same id goes.

    Raises what the client raises: without a key, with a wrong one, without a server.
    """
    prepare(root)
    import wandb

    root.mkdir(parents=True, exist_ok=True)
    # Two local directories with one id would upload their rows twice.
    for earlier in directories(root, first_id(run.id)):
        earlier.remove()
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
    opened.define_metric(f"{CARRIED}*", step_metric=AXIS, hidden=True, summary="none")
    for shown in SHOWN:
        opened.define_metric(shown, step_metric=AXIS)
    return opened


def log_rows(run: Any, rows: Iterable[Mapping[str, Any]], start: int = 0) -> int:
    """Log rows as the lines `start`, `start + 1`, ... of a run; return the number of the next line.

    Numbers that are given twice, or go back, would merge or drop rows: these rise by one.
    """
    for row in rows:
        run.log(dict(row), step=start)
        start += 1
    return start


def log_media(
    run: Any, images: Mapping[str, Path], tables: Mapping[str, pd.DataFrame], line: int
) -> None:
    """Log images and tables as one line of a run."""
    import wandb

    media = {name: wandb.Image(str(path)) for name, path in images.items()}
    shown = {name: wandb.Table(dataframe=_plain(frame)) for name, frame in tables.items()}
    log_rows(run, [media | shown], line)


def log_artifact(run: Any, name: str, kind: str, files: Mapping[str, Path]) -> None:
    """Log files as an artifact of a run, each under its name in it."""
    import wandb

    artifact = wandb.Artifact(name, kind)
    for inside, path in files.items():
        artifact.add_file(str(path), name=inside)
    run.log_artifact(artifact)


def close_run(run: Any, summary: Mapping[str, Any], exit_code: int) -> None:
    """Close a run with its summary; raises `TimeoutError` when its data did not leave in time."""
    run.summary.update(dict(summary))
    run.finish(exit_code=exit_code)


def api(root: Path, timeout: float) -> Any:
    """Return read access to the server; raises what the client raises without one, or without a key."""
    prepare(root)
    import wandb

    return wandb.Api(timeout=int(timeout))


def served(api: Any, entity: str, project: str, ids: Sequence[str]) -> dict[str, list[Any]]:
    """Return the server's runs of these ids and of what replaced them, by id, the latest last.

    None where the project does not exist yet.
    """
    # The client caches answers.
    api.flush()
    try:
        filters = {"name": {"$in": [each for id in ids for each in replacements(id)]}}
        runs = api.runs(f"{entity}/{project}", filters=filters, per_page=PAGE, lazy=False)
        found: dict[str, list[Any]] = {}
        for run in sorted(runs, key=lambda run: run.id):
            found.setdefault(first_id(run.id), []).append(run)
        return found
    except ValueError as error:
        if "Could not find project" not in str(error):
            raise
        return {}


def reason(error: Exception) -> str:
    """Return an error's first line; the key, should it occur in it, is left out."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    key = os.environ.get("WANDB_API_KEY")
    return line.replace(key, "(key)") if key else line


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(object).where(frame.notna(), None)


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
