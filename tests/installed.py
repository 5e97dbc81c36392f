"""The wheel, built from a copy of the sources and installed into an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("ablation", "analysis", "hydra_plugins", "conf", "examples", "replay_ablation.py")
FILES = ("pyproject.toml", "README.md", "LICENSE")


def build_wheel(directory: Path) -> Path:
    """Return the wheel of the sources as they are; nothing is built inside of the checkout."""
    copy = directory / "sources"
    for name in (*PARTS, *FILES):
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy(ROOT / name, copy / name)
    _pip("wheel", str(copy), "--no-deps", "--no-build-isolation", "--wheel-dir", str(directory))
    (wheel,) = directory.glob("*.whl")
    return wheel


def install(wheel: Path, directory: Path) -> Path:
    """Return the programs of a new environment with the wheel and the libraries of this one."""
    venv.create(directory, with_pip=False, symlinks=True)
    (packages,) = directory.glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if Path(path).name == "site-packages"]
    # Lines of such a file are put on the path without the editable installations of those directories.
    (packages / "libraries.pth").write_text("\n".join(libraries))
    python = directory / "bin/python"
    _pip("--python", str(python), "install", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
    return directory / "bin"


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
