"""Installed packages name their components by entry points; a name is resolved to its import path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ablation.config.entry_points import _declared, with_import_paths

DECLARED = """
[replay_ablation.samplers]
recency = my_lab.samplers:Recency
uniform = my_lab.samplers:Other

[replay_ablation.agents]
dueling = my_lab.networks:Dueling

[replay_ablation.envs]
Maze-v0 = my_lab.mazes
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the metadata of a package on the path."""
    information = tmp_path / "my_lab-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-lab\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(DECLARED)
    monkeypatch.syspath_prepend(str(tmp_path))
    _declared.cache_clear()
    yield
    _declared.cache_clear()


def test_names_of_installed_packages_stand_for_import_paths() -> None:
    values = {"env": {"id": "Maze-v0"}, "replay": {"kind": "recency"}, "agent": {"network": "dueling"}}
    assert with_import_paths(values) == {
        "env": {"id": "my_lab.mazes:Maze-v0"},
        "replay": {"kind": "my_lab.samplers:Recency"},
        "agent": {"network": "my_lab.networks:Dueling"},
    }
    assert values["replay"] == {"kind": "recency"}


def test_names_of_ours_and_import_paths_stay() -> None:
    values = {"env": {"id": "CartPole-v1"}, "replay": {"kind": "uniform", "eviction": "my_lab:Rule"}}
    assert with_import_paths(values) == values
