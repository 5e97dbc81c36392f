"""A user's code is part of a configuration's identity by its syntax trees; nothing of it is run."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from ablation.config.source import check_component, fingerprints, source_hashes
from ablation.config.validation import ConfigError
from ablation.store.runs import Store
from ablation.study.expand import expand
from ablation.study.history import plan_diff, save_plan
from ablation.study.plan import Plan

from .analysis_helpers import resolve
from .studies import study

SAMPLER = "my_lab.samplers:Recency"
FILES = {
    "my_lab/__init__.py": "raise RuntimeError('imported')\n",
    "my_lab/samplers.py": (
        "from .trees import Tree\nimport numpy\n\nclass Recency:\n    '''Old.'''\n    decay = 1\n"
    ),
    "my_lab/trees.py": "import my_lab.deep.sums as sums\nTree = 1\n",
    "my_lab/deep/sums.py": "TOTAL = 1\n",
    "my_lab/unrelated.py": "x = 1\n",
    "my_lab/envs.py": (
        "from gymnasium import register\nregister(id='Maze-v0', entry_point='my_lab.maze:Maze')\n"
    ),
    "my_lab/maze.py": "class Maze:\n    pass\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def digest(path: str = SAMPLER) -> str:
    return source_hashes({"kind": path})[path]


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_nothing_is_imported(project: Path) -> None:
    digest()
    check_component("replay.kind", SAMPLER)
    assert "my_lab" not in sys.modules
    with pytest.raises(RuntimeError, match="imported"):
        importlib.import_module("my_lab.samplers")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("samplers", "'''Old.'''", "'''New.'''"),
        ("samplers", "decay = 1", "decay  =  1  # a comment\n\n"),
        ("samplers", "    '''Old.'''\n", ""),
        ("unrelated", "x = 1", "x = 2"),
    ],
)
def test_text_that_changes_no_number_changes_no_hash(
    project: Path, file: str, old: str, new: str
) -> None:
    before = digest()
    change(project / f"my_lab/{file}.py", old, new)
    assert digest() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("__init__", "imported", "loaded"),
        ("samplers", "decay = 1", "decay = 2"),
        ("samplers", "decay = 1", "decay = '1'"),
        ("trees", "Tree = 1", "Tree = 2"),
        ("deep/sums", "TOTAL = 1", "TOTAL = None"),
    ],
)
def test_code_changes_the_hash_wherever_in_the_project_it_is_imported_from(
    project: Path, file: str, old: str, new: str
) -> None:
    before = digest()
    change(project / f"my_lab/{file}.py", old, new)
    assert digest() != before


def test_a_project_without_init_files_is_read_too(project: Path) -> None:
    (project / "my_lab/__init__.py").unlink()
    before = digest()
    change(project / "my_lab/deep/sums.py", "TOTAL = 1", "TOTAL = 2")
    assert digest() != before


def test_an_entry_point_given_as_text_is_followed(project: Path) -> None:
    before = digest("my_lab.envs:Maze-v0")
    change(project / "my_lab/maze.py", "pass", "size = 3")
    assert digest("my_lab.envs:Maze-v0") != before


def test_installed_packages_and_this_program_are_recorded_by_version_and_have_no_hash() -> None:
    values = {"a": ["gymnasium.wrappers:FlattenObservation"], "b": "ablation.replay.build:uniform"}
    assert source_hashes(values) == {}
    recorded = fingerprints(values)
    assert recorded["gymnasium.wrappers:FlattenObservation"].startswith("gymnasium ")


def test_text_that_only_looks_like_an_import_path_counts_as_text() -> None:
    assert fingerprints({"map": "left:right", "url": "http://x", "ratio": "1:2"}) == {}


def test_a_recorded_component_of_a_project_has_its_hash(project: Path) -> None:
    assert fingerprints([SAMPLER]) == {SAMPLER: f"source {digest()}"}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("my_lab.sampler:Recency", "no module my_lab.sampler on the Python path"),
        ("my_lab.samplers:Recenzy", "did you mean Recency"),
        ("my_lab.samplers:Other", "it defines: Recency, Tree, numpy"),
    ],
)
def test_what_is_not_there_is_refused(project: Path, path: str, allowed: str) -> None:
    with pytest.raises(ConfigError, match=allowed) as refused:
        check_component("replay.kind", path)
    assert refused.value.key == "replay.kind"


def test_a_syntax_error_is_named_with_file_and_line(project: Path) -> None:
    (project / "my_lab/trees.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(ConfigError, match=r"trees\.py, line 2: invalid syntax"):
        digest()


def test_changed_code_is_another_configuration_named_by_its_arm(project: Path, tmp_path: Path) -> None:
    def plan() -> Plan:
        factors = {"kind": {"key": "replay.kind", "levels": ["uniform", "none"]}}
        return expand(study(factors=factors, environments=["CartPole-v1", env]), resolve)

    store, env = Store(tmp_path / "results"), "my_lab.envs:Maze-v0"
    first = plan()
    save_plan(store, first, "first")
    change(project / "my_lab/maze.py", "pass", "size = 3")
    changed = plan_diff(store, plan())
    assert changed is not None
    assert changed.changed_code == {f"{name} ({env})": [env] for name in ("baseline", "kind=none")}
    assert len(changed.new_cells) == 2
