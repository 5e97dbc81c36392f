"""Stores that an attempt at a run failed, where the job itself could not."""

from __future__ import annotations

from datetime import UTC, datetime

from ablation.config.identity import canonical
from ablation.config.schema import CellConfig
from ablation.config.training_path import trained_by
from ablation.store.provenance import git_state, processor, versions
from ablation.store.run_record import ENDED, FAILED, RunRecord
from ablation.store.runs import RunKey, Store


def record_failed(store: Store, key: RunKey, config: CellConfig, device: str, error: str) -> bool:
    """Store one more failed attempt of a run whose claim is held; return False if it has ended."""
    earlier = store.read_record(key)
    if earlier is not None and earlier.status in ENDED:
        return False
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = RunRecord(
        cell=key.cell,
        seed=key.seed,
        status=FAILED,
        error=error,
        attempt=1 + (earlier.attempt if earlier else 0),
        config=canonical(config),
        started=now,
        ended=now,
        device=device,
        trained_by=trained_by(config.agent, device),
        processor=processor(),
        versions=versions(),
        **git_state(),
    )
    store.write_run(record, {})
    return True
