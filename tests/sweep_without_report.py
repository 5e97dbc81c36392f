"""`replay-ablation` without the report at the end of a sweep, for tests of what it trains.

Drawing takes longer than the few steps of such a test; `test_sweep.py` looks at reports.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ablation.__main__ import main


def write_report(root: Path, study: str, **_: Any) -> Path:
    """Stand in for the function of this name: write nothing."""
    return Path(root) / "studies" / study / "no report"


if __name__ == "__main__":
    # Not patched but replaced: importing the module alone takes a second.
    reports = ModuleType("analysis.report.report")
    reports.write_report = write_report  # type: ignore[attr-defined]
    sys.modules[reports.__name__] = reports
    sys.argv.insert(1, "sweep")
    main()
