"""Print what the code at hand has for a golden file: `python -m tests.golden NAME [--update]`.

NAME is a file of this folder: names, networks, plans, keys, changes, rows or record.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from ablation.config.identity import CORE_VERSION

from . import keep, kept, names, rows

NAMED = {"names": names.names, "plans": names.plans, "keys": names.keys, "changes": names.changes}
FILES = (*NAMED, "networks", "rows", "record")


def made(name: str) -> Any:
    """Return what a golden file would hold if the code at hand were right."""
    if name == "rows":
        return rows.hashes()
    if name == "record":
        return rows.record()
    with names.configurations() as found:
        return NAMED[name](found) if name in NAMED else _networks(found)


def updated(name: str, values: Any) -> Any:
    """Return values in the form of their file; rows of other core versions and libraries stay."""
    if name != "rows":
        return values
    file = kept(name)
    cells = file.setdefault(str(CORE_VERSION), {})
    for cell, hashes in values.items():
        cells[cell] = cells.get(cell, {}) | hashes
    return file


def _networks(found: names.Configurations) -> Any:
    values = kept("networks")
    for env in found.options["env"]:
        extra = names.missing_extra(found, env)
        if extra:
            print(f"{env} is left as it is: it {extra}", file=sys.stderr)
        else:
            values[env] = names.networks(found, env)
    return values


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("name", choices=FILES)
    parser.add_argument("--update", action="store_true", help="write the file")
    given = parser.parse_args()
    missing = {name: value for name, value in rows.KERNELS.items() if os.environ.get(name) != value}
    if missing and given.name == "rows":
        # The libraries read these once, where they are imported.
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.golden", *sys.argv[1:]], os.environ | missing
        )
    values = made(given.name)
    if given.update:
        keep(given.name, updated(given.name, values))
    else:
        print(json.dumps(values, indent=1))
