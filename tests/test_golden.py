"""Numbers change only together with `core_version`.

`golden.json` holds the hashes by core version and by the libraries'; `python -m tests.golden` prints
those of the code at hand.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ablation.config.identity import CORE_VERSION

from .golden import FILE, KINDS, releases


@pytest.mark.skipif(platform.machine() != "x86_64", reason="golden numbers are kept for x86-64")
def test_golden_runs_have_the_numbers_of_their_core_version() -> None:
    kept = json.loads(FILE.read_text())
    expected = kept.get(str(CORE_VERSION), {}).get(releases())
    if expected is None:
        pytest.skip(f"no golden numbers are kept for core {CORE_VERSION} with {releases()}")
    assert set(expected) == set(KINDS)
    command = [sys.executable, "-m", "tests.golden"]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {releases(): expected}


def test_the_present_core_version_has_golden_numbers() -> None:
    assert str(CORE_VERSION) in json.loads(FILE.read_text())
