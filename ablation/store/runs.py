"""The store: one directory per run, its files, columns and atomic writes. The truth of a sweep.

    results/runs/<cell>/<seed>/   run.json, policy.npz,
                                  episodes.parquet, evaluations.parquet, learner.parquet

A directory appears under its final name only when its run ended; until then it is written under a
temporary name next to it. A damaged one is moved to `results/quarantine/`, never deleted.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.store.files import read_json, write_json
from ablation.store.run_record import ENDED, STORED_STATUSES, RunRecord, wrong_schema

if TYPE_CHECKING:
    import pyarrow

EPISODE_COLUMNS = (
    "env_step",
    "gradient_step",
    "episode",
    "episode_return",
    "episode_length",
    "terminated",
    "truncated",
)
EVALUATION_COLUMNS = ("env_step", "gradient_step", "episode", "episode_return", "episode_length")
LEARNER_COLUMNS = ("env_step", "gradient_step")
"""The learner's table has one more column for each diagnostic."""

TABLES = {
    "episodes": EPISODE_COLUMNS,
    "evaluations": EVALUATION_COLUMNS,
    "learner": LEARNER_COLUMNS,
}

POLICY = "policy.npz"
"""A complete run's trained networks, not a table: see `ablation.agent.policy`."""

_COLUMN_TYPES = {
    "env_step": "int64",
    "gradient_step": "int64",
    "episode": "int64",
    "episode_length": "int64",
    "terminated": "bool",
    "truncated": "bool",
}
"""Every other column is float64."""


@dataclass(frozen=True)
class RunKey:
    """Names a run: its cell and its seed."""

    cell: str
    seed: int


class Store:
    """The runs, studies and jobs below one results directory."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def run_directory(self, key: RunKey) -> Path:
        """Return where a run's files are once it has ended."""
        return self.root / "runs" / key.cell / f"{key.seed:04d}"

    def study_directory(self, study: str) -> Path:
        """Return where a study's plan and its report are."""
        return self.root / "studies" / study

    def job_directory(self, job: str) -> Path:
        """Return where a job keeps its log and its progress while it runs."""
        return self.root / "jobs" / job

    def write_run(
        self,
        record: RunRecord,
        tables: Mapping[str, Sequence[Mapping[str, Any]]],
        policy: bytes | None = None,
    ) -> Path:
        """Store an ended run as a whole, replacing an earlier attempt, and return its directory.

        `record` becomes `run.json`, with the checksums of the tables' files; `tables` holds the rows of
        each of `TABLES`, `policy` the content of `POLICY`. An existing complete or diverged run is never
        overwritten; a damaged one is quarantined first.
        """
        key = RunKey(record.cell, record.seed)
        final = self.run_directory(key)
        earlier, damage = self.inspect(key)
        if damage:
            self.quarantine(key)
        elif earlier and earlier.status in ENDED:
            return final
        tmp = final.with_name(f".{final.name}.{os.getpid()}")
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir(parents=True)
        try:
            checksums = {}
            for name, columns in TABLES.items():
                path = tmp / f"{name}.parquet"
                _write_table(path, tables.get(name, ()), columns)
                checksums[path.name] = _checksum(path)
            if policy is not None:
                (tmp / POLICY).write_bytes(policy)
            write_json(tmp / "run.json", replace(record, checksums=checksums).as_json())
            if final.exists():
                shutil.rmtree(final)
            tmp.rename(final)
        except BaseException:
            shutil.rmtree(tmp, ignore_errors=True)
            raise
        return final

    def read_record(self, key: RunKey) -> RunRecord | None:
        """Return a run's record, or None where there is no `run.json` that this version reads."""
        values = read_json(self.run_directory(key) / "run.json")
        readable = isinstance(values, dict) and wrong_schema(values) is None
        return RunRecord.from_json(values) if readable else None

    def why_unreadable(self, key: RunKey) -> str | None:
        """Return what keeps a run's record from being read; None where there is no such run."""
        values = read_json(self.run_directory(key) / "run.json")
        if isinstance(values, dict):
            return wrong_schema(values)
        exists = self.run_directory(key).is_dir()
        return "run.json is missing or cannot be read" if exists else None

    def inspect(self, key: RunKey) -> tuple[RunRecord | None, str | None]:
        """Return a run's record, if it has one, and what is wrong with its directory, if anything.

        Looks at the tables' first and last bytes, not at their rows.
        """
        directory = self.run_directory(key)
        record = self.read_record(key)
        if record is None:
            return None, self.why_unreadable(key)
        if record.status not in STORED_STATUSES:
            return record, f"run.json has the status {record.status!r}"
        for name in TABLES:
            if not _is_parquet(directory / f"{name}.parquet"):
                return record, f"{name}.parquet is missing or cut short"
        return record, None

    def half_written(self) -> Iterator[tuple[RunKey, Path]]:
        """Yield the temporary directories that killed writers left, and whose run they are."""
        for directory in sorted((self.root / "runs").glob("*/.[0-9]*")):
            seed = directory.name[1:].partition(".")[0]
            if seed.isdigit():
                yield RunKey(directory.parent.name, int(seed)), directory

    def quarantine(self, key: RunKey, directory: Path | None = None) -> Path:
        """Move a run's directory, or another one of it, away under a name that says which it was."""
        quarantine = self.root / "quarantine"
        quarantine.mkdir(parents=True, exist_ok=True)
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        damaged = directory or self.run_directory(key)
        return damaged.rename(quarantine / f"{key.cell}-{key.seed:04d}-{stamp}")

    def read_table(self, key: RunKey, name: str) -> pyarrow.Table:
        """Return one of a run's `TABLES`; raises `OSError` if it cannot be read."""
        import pyarrow.parquet

        return pyarrow.parquet.read_table(self.run_directory(key) / f"{name}.parquet", partitioning=None)

    def altered_tables(self, key: RunKey, names: Iterable[str] = TABLES) -> list[str]:
        """Return the files of tables that are no longer those whose checksums the record has.

        Raises `OSError` if one cannot be read.
        """
        record = self.read_record(key) or RunRecord()
        files = [self.run_directory(key) / f"{name}.parquet" for name in names]
        return [path.name for path in files if record.checksums.get(path.name) != _checksum(path)]

    def run_keys(self) -> Iterator[RunKey]:
        """Yield every run that has a directory under its final name, in order."""
        for directory in sorted((self.root / "runs").glob("*/[0-9]*")):
            if directory.name.isdigit():
                yield RunKey(directory.parent.name, int(directory.name))


_PARQUET = b"PAR1"
"""What a Parquet file begins and ends with."""


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(len(_PARQUET))
            file.seek(-len(_PARQUET), os.SEEK_END)
            return file.tell() > len(_PARQUET) and head == _PARQUET == file.read()
    except OSError:
        return False


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    import pyarrow
    import pyarrow.parquet

    names = list(columns) + [name for name in (rows[0] if rows else ()) if name not in columns]
    schema = pyarrow.schema(
        [(name, pyarrow.type_for_alias(_COLUMN_TYPES.get(name, "float64"))) for name in names]
    )
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), path)
