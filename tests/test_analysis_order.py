"""The packages of the analysis stand in one order, and each imports only those before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "analysis"
ORDER = (
    "statistics",
    "effects",
    "tables",
    "figures",
    "studies",
    "expectations",
    "report",
    "notebook",
    "wandb",
    "commands",
)


def imported_packages(path: Path) -> Iterator[str]:
    """Yield the packages of the analysis that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name == "analysis" and isinstance(node, ast.ImportFrom):
                yield from (alias.name for alias in node.names)
            elif name.startswith("analysis."):
                yield name.split(".")[1]


def test_the_order_names_every_package() -> None:
    there = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or list(path.glob("*.py"))}
    assert there - {"__init__"} == set(ORDER)


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_those_before_it(package: str) -> None:
    folder = ROOT / package
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    before = set(ORDER[: ORDER.index(package) + 1])
    for path in files:
        assert set(imported_packages(path)) <= before, path


def test_the_package_says_the_order() -> None:
    text = (ROOT / "__init__.py").read_text()
    places = [text.index(f"`{package}`") for package in ORDER]
    assert places == sorted(places)
