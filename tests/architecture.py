"""Reads who imports whom from the source, and says where that breaks the order of the packages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from .source_tree import Module, Tree

LAYERS = (
    ("hydra_plugins", "ablation.__main__", "replay_ablation"),
    ("ablation.cli",),
    ("analysis", "ablation.sweep"),
    ("ablation.checks",),
    ("ablation.tasks",),
    ("ablation.training",),
    ("ablation.diagnostics",),
    ("ablation.replay",),
    ("ablation.agent", "ablation.envs"),
    ("ablation.results", "ablation.tracking"),
    ("ablation.study",),
    ("ablation.store", "ablation.config", "ablation.numerics"),
)
"""Top to bottom: a package imports only what stands lower, never a neighbor on its own line."""

_FRAMEWORKS = frozenset({"hydra", "omegaconf", "wandb", "pandas"})
_COMPUTING = frozenset({"torch", "numba", "gymnasium"})

FORBIDDEN = {
    "analysis": _COMPUTING | {"hydra", "omegaconf"},
    "ablation.study": _COMPUTING | _FRAMEWORKS,
    "ablation.config": _COMPUTING | _FRAMEWORKS,
    "ablation.store": _COMPUTING | _FRAMEWORKS,
    "ablation.agent": _FRAMEWORKS,
    "ablation.envs": _FRAMEWORKS,
    "ablation.replay": _FRAMEWORKS | {"gymnasium"},
    "ablation.diagnostics": _FRAMEWORKS | {"gymnasium"},
    "ablation.training": _FRAMEWORKS | {"gymnasium"},
    "ablation.tasks": _FRAMEWORKS | {"gymnasium"},
    "ablation.numerics": _FRAMEWORKS | {"gymnasium"},
}
"""Libraries that no file of a package imports: a trainer knows no framework, a plan no trainer."""

LOADED_LATE = {
    "analysis": _COMPUTING,
    "ablation.study": _COMPUTING | _FRAMEWORKS,
    "ablation.config": _COMPUTING | _FRAMEWORKS,
    "ablation.cli": _COMPUTING | {"wandb", "pandas"},
    "ablation.sweep.scheduling": _COMPUTING | {"wandb", "pandas"},
    "ablation.sweep.estimates": _COMPUTING | {"wandb", "pandas"},
}
"""Libraries that importing a package loads in no way, so that planning starts without delay."""

ONLY_IN = {
    "wandb": ("ablation.tracking", "analysis.wandb"),
    "wandb_workspaces": ("analysis.wandb",),
    "matplotlib": ("analysis",),
    "ray": ("ablation.sweep",),
}
"""Libraries that belong to these packages alone."""

STATISTICS_MAY_IMPORT = {
    "__future__",
    "collections",
    "dataclasses",
    "itertools",
    "math",
    "typing",
    "numpy",
    "scipy",
    "analysis.statistics",
}

LINES, KERNEL_LINES = 250, 400
SETS_VARIABLE = re.compile(r"os\.environ(\[[^]]*\]\s*=|\.(setdefault|update)\(|\s*\|=)|os\.putenv")


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _layer(name: str) -> tuple[int, str] | None:
    places = [(n, part) for n, layer in enumerate(LAYERS) for part in layer if within(name, part)]
    return max(places, key=lambda place: len(place[1]), default=None)


def misplaced(tree: Tree) -> Iterator[str]:
    """Yield the modules outside the packages of the layout; `ablation` itself only holds packages."""
    for name, module in tree.modules.items():
        if _layer(name) is None and not (name == "ablation" and module.is_package):
            yield f"{tree.where(module)}: stands in no package of the layout (LAYERS)"


def rising_imports(tree: Tree) -> Iterator[str]:
    """Yield imports of a higher package, or of another one of the same layer."""
    for module in tree.modules.values():
        for source, line in tree.own_imports(module):
            here, there = _layer(module.name), _layer(source.name)
            if here is None or there is None or here == there:
                continue
            if there[0] <= here[0]:
                yield (
                    f"{tree.where(module, line)}: imports {source.name}; "
                    f"{here[1]} may import only what stands below it, not {there[1]}"
                )


def circles(edges: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield one circle of a graph, if it has any, as names joined by arrows."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        yield " <- ".join(error.args[1])


def _second_level(module: Module) -> str:
    """Return the package `ablation.x` of a module; a program, `__main__`, stands above its package."""
    if module.name.endswith(".__main__"):
        return module.name
    return ".".join(module.package.split(".")[:2])


def import_circles(tree: Tree) -> Iterator[str]:
    """Yield a circle between modules and one between packages (`ablation.x`), where there are any."""
    modules = {
        module.name: {source.name for source, _ in tree.own_imports(module)}
        for module in tree.modules.values()
    }
    packages: dict[str, set[str]] = {}
    for name, sources in modules.items():
        here = _second_level(tree.modules[name])
        theirs = {_second_level(tree.modules[source]) for source in sources}
        packages.setdefault(here, set()).update(theirs - {here})
    yield from (f"modules import each other: {circle}" for circle in circles(modules))
    yield from (f"packages import each other: {circle}" for circle in circles(packages))


def forbidden_libraries(tree: Tree) -> Iterator[str]:
    """Yield imports of libraries that a package must do without, or that belong to other packages."""
    for module in tree.modules.values():
        for name, line in module.imports():
            library = name.split(".")[0]
            for package, libraries in FORBIDDEN.items():
                if within(module.name, package) and library in libraries:
                    yield f"{tree.where(module, line)}: imports {library}; {package} does without it"
            homes = ONLY_IN.get(library)
            if homes is not None and not any(within(module.name, home) for home in homes):
                only = " and ".join(homes)
                yield f"{tree.where(module, line)}: imports {library}; only {only} may do so"


def _library_loads(tree: Tree) -> dict[str, dict[str, list[str]]]:
    """Return for each module the libraries that importing it loads, each with the modules on the way."""
    loads: dict[str, dict[str, list[str]]] = {name: {} for name in tree.modules}
    waiting = list(tree.modules.values())
    importers: dict[str, set[str]] = {}
    for module in tree.modules.values():
        for name, _ in module.imports(module.statements_run_on_import()):
            loads[module.name].setdefault(name.split(".")[0], [module.name])
        for source, _ in tree.own_imports(module, module.statements_run_on_import()):
            importers.setdefault(source.name, set()).add(module.name)
        importers.setdefault(module.name.rpartition(".")[0], set()).add(module.name)
    while waiting:
        source = waiting.pop()
        for importer in importers.get(source.name, ()):
            for library, way in list(loads[source.name].items()):
                if library not in loads[importer]:
                    loads[importer][library] = [importer, *way]
                    waiting.append(tree.modules[importer])
    return loads


def slow_imports(tree: Tree) -> Iterator[str]:
    """Yield modules of planning and analysis that load a library of the training, and how."""
    loads = _library_loads(tree)
    for package, libraries in LOADED_LATE.items():
        for name, module in tree.modules.items():
            for library in sorted(libraries & loads[name].keys()) if within(name, package) else ():
                way = " -> ".join([*loads[name][library][1:], library])
                yield f"{tree.where(module)}: loads {way}; importing {package} must not load {library}"


def impure_statistics(tree: Tree) -> Iterator[str]:
    """Yield what `analysis.statistics` imports beside functions of arrays."""
    for module in tree.modules.values():
        if not within(module.name, "analysis.statistics"):
            continue
        for name, line in module.imports():
            if not any(within(name, allowed) for allowed in STATISTICS_MAY_IMPORT):
                yield f"{tree.where(module, line)}: imports {name}; statistics are functions of arrays"


def long_files(tree: Tree) -> Iterator[str]:
    """Yield files over the limit; it is higher for compiled loops, whose cache ignores other files."""
    for module in tree.modules.values():
        kernels = module.path.name.endswith("kernels.py") or module.name == "ablation.numerics.products"
        limit = KERNEL_LINES if kernels else LINES
        count = len(module.text.splitlines())
        if count > limit:
            yield f"{tree.where(module)}: has {count} lines; at most {limit} are allowed"


def undocumented(tree: Tree) -> Iterator[str]:
    """Yield modules without a docstring, and packages whose docstring is still to be written."""
    for module in tree.modules.values():
        text = ast.get_docstring(module.tree)
        if not text:
            yield f"{tree.where(module)}: has no module docstring"
        elif re.search(r"\bTODO\b", text):
            yield f"{tree.where(module)}: its docstring says TODO"


def environment_writes(tree: Tree) -> Iterator[str]:
    """Yield statements of a module's body that set environment variables when it is imported."""
    for module in tree.modules.values():
        if module.name.endswith("__main__"):
            continue
        for statement in module.tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            source = ast.get_source_segment(module.text, statement) or ""
            if re.search(
                r"os\.environ(\[[^]]*\]\s*=|\.(setdefault|update)\(|\s*\|=)|os\.putenv", source
            ):
                yield (
                    f"{tree.where(module, statement.lineno)}: sets an environment variable on import; "
                    "only entry points may"
                )


def unnamed_encodings(tree: Tree) -> Iterator[str]:
    """Yield calls that read or write text in whatever encoding the machine's locale has."""
    for module in tree.modules.values():
        for call in (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            words = {keyword.arg for keyword in call.keywords}
            text = name in ("read_text", "write_text") or (
                name == "open" and ("newline" in words or _opens_text(call))
            )
            if text and "encoding" not in words:
                yield f"{tree.where(module, call.lineno)}: {name} without an encoding"


def _opens_text(call: ast.Call) -> bool:
    modes = [value.value for value in call.args if isinstance(value, ast.Constant)]
    modes += [word.value.value for word in call.keywords if word.arg == "mode"]  # type: ignore[attr-defined]
    return any(isinstance(mode, str) and re.fullmatch("[rwax]t?[+]?", mode) for mode in modes)


def tests_that_import_tests(folder: Path) -> Iterator[str]:
    """Yield test files that import another test file: what they share belongs into a helper."""
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [node.module or "", *(alias.name for alias in node.names)]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            for name in names:
                if name.split(".")[-1].startswith("test_"):
                    yield f"{path.name}:{node.lineno}: imports {name}; share it by a helper file"
