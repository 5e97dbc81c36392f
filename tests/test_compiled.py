"""Compiled code that is kept: taken again when it fits, made anew when it does not, never in the way."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from numba.core.caching import _CacheLocator

from ablation.numerics import compiled

from . import processes

PACKAGE = Path(compiled.__file__).parent.parent


def add(x: int, y: int) -> int:
    return x + y


def run() -> tuple[int, int]:
    """Compile `add` as if in a new process; return how often kept code was taken, and how often not."""
    function: Any = compiled.compiled(add)
    assert function(1, 2) == 3
    return sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values())


@pytest.fixture(autouse=True)
def index() -> Path:
    run()
    function: Any = compiled.compiled(add)
    return Path(function._cache._cache_file._index_path)


def test_code_is_taken_again() -> None:
    assert run() == (1, 0)


def test_a_change_in_any_kernel_source_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_sources_hash", lambda: "other sources")
    assert run() == (0, 1)
    assert run() == (1, 0)


@pytest.mark.parametrize("content", [b"", b"garbage\n"])
def test_a_damaged_index_compiles_anew(index: Path, content: bytes) -> None:
    index.write_bytes(content)
    assert run() == (0, 1)
    assert run() == (1, 0)


def test_damaged_code_compiles_anew(index: Path) -> None:
    for code in index.parent.glob(index.name.replace(".nbi", ".*.nbc")):
        code.write_bytes(b"garbage")
    assert run() == (0, 1)
    assert run() == (1, 0)


def test_where_nothing_can_be_written_it_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(locator: _CacheLocator) -> None:
        raise PermissionError(13, "Permission denied")

    compiled._warn_once.cache_clear()
    monkeypatch.setattr(_CacheLocator, "ensure_cache_path", refuse)
    with pytest.warns(UserWarning, match="will be compiled again") as warned:
        kept = [run() for _ in range(2)]
    assert kept == [(0, 1), (0, 1)]
    assert len(warned) == 1


def test_without_a_writable_directory_or_a_home_everything_works_and_it_is_said_once(
    tmp_path: Path,
) -> None:
    copytree(PACKAGE, tmp_path / "ablation", ignore=ignore_patterns("__pycache__", "template"))
    for directory in (tmp_path / "ablation").rglob("*"):
        if directory.is_dir():
            # Where a file stands, nobody makes a directory, root neither.
            (directory / "__pycache__").touch()
    code = (
        "import numpy as np\n"
        "from ablation.numerics import elementary, products\n"
        "print(elementary.__file__, elementary.exp(0.0), elementary.log(1.0))"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/dev/null/nobody"}
    done = processes.run(sys.executable, "-c", code, cwd=tmp_path, variables=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "ablation/numerics/elementary.py"), "1.0", "0.0"]
    assert done.stderr.count("will be compiled again") == 1


def test_a_user_without_a_home_gets_no_folder_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled._UserWide.from_function(add, __file__) is not None
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert compiled._UserWide.from_function(add, __file__) is None


def test_a_full_disk_costs_only_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    compiled._warn_once.cache_clear()
    monkeypatch.setattr(compiled, "_sources_hash", lambda: "sources on a full disk")
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", refuse)
    with pytest.warns(UserWarning, match="No space left"):
        assert run() == (0, 1)
