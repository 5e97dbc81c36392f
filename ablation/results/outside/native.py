"""Copies complete runs of another results directory of this program, after checking what they say."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ablation.results.arithmetic import Arithmetic, arithmetic_of
from ablation.results.outside.names import STUDY, has_outside
from ablation.results.outside.request import ImportRefused
from ablation.store.files import read_json, write_json
from ablation.store.run_record import ENDED, RunRecord
from ablation.store.runs import RunKey, Store

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*-[0-9a-f]{12}")


def copy_runs(source: Path, store: Store) -> list[str]:
    """Copy the complete runs below a results directory into a store; return lines on what was done.

    Runs that are stored already stay. One that is damaged, or whose name, schema, checksums or
    arithmetic do not fit, is named and not copied. A study's plan is copied where there is none of
    its name.
    """
    other = Store(source)
    if not (source / "runs").is_dir():
        raise ImportRefused(f"{source}: no results directory (it has no 'runs')")
    counts: Counter[str] = Counter()
    arithmetic: dict[str, Arithmetic] = {}
    refused = []
    for key in other.run_keys():
        record = store.read_record(key)
        if record is not None and record.status in ENDED:
            counts["are stored already"] += 1
            continue
        why = reason_against(other, key) or _other_arithmetic(other, store, key, arithmetic)
        if why is not None:
            refused.append(f"not copied: {key.cell} seed {key.seed}: {why}")
            continue
        _copy(other.run_directory(key), store.run_directory(key))
        counts["copied"] += 1
    lines = [f"{counts['copied']} runs copied, {counts['are stored already']} are stored already"]
    return [*lines, *refused, *_copy_plans(other, store)]


def reason_against(other: Store, key: RunKey) -> str | None:
    """Return why a run of another store is not taken; None for one that is."""
    record, damage = other.inspect(key)
    if not NAME.fullmatch(key.cell):
        return "its directory is not named as a configuration is"
    if damage is not None or record is None:
        return damage or "it has no run.json"
    if record.status not in ENDED:
        return f"its status is {record.status}"
    if (record.cell, record.seed) != (key.cell, key.seed):
        return f"its record says {record.cell} seed {record.seed}"
    try:
        altered = other.altered_tables(key)
    except OSError as error:
        return f"its tables cannot be read: {error.strerror}"
    return f"{altered[0]} has another checksum than its record says" if altered else None


def _other_arithmetic(
    other: Store, store: Store, key: RunKey, known: dict[str, Arithmetic]
) -> str | None:
    """Return why a run would mix two arithmetics in its configuration; `known` has the stored ones."""
    theirs = arithmetic_of(other.read_record(key) or RunRecord())
    if key.cell not in known:
        seeds = (int(path.name) for path in store.run_directory(key).parent.glob("[0-9]*"))
        records = (store.read_record(RunKey(key.cell, seed)) for seed in seeds)
        ended = [record for record in records if record is not None and record.status in ENDED]
        known[key.cell] = arithmetic_of(ended[0]) if ended else theirs
    ours = known[key.cell]
    if theirs == ours:
        return None
    return (
        f"its arithmetic is {theirs.fingerprint or 'unknown'}, that of the stored runs "
        f"{ours.fingerprint or 'unknown'}: their numbers would differ"
    )


def _copy(source: Path, final: Path) -> None:
    """Copy a run as a whole: under its final name only when every file is there."""
    tmp = final.with_name(f".{final.name}.import")
    shutil.rmtree(tmp, ignore_errors=True)
    try:
        shutil.copytree(source, tmp)
        shutil.rmtree(final, ignore_errors=True)
        tmp.rename(final)
    except BaseException:
        shutil.rmtree(tmp, ignore_errors=True)
        raise


def _copy_plans(other: Store, store: Store) -> Iterator[str]:
    """Copy the plans of studies that the store has none of; yield a line for each that differs."""
    for path in sorted(other.root.glob("studies/*/plan.json")):
        name, values = path.parent.name, read_json(path)
        if not STUDY.fullmatch(name) or not isinstance(values, dict):
            continue
        if has_outside(values.get("cells", {})):
            yield f"study {name} not copied: it is an import; import its files here"
            continue
        ours = read_json(store.study_directory(name) / "plan.json")
        if ours is None:
            write_json(store.study_directory(name) / "plan.json", values)
            yield f"plan of study {name} copied"
        elif ours.get("hash") != values.get("hash"):
            yield f"study {name} has another plan there ({values.get('hash')}); ours stays"
