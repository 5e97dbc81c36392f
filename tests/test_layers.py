"""Who may import whom, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FRAMEWORKS = {"hydra", "omegaconf", "wandb", "pandas"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield str(node.module)


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("part", ["replay", "agent", "envs"])
def test_the_parts_of_the_core_know_neither_frameworks_nor_each_other(part: str) -> None:
    others = {f"ablation.{other}" for other in ("replay", "agent", "envs") if other != part}
    for path in files(f"ablation/{part}"):
        for name in imports(path):
            assert name.split(".")[0] not in FRAMEWORKS, path
            assert ".".join(name.split(".")[:2]) not in others, path


def test_only_the_entry_point_knows_hydra_and_only_the_client_knows_wandb() -> None:
    for path in files("ablation"):
        tops = {name.split(".")[0] for name in imports(path)}
        if path.name != "__main__.py":
            assert not tops & {"hydra", "omegaconf", "hydra_plugins", "analysis"}, path
        if path.relative_to(ROOT).as_posix() != "ablation/tracking/client.py":
            assert "wandb" not in tops, path


def test_the_analysis_reads_the_store_and_nothing_of_the_training() -> None:
    allowed = {
        "ablation.store.runs",
        "ablation.study.plan",
        "ablation.sweep.inventory",
        "ablation.config.identity",
    }
    for path in files("analysis"):
        speaks_to_wandb = path.stem in ("mirror", "pull", "wandb_commands", "wandb_report")
        for name in imports(path):
            assert name.split(".")[0] not in {"torch", "gymnasium", "hydra", "omegaconf", "wandb"}, path
            if name.startswith("ablation.tracking") or name == "ablation.store.records":
                assert speaks_to_wandb, path
            elif name.startswith("ablation"):
                assert name in allowed, path
            if name.startswith("wandb_workspaces"):
                assert path.stem == "wandb_report", path


def test_statistics_are_functions_of_arrays() -> None:
    plain = {"__future__", "collections", "dataclasses", "itertools", "math", "typing"}
    for path in files("analysis/statistics"):
        for name in imports(path):
            own = name.startswith("analysis.statistics")
            assert own or name.split(".")[0] in plain | {"numpy", "scipy"}, path


def test_pure_modules_touch_no_disk_and_no_framework() -> None:
    for module in (
        "study",
        "study_file",
        "designs",
        "sizes",
        "tuning",
        "config",
        "clocks",
        "identity",
        "schedules",
        "memory",
    ):
        tops = {name.split(".")[0] for name in imports(ROOT / f"ablation/{module}.py")}
        assert not tops & (FRAMEWORKS | {"torch", "gymnasium", "pathlib", "os", "shutil"}), module
