"""Files of a report, written beside it and put in place together; those of others stay."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablation.store.files import read_json, temporary, write_json

WRITTEN = ".written.json"
"""In a report's directory: the SHA-256 of each file that the report has written, by name."""


@contextmanager
def put_in_place_together(directory: Path) -> Iterator[Path]:
    """Yield a new directory; at the end of the context its files take their places in another one.

    Files that an earlier report wrote there and this one did not go, unless they were changed since. An
    error leaves the earlier report as it was.
    """
    tmp = temporary(directory)
    tmp.mkdir(parents=True)
    try:
        yield tmp
        directory.mkdir(exist_ok=True)
        told = read_json(directory / WRITTEN)
        earlier = told if isinstance(told, dict) else {}
        hashes = {path.name: _sha256(path) for path in sorted(tmp.iterdir())}
        # The page comes after what it shows.
        for name in sorted(hashes, key=lambda name: name.endswith(".html")):
            (tmp / name).replace(directory / name)
        for path in list(directory.iterdir()):
            if path.name not in hashes and path.is_file() and earlier.get(path.name) == _sha256(path):
                path.unlink()
        write_json(directory / WRITTEN, hashes, durable=False)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
