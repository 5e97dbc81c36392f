"""The tables of a run: their columns, and rows to a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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

_TYPES = {
    "env_step": "int64",
    "gradient_step": "int64",
    "episode": "int64",
    "episode_length": "int64",
    "terminated": "bool",
    "truncated": "bool",
}
"""Every other column is float64."""


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as a Parquet file with these columns first, then the others as they first appear."""
    import pyarrow
    import pyarrow.parquet

    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    schema = pyarrow.schema(
        [(name, pyarrow.type_for_alias(_TYPES.get(name, "float64"))) for name in names]
    )
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), path)
