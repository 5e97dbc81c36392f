"""The rows and scores of a study's outside runs, in memory and in the store.

results/outside/<study>/   import.json, runs.parquet, and for each kind of rows a table, all read-only
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.results.outside.rows import OrderedRows
from ablation.results.run import Run
from ablation.store.files import put_in_place, read_json, temporary, write_json
from ablation.store.keys import check_name
from ablation.store.run_record import MISSING, RunRecord
from ablation.store.runs import RunKey, Store

SCHEMA = 1
COMPLETE = "complete"
ROWS = ("evaluations", "episodes")


class DamagedImport(Exception):
    """Files of an import that are not as they were written."""


@dataclass(frozen=True)
class OutsideData:
    """The runs of an import: keys and reasons `[runs]`, scores `[runs]` by name, and rows by kind.

    `about` is what `import.json` says: format, files with their hashes, what the user declared.
    """

    keys: list[RunKey]
    errors: list[str | None]
    scores: dict[str, NDArray[np.float64]]
    tables: dict[str, OrderedRows]
    about: dict[str, Any]

    def runs(self, cells: Mapping[str, dict[str, Any]]) -> Iterator[tuple[RunKey, Run]]:
        """Yield every run with its key; `cells` are the configurations. Unknown values stay empty."""
        library = self.about.get("declared", {}).get("gymnasium")
        versions = {"gymnasium": library} if library else {}
        empty = {"env_step": np.zeros(0, np.int64), "episode_return": np.zeros(0)}
        for at, (key, error) in enumerate(zip(self.keys, self.errors, strict=True)):
            record = RunRecord(
                cell=key.cell,
                seed=key.seed,
                status=COMPLETE if error is None else MISSING,
                error=error,
                config=cells.get(key.cell, {}),
                versions=versions,
            )
            tables = {kind: table.of_run(at) for kind, table in self.tables.items()}
            tables |= {kind: empty for kind in ROWS if kind not in tables}
            scores = {name: float(values[at]) for name, values in self.scores.items()}
            if error is not None:
                tables, scores = {}, {}
            yield key, Run(key, record.status, record, tables, scores)


def directory_of(store: Store, study: str) -> Path:
    """Return where a study's outside runs are stored."""
    return store.root / "outside" / check_name("study", study)


def write(store: Store, study: str, data: OutsideData) -> None:
    """Store an import as a whole, read-only, in place of an earlier one of its study."""
    final = directory_of(store, study)
    tmp = temporary(store.inside(final))
    tmp.mkdir(parents=True)
    try:
        _write_tables(tmp, data)
        names = sorted(path.name for path in tmp.iterdir())
        hashes = {"tables": {name: file_hash(tmp / name) for name in names}}
        write_json(tmp / "import.json", data.about | {"schema": SCHEMA} | hashes)
        for path in tmp.iterdir():
            path.chmod(0o444)
        put_in_place(tmp, final)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


def _write_tables(directory: Path, data: OutsideData) -> None:
    import pyarrow
    import pyarrow.parquet

    runs: dict[str, Any] = {
        "cell": [key.cell for key in data.keys],
        "seed": [key.seed for key in data.keys],
        "error": pyarrow.array(data.errors, pyarrow.string()),
    }
    runs |= {f"score/{name}": values for name, values in data.scores.items()}
    for kind, table in data.tables.items():
        runs[f"rows/{kind}"] = np.diff(table.bounds)
        pyarrow.parquet.write_table(pyarrow.table(table.columns), directory / f"{kind}.parquet")
    pyarrow.parquet.write_table(pyarrow.table(runs), directory / "runs.parquet")


def read(store: Store, study: str) -> OutsideData:
    """Return a study's outside runs; raises `DamagedImport` if a file is not as it was written."""
    directory = directory_of(store, study)
    about = read_json(directory / "import.json")
    if not isinstance(about, dict) or about.get("schema") != SCHEMA:
        raise DamagedImport(f"{directory / 'import.json'} cannot be read; import the files again")
    try:
        for name, expected in about["tables"].items():
            path = directory / check_name("table", name)
            if not path.is_file() or file_hash(path) != expected:
                raise ValueError(f"{name} is missing or changed since the import")
        return _read_tables(directory, about)
    # Whatever may be wrong with files that others can write.
    except Exception as error:
        raise DamagedImport(f"{directory}: {error}; import the files again") from None


def _read_tables(directory: Path, about: dict[str, Any]) -> OutsideData:
    runs = _columns(directory / "runs.parquet")
    keys = [RunKey(cell, seed) for cell, seed in zip(runs["cell"], runs["seed"].tolist(), strict=True)]
    scores = {n.removeprefix("score/"): v for n, v in runs.items() if n.startswith("score/")}
    tables = {}
    for name in runs:
        if name.startswith("rows/"):
            kind = check_name("table", name.removeprefix("rows/"))
            bounds = np.concatenate([[0], np.cumsum(runs[name])])
            tables[kind] = OrderedRows(bounds, _columns(directory / f"{kind}.parquet"))
    return OutsideData(keys, list(runs["error"]), scores, tables, about)


def _columns(path: Path) -> dict[str, NDArray[Any]]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path, partitioning=None)
    return {name: table[name].to_numpy() for name in table.column_names}


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
