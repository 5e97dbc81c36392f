"""What `pip install` brings: the program, its configuration and data, nothing under another's name."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from .installed import ROOT, build_wheel, install


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("installed"))


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    return subprocess.run(
        words, cwd=cwd, capture_output=True, text=True, check=False, timeout=300, env=environment
    )


def test_every_file_of_data_is_in_the_wheel(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    files = set()
    for link, place in (("conf", "conf"), ("template", "examples/project")):
        kept = [path for path in (ROOT / place).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        files |= {f"ablation/{link}/{path.relative_to(ROOT / place)}" for path in kept}
    for package in ("ablation", "analysis", "hydra_plugins"):
        kept = [path for path in (ROOT / package).rglob("*") if path.is_file()]
        files |= {str(path.relative_to(ROOT)) for path in kept if "__pycache__" not in path.parts}
    assert files <= packed
    top = {name.split("/")[0] for name in packed if ".dist-info" not in name}
    assert top == {"ablation", "analysis", "hydra_plugins", "replay_ablation.py"}


def test_the_list_of_commands_is_there_at_once(programs: Path, tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        done = run(programs / "replay-ablation", "--help", cwd=tmp_path)
        seconds.append(time.perf_counter() - began)
    assert done.returncode == 0, done.stderr
    assert "  sweep         train what is missing of a study" in done.stdout
    assert min(seconds) < 0.5


def test_an_empty_directory_is_enough_to_plan_and_to_report(programs: Path, tmp_path: Path) -> None:
    program = programs / "replay-ablation"
    plan = run(program, "plan", "study=replay", cwd=tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert "480 to train" in plan.stdout
    claims = run(program, "claims", cwd=tmp_path)
    assert claims.returncode == 0, claims.stderr
    assert (tmp_path / "results/claims/index.html").exists()
    where = (
        "import ablation, replay_ablation as ra; print(ablation.__file__, ra.load, ra.statistics.iqm)"
    )
    imported = run(programs / "python", "-c", where, cwd=tmp_path)
    assert imported.stdout.startswith(str(programs.parent)), imported.stderr


PAGE = (ROOT / "docs/your-project.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_commands_of_the_page_run_in_an_empty_directory_within_three_minutes(
    programs: Path, tmp_path: Path
) -> None:
    here, seconds = tmp_path, []
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL):
        began = time.perf_counter()
        for line in block.splitlines():
            program, *words = shlex.split(line)
            if program == "cd":
                here /= words[0]
                continue
            done = run(programs / program, *words, cwd=here)
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        seconds.append(time.perf_counter() - began)
    print(f"from nothing to a table: {seconds[0]:.0f} s")
    assert seconds[0] < 180
    assert "sampler=strong recency" in (here / "results/studies/sampling/report/table.csv").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    table = run(programs / "python", "-c", code, cwd=here / "tests")
    assert "sampler=strong recency" in table.stdout, table.stderr
