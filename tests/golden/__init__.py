"""Golden files: what the code at hand must still give, cell names, plans and numbers.

`python -m tests.golden` prints the code's own values beside those that are kept, `--update` keeps them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
CONF = ROOT / "conf"
FOLDER = Path(__file__).parent


def kept(name: str) -> Any:
    """Return what a golden file holds."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def keep(name: str, values: Any) -> None:
    """Write a golden file."""
    (FOLDER / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n")
