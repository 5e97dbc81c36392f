"""The store: one directory per run, its files, columns and atomic writes. The truth of a sweep.

    results/runs/<cell>/<seed>/   run.json, policy.npz,
                                  episodes.parquet, evaluations.parquet, learner.parquet

A directory appears under its final name only when its run ended and all of it is on the disk; until then
it is written under a temporary name next to it. A damaged one is moved to `results/quarantine/`, never
deleted, and nothing is written or moved where a link leads out of the results directory.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.store.files import put_in_place, temporary, write_json
from ablation.store.keys import BadName, RunKey, check_name
from ablation.store.run_record import ENDED, STORED_STATUSES, UNREADABLE, Refused, RunRecord
from ablation.store.tables import TABLES, write_table

if TYPE_CHECKING:
    import pyarrow

__all__ = ["FILES", "TABLES", "RunKey", "Store"]

POLICY = "policy.npz"
"""A complete run's trained networks, not a table: see `ablation.agent.policy`."""
FILES = ("run.json", *(f"{name}.parquet" for name in TABLES))
"""The files of every run."""


class Store:
    """The runs, studies and jobs below one results directory."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def run_directory(self, key: RunKey) -> Path:
        """Return where a run's files are once it has ended."""
        return Path(self._run_path(key))

    def study_directory(self, study: str) -> Path:
        """Return where a study's plan and its report are; raises `BadName` for no name."""
        return self.root / "studies" / check_name("study", study)

    def job_directory(self, job: str) -> Path:
        """Return where a job keeps its log and its progress while it runs; raises `BadName`."""
        return self.root / "jobs" / check_name("job", job)

    def inside(self, path: Path) -> Path:
        """Return a path below the root; raises `BadName` where a link leads out of it."""
        if path.resolve().is_relative_to(self.root.resolve()):
            return path
        raise BadName(f"{path}: a link leads out of {self.root}; nothing is written there")

    def write_run(
        self,
        record: RunRecord,
        tables: Mapping[str, Sequence[Mapping[str, Any]]],
        policy: bytes | None = None,
        check: Callable[[], object] = lambda: None,
    ) -> Path:
        """Store an ended run as a whole, replacing an earlier attempt, and return its directory.

        `record` becomes `run.json`, with the checksums of the tables' files; `tables` holds the rows of
        each of `TABLES`, `policy` the content of `POLICY`. An existing complete or diverged run is never
        overwritten; a damaged one is quarantined first. `check` is called right before the run gets its
        name, and may raise.
        """

        def fill(directory: Path) -> None:
            checksums = {}
            for name, columns in TABLES.items():
                path = directory / f"{name}.parquet"
                write_table(path, tables.get(name, ()), columns)
                checksums[path.name] = f"{_sha256(path)} {path.stat().st_size}"
            if policy is not None:
                (directory / POLICY).write_bytes(policy)
            write_json(directory / "run.json", replace(record, checksums=checksums).as_json(), False)

        return self._publish(RunKey(record.cell, record.seed), fill, check)

    def copy_run(self, source: Path, key: RunKey) -> Path:
        """Store the files of a run's directory elsewhere, as `write_run` stores rows."""

        def fill(directory: Path) -> None:
            for name in (*FILES, POLICY):
                if name != POLICY or (source / name).exists():
                    shutil.copyfile(source / name, directory / name)

        return self._publish(key, fill, lambda: None)

    def _publish(self, key: RunKey, fill: Callable[[Path], None], check: Callable[[], object]) -> Path:
        final = self.inside(self.run_directory(key))
        earlier, damage = self.inspect(key)
        if damage:
            self.quarantine(key)
        elif earlier and earlier.status in ENDED:
            return final
        tmp = temporary(final)
        tmp.mkdir(parents=True)
        try:
            fill(tmp)
            put_in_place(tmp, final, check)
        finally:
            shutil.rmtree(tmp, ignore_errors=True)
        return final

    def read_record(self, key: RunKey) -> RunRecord | None:
        """Return a run's record, or None where there is no `run.json` that this version reads."""
        return self._read(key)[0]

    def why_unreadable(self, key: RunKey) -> str | None:
        """Return what keeps a run's record from being read; None where there is no such run."""
        return self._read(key)[1]

    def inspect(self, key: RunKey) -> tuple[RunRecord | None, str | None]:
        """Return a run's record, if it has one, and what is wrong with its directory, if anything.

        Looks at the tables' sizes, not at their bytes: `altered_tables` does.
        """
        record, damage = self._read(key)
        if record is None:
            return None, damage
        if record.status not in STORED_STATUSES:
            return record, f"run.json has the status {record.status!r:.40}"
        if (record.cell, record.seed) != (key.cell, key.seed):
            return record, f"run.json is that of {record.cell!r:.200} seed {record.seed}"
        for name in FILES[1:]:
            size = record.checksums.get(name, "").partition(" ")[2]
            if not _has_size(f"{self._run_path(key)}/{name}", size):
                return record, f"{name} is missing or of another size than run.json says"
        return record, None

    def _run_path(self, key: RunKey) -> str:
        # Joined as text: a scan asks for a hundred thousand.
        return os.path.join(self.root, "runs", key.cell, key.seed_name)

    def _read(self, key: RunKey) -> tuple[RunRecord | None, str | None]:
        directory = self._run_path(key)
        try:
            with open(f"{directory}/run.json", "rb") as file:
                return RunRecord.from_json(file.read()), None
        except Refused as refused:
            return None, str(refused)
        except OSError:
            return None, UNREADABLE if os.path.isdir(directory) else None

    def half_written(self) -> Iterator[tuple[RunKey, Path]]:
        """Yield the temporary directories that killed writers left, and whose run they are."""
        for directory in sorted((self.root / "runs").glob("*/.[0-9]*")):
            named = _TEMPORARY.fullmatch(directory.name)
            key = RunKey.of_names(directory.parent.name, named[1]) if named else None
            if key is not None and key.ends_in_hash:
                yield key, directory

    def quarantine(self, key: RunKey, directory: Path | None = None) -> Path:
        """Move a run's directory, or another one of it, away under a name that says which it was."""
        quarantine = self.inside(self.root / "quarantine")
        quarantine.mkdir(parents=True, exist_ok=True)
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        damaged = directory or self.run_directory(key)
        self.inside(damaged.parent)
        return damaged.rename(quarantine / f"{key.cell}-{key.seed_name}-{stamp}")

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
        told = {name: text.partition(" ")[0] for name, text in record.checksums.items()}
        return [path.name for path in files if told.get(path.name) != _sha256(path)]

    def run_keys(self) -> Iterator[RunKey]:
        """Yield every run that has a directory under its final name, in order."""
        for directory in sorted((self.root / "runs").glob("*/[0-9]*")):
            key = RunKey.of_names(directory.parent.name, directory.name)
            if key is not None:
                yield key


_TEMPORARY = re.compile(r"\.([0-9]{4,})\.([0-9a-f]{32}|[0-9]+)")
"""The name of a directory that is being written; earlier versions ended it with a process's number."""


def _has_size(path: str, size: str) -> bool:
    """Return whether a file has so many bytes; any but none will do where the size is not known."""
    try:
        found = os.stat(path).st_size
    except OSError:
        return False
    return found > 0 and size in ("", str(found))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
