"""Where the numbers of a run come from: its configuration, environment, machine and versions."""

from __future__ import annotations

from datetime import UTC, datetime

from ablation.config.cell import Cell
from ablation.config.source import fingerprints
from ablation.config.training_path import is_portable, trained_by
from ablation.store.provenance import git_state, has_fused_multiply_add, processor, versions
from ablation.store.run_record import RunRecord
from ablation.sweep.queue import JobSpec


def record_of(cell: Cell, job: JobSpec, started: datetime) -> RunRecord:
    """Return what the records of a job that ends now have in common before any was trained."""
    return RunRecord(
        cell=job.cell,
        config=cell.canonical,
        started=started.isoformat(timespec="seconds"),
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        device=job.device,
        trained_by=trained_by(cell.config.agent, job.device),
        portable=is_portable(cell.config, job.device) and has_fused_multiply_add(),
        environment_fingerprint=job.environment,
        not_reproducible=job.not_reproducible,
        component_fingerprints=fingerprints(cell.canonical) or None,
        processor=processor(),
        versions=versions(),
        **git_state(),
    )
