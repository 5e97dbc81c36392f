"""Notices that the source changed while a sweep runs: its workers would train by other code."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


class CodeChanged(Exception):
    """The source is not the one that a sweep began with."""

    def __init__(self) -> None:
        super().__init__("code changed since this sweep began: start it again")


def code_version(package: Path = _PACKAGE) -> str:
    """Return a hash of this package's source files, as they are on disk now."""
    digest = sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0".encode())
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
