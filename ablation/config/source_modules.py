"""Finds a module and the modules of its project that it imports, without running any of them."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

from ablation.config.validation import ConfigError

_COMPONENT = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d][\w./-]*)")
"""Also an environment's id, `package.module:Env-v0`, whose module registers it."""
_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD_LIBRARY = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
_ROOT = Path(__file__).resolve().parents[2]
_THIS_PROGRAM = [
    _ROOT / name for name in ("ablation", "analysis", "hydra_plugins", "replay_ablation.py")
]


def is_component(value: object) -> bool:
    """Return whether a value has the form of an import path, `package.module:Name`."""
    return isinstance(value, str) and _COMPONENT.fullmatch(value) is not None


def project_files(module: str) -> dict[str, Path]:
    """Return the files of a module, of its packages, and of all that they import, by module."""
    finder, files, waiting = Finder(), dict[str, Path](), [module]
    while waiting:
        for name in _with_packages(waiting.pop()):
            spec = finder.find(name)
            if spec is None or (spec.origin is not None and not _is_of_project(Path(spec.origin))):
                break
            if spec.origin is None or name in files:
                continue
            files[name] = Path(spec.origin)
            if is_source(spec):
                package = name if spec.submodule_search_locations is not None else _parent(name)
                waiting += _imports(parse(files[name]), package)
    return files


class Finder:
    """Finds modules as an import would, but runs no package on the way."""

    def __init__(self) -> None:
        importlib.invalidate_caches()
        self._specs: dict[str, ModuleSpec | None] = {}

    def find(self, name: str) -> ModuleSpec | None:
        """Return where a module is, None where there is none."""
        if name not in self._specs:
            self._specs[name] = self._look_up(name)
        return self._specs[name]

    def _look_up(self, name: str) -> ModuleSpec | None:
        path = None
        if "." in name:
            package = self.find(_parent(name))
            path = None if package is None else package.submodule_search_locations
            if path is None:
                return None
        finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
        specs = (find(name, path) for find in finders if find is not None)
        try:
            spec: ModuleSpec | None = next((spec for spec in specs if spec is not None), None)
        except KeyError:
            # A folder without `__init__`: Python asks its package for the path, which is not imported.
            folders = [Path(folder, name.rpartition(".")[2]) for folder in path or ()]
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(folder) for folder in folders if folder.is_dir()]
        return spec


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield the modules that code may import; `from a import b` as both `a` and `a.b`.

    Import paths in text count (`entry_point="lab.envs:Maze"`), and constants given to `import_module`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and is_component(node.value):
            yield str(node.value).partition(":")[0]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value


def parse(file: Path) -> ast.Module:
    """Return the syntax tree of a file; raises `ConfigError` where it has none."""
    try:
        return ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise ConfigError("code", f"{file}, line {error.lineno}", error.msg) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError("code", file, f"cannot be read: {error}") from None


def _is_of_project(file: Path) -> bool:
    """Return whether a file is neither installed nor of the standard library or this program."""
    resolved = file.resolve()
    if not file.is_file() or _INSTALLED & {*file.parts, *resolved.parts}:
        return False
    return not any(resolved.is_relative_to(place) for place in (*_STANDARD_LIBRARY, *_THIS_PROGRAM))


def is_source(spec: ModuleSpec) -> bool:
    """Return whether a module is a file of Python source."""
    return spec.origin is not None and spec.origin.endswith(".py")


def _parent(name: str) -> str:
    return name.rpartition(".")[0]


def _with_packages(name: str) -> list[str]:
    """Return a module's packages, outermost first, and the module."""
    parts = name.split(".")
    return [".".join(parts[: depth + 1]) for depth in range(len(parts))]
