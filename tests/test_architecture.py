"""Who may import whom, how long a file may be, what importing a package may do: read from the source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import architecture
from .source_tree import Tree

ROOT = Path(__file__).parent.parent
OURS = Tree(ROOT)


def failures(check: Callable[[Tree], Iterator[str]], tree: Tree = OURS) -> str:
    return "\n".join(check(tree))


def test_every_module_stands_in_a_package_of_the_layout() -> None:
    assert not failures(architecture.misplaced)


def test_a_package_imports_only_packages_below_it() -> None:
    assert not failures(architecture.rising_imports)


def test_neither_modules_nor_packages_import_each_other_in_a_circle() -> None:
    assert not failures(architecture.import_circles)


def test_parts_of_a_trainer_know_no_framework_and_libraries_have_one_home() -> None:
    assert not failures(architecture.forbidden_libraries)


def test_planning_and_analysis_load_no_library_of_the_training() -> None:
    assert not failures(architecture.slow_imports)


def test_statistics_are_functions_of_arrays() -> None:
    assert not failures(architecture.impure_statistics)


def test_files_are_short() -> None:
    assert not failures(architecture.long_files)


def test_every_module_says_what_it_is_for() -> None:
    assert not failures(architecture.undocumented)


def test_importing_sets_no_environment_variable() -> None:
    assert not failures(architecture.environment_writes)


def test_text_is_read_and_written_as_utf_8() -> None:
    assert not failures(architecture.unnamed_encodings)


def test_tests_import_helpers_never_one_another() -> None:
    assert not "\n".join(architecture.tests_that_import_tests(ROOT / "tests"))


def test_the_drawing_in_the_documentation_shows_the_order_that_is_checked() -> None:
    drawing = (ROOT / "docs/architecture.md").read_text().split("```")[1]
    lines = [line.split("#")[0].replace("|", " ").split() for line in drawing.splitlines()]
    drawn = [set(names) for names in lines if any(name.strip("_") for name in names)]
    assert drawn == [{name.removeprefix("ablation.") for name in layer} for layer in architecture.LAYERS]


MADE_UP = [
    (architecture.misplaced, {"ablation/clocks.py": ""}, "ablation/clocks.py: stands in no package"),
    (
        architecture.rising_imports,
        {"ablation/envs/spec.py": "\nfrom ablation.tasks import data", "ablation/tasks/data.py": ""},
        "ablation/envs/spec.py:2: imports ablation.tasks.data; "
        "ablation.envs may import only what stands below it, not ablation.tasks",
    ),
    (
        architecture.rising_imports,
        {"analysis/a.py": "def f():\n    import ablation.sweep.job", "ablation/sweep/job.py": ""},
        "analysis/a.py:2: imports ablation.sweep.job; analysis may import only what stands below it, "
        "not ablation.sweep",
    ),
    (
        architecture.rising_imports,
        {"ablation/agent/a.py": "from ..envs.b import c", "ablation/envs/b.py": "c = 1"},
        "ablation/agent/a.py:1: imports ablation.envs.b; ablation.agent may import",
    ),
    (
        architecture.import_circles,
        {"analysis/a.py": "from analysis import b", "analysis/b.py": "from analysis.a import c"},
        "modules import each other: analysis.",
    ),
    (
        architecture.import_circles,
        {
            "analysis/tables/a.py": "from analysis.figures import b",
            "analysis/figures/b.py": "",
            "analysis/figures/c.py": "from analysis.tables import d",
            "analysis/tables/d.py": "",
        },
        "packages import each other: analysis.",
    ),
    (
        architecture.forbidden_libraries,
        {"ablation/study/a.py": "def f():\n    import torch.nn"},
        "ablation/study/a.py:2: imports torch; ablation.study does without it",
    ),
    (
        architecture.forbidden_libraries,
        {"ablation/sweep/a.py": "from wandb import init"},
        "ablation/sweep/a.py:1: imports wandb; only ablation.tracking and analysis.wandb may do so",
    ),
    (
        architecture.slow_imports,
        {"analysis/a.py": "import ablation.numerics.b", "ablation/numerics/b.py": "import torch"},
        "analysis/a.py: loads ablation.numerics.b -> torch; importing analysis must not load torch",
    ),
    (
        architecture.slow_imports,
        {"ablation/cli/a.py": "import ablation.sweep.b", "ablation/sweep/__init__.py": "import wandb"}
        | {"ablation/sweep/b.py": ""},
        "ablation/cli/a.py: loads ablation.sweep.b -> ablation.sweep -> wandb",
    ),
    (
        architecture.impure_statistics,
        {"analysis/statistics/a.py": "from pathlib import Path"},
        "analysis/statistics/a.py:1: imports pathlib.Path; statistics are functions of arrays",
    ),
    (
        architecture.unnamed_encodings,
        {"ablation/store/a.py": "from pathlib import Path\nPath('b').open('w')"},
        "ablation/store/a.py:2: open without an encoding",
    ),
    (
        architecture.unnamed_encodings,
        {"analysis/a.py": "def f(path): path.write_text('b')"},
        "analysis/a.py:1: write_text without an encoding",
    ),
    (
        architecture.long_files,
        {"ablation/cli/a.py": "\n" * 251},
        "ablation/cli/a.py: has 251 lines; at most 250",
    ),
    (architecture.long_files, {"ablation/agent/kernels.py": "\n" * 401}, "has 401 lines; at most 400"),
    (architecture.undocumented, {"ablation/cli/__init__.py": '"""TODO."""'}, "its docstring says TODO"),
    (
        architecture.undocumented,
        {"ablation/cli/a.py": "x = 1"},
        "ablation/cli/a.py: has no module docstring",
    ),
    (
        architecture.environment_writes,
        {"ablation/cli/a.py": "import os\nos.environ.setdefault('A', 'b')"},
        "ablation/cli/a.py:2: sets an environment variable on import; only entry points may",
    ),
]


@pytest.mark.parametrize(("check", "files", "message"), MADE_UP)
def test_a_breach_is_named_with_its_file_its_import_and_the_rule(
    check: Callable[[Tree], Iterator[str]], files: dict[str, str], message: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert message in failures(check, Tree(tmp_path))


@pytest.mark.parametrize(
    ("check", "files"),
    [
        (architecture.rising_imports, {"ablation/cli/a.py": "import analysis.b", "analysis/b.py": ""}),
        (architecture.slow_imports, {"ablation/cli/a.py": "def f():\n    import torch"}),
        (
            architecture.slow_imports,
            {
                "ablation/cli/a.py": "from typing import TYPE_CHECKING\n"
                "if TYPE_CHECKING:\n    import torch"
            },
        ),
        (architecture.environment_writes, {"ablation/__main__.py": "import os\nos.environ['A'] = 'b'"}),
        (architecture.long_files, {"ablation/agent/kernels.py": "\n" * 400}),
    ],
)
def test_what_is_allowed_passes(
    check: Callable[[Tree], Iterator[str]], files: dict[str, str], tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert not failures(check, Tree(tmp_path))


def test_a_test_that_imports_a_test_is_named(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("from .test_b import run")
    (tmp_path / "test_c.py").write_text("from . import helpers, test_b")
    named = list(architecture.tests_that_import_tests(tmp_path))
    assert [line.split(";")[0] for line in named] == [
        "test_a.py:1: imports test_b",
        "test_c.py:1: imports test_b",
    ]
