"""Modules of a source tree: their names, text and imports, read without importing them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOTS = ("ablation", "analysis", "hydra_plugins", "replay_ablation")


@dataclass(frozen=True)
class Module:
    """A source file, by its dotted name, and the names that it imports with their lines."""

    name: str
    path: Path
    is_package: bool

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0] or self.name

    def statements_run_on_import(self) -> Iterator[ast.AST]:
        """Yield the statements outside functions and outside `if TYPE_CHECKING`."""
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            yield node
            waiting.extend(ast.iter_child_nodes(node))

    def imports(self, nodes: Iterator[ast.AST] | None = None) -> Iterator[tuple[str, int]]:
        """Yield what `nodes` (all of the file) import, `from a import b` as `a.b`, with its line."""
        for node in ast.walk(self.tree) if nodes is None else nodes:
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = ".".join(self.package.split(".")[: 1 - node.level or None]) if node.level else ""
                source = ".".join(part for part in (base, node.module) if part)
                yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)


@dataclass(frozen=True)
class Tree:
    """The modules below a folder."""

    root: Path

    @cached_property
    def modules(self) -> dict[str, Module]:
        paths = [path for root in ROOTS for path in sorted((self.root / root).rglob("*.py"))]
        paths += [path for root in ROOTS if (path := self.root / f"{root}.py").exists()]
        modules = (self._module(path) for path in paths)
        return {module.name: module for module in modules}

    def _module(self, path: Path) -> Module:
        parts = path.relative_to(self.root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        return Module(".".join(parts[:-1] if is_package else parts), path, is_package)

    def own_imports(
        self, module: Module, nodes: Iterator[ast.AST] | None = None
    ) -> Iterator[tuple[Module, int]]:
        """Yield the modules of this tree that a module imports, once for each line."""
        for name, line in dict.fromkeys(module.imports(nodes)):
            source = self.modules.get(name) or self.modules.get(name.rpartition(".")[0])
            if source is not None and source.name != module.name:
                yield source, line

    def where(self, module: Module, line: int | None = None) -> str:
        path = module.path.relative_to(self.root).as_posix()
        return path if line is None else f"{path}:{line}"
