"""The identity of a user's code: a hash of its syntax trees, or the version of an installed package.

A component stands in a configuration by its import path, `package.module:Name`. What decides its numbers
is its module and the modules of the project that this one imports, in turn: all code outside installed
packages, the standard library and this program. Files are found and parsed, never run.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from ablation.config.near import one_of
from ablation.config.source_modules import Finder, is_component, is_source, parse, project_files
from ablation.config.validation import ConfigError

HASH_DIGITS = 12

_WITHOUT_EFFECT = {"kind", "type_comment", "type_ignores"}
"""Fields of syntax trees that change nothing when the code runs."""


def source_hashes(values: Any) -> dict[str, str]:
    """Return the hash of every component that stands in nested plain values, by its import path.

    Installed components are left out: their versions are recorded, not part of an identity.
    """
    hashes = {path: _code(path.partition(":")[0]).hash for path in dict.fromkeys(_components(values))}
    return {path: digest for path, digest in hashes.items() if digest is not None}


def fingerprints(values: Any) -> dict[str, str]:
    """Return what is recorded of every component in nested plain values, by its import path.

    `source <hash>` of a project's code, `<package> <version>` of an installed one.
    """
    sources = {path: f"source {digest}" for path, digest in source_hashes(values).items()}
    others = [path for path in _components(values) if path not in sources]
    releases = {path: package_of(path.partition(":")[0]) for path in others}
    return sources | {path: release for path, release in releases.items() if release is not None}


def check_component(key: str, path: str) -> None:
    """Raise `ConfigError` for an import path whose module is not there or does not have the name."""
    module, _, name = path.partition(":")
    spec = Finder().find(module)
    if spec is None:
        allowed = f"there is no module {module} on the Python path; write package.module:Name"
        raise ConfigError(key, path, allowed)
    if spec.origin is None or not is_source(spec):
        return
    names = set(_names(parse(Path(spec.origin))))
    if name.partition(".")[0] not in names and not names & {"*", "__getattr__"}:
        listed = one_of(name, sorted(names), said="it defines")
        raise ConfigError(key, path, f"{spec.origin} has no {name}; {listed}")


def has_method(path: str, method: str) -> bool:
    """Return whether the class at an import path defines a method itself, as its source says."""
    module, _, name = path.partition(":")
    spec = Finder().find(module)
    if spec is None or spec.origin is None or not is_source(spec):
        return False
    classes = (node for node in parse(Path(spec.origin)).body if isinstance(node, ast.ClassDef))
    methods = (part for one in classes if one.name == name for part in one.body)
    return any(isinstance(part, ast.FunctionDef) and part.name == method for part in methods)


@dataclass(frozen=True)
class _Code:
    """The hash of a module's code, None for one that is installed, and when its files were written."""

    hash: str | None
    written: dict[Path, int]


_known: dict[tuple[str, tuple[str, ...]], _Code] = {}


def _code(module: str) -> _Code:
    """Return a module's code, read again if a file of it was written since."""
    key = module, tuple(sys.path)
    known = _known.get(key)
    if known is None or not known.written or known.written != _written(known.written):
        files = project_files(module)
        trees = {name: _digest(path) for name, path in sorted(files.items())}
        digest = hashlib.sha256(json.dumps(trees).encode()).hexdigest()[:HASH_DIGITS]
        _known[key] = _Code(digest if files else None, _written(files.values()))
    return _known[key]


def _written(files: Any) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns if path.exists() else 0 for path in files}


def _digest(file: Path) -> str:
    """Return a hash of a file's syntax tree, or of its bytes where it is no Python source."""
    if file.suffix != ".py":
        return hashlib.sha256(file.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(_plain(parse(file))).encode()).hexdigest()


def _plain(node: object) -> Any:
    """Return a syntax tree as plain values, without places, comments, docstrings and empty fields.

    Not by `ast.dump`, whose text depends on the version of Python.
    """
    if isinstance(node, ast.AST):
        fields = {name: _plain(value) for name, value in ast.iter_fields(node)}
        kept = {
            name: value
            for name, value in fields.items()
            if name not in _WITHOUT_EFFECT and value not in (None, [])
        }
        return {"node": type(node).__name__} | kept
    if isinstance(node, list):
        return [_plain(part) for part in node if not _does_nothing(part)]
    return None if node is None else repr(node)


def _does_nothing(node: object) -> bool:
    """Return whether a statement is a docstring, another constant or `pass`."""
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant or isinstance(node, ast.Pass)


def _names(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module's code binds, `*` for all of another module's."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        waiting.extend(ast.iter_child_nodes(node))


def _components(values: Any) -> Iterator[str]:
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, list | tuple):
        for value in values:
            yield from _components(value)
    elif is_component(values):
        yield values


@cache
def package_of(module: str) -> str | None:
    """Return the package that installed a module and its version, None where there is none."""
    names = packages_distributions().get(module.partition(".")[0], [])
    return f"{names[0]} {version(names[0])}" if names else None
