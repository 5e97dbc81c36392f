"""Copies complete runs of another results directory of this program, after checking what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ablation.config.validation import ConfigError
from ablation.results.arithmetic import Arithmetic, arithmetic_of
from ablation.results.integrity import damage_of, inspect
from ablation.results.outside.names import has_outside
from ablation.results.outside.request import ImportRefused
from ablation.store.files import read_json, write_json
from ablation.store.run_record import ENDED, RunRecord
from ablation.store.runs import RunKey, Store
from ablation.study.plan import plan_from_json


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
        store.copy_run(other.run_directory(key), key)
        counts["copied"] += 1
    lines = [f"{counts['copied']} runs copied, {counts['are stored already']} are stored already"]
    return [*lines, *refused, *_copy_plans(other, store)]


def reason_against(other: Store, key: RunKey) -> str | None:
    """Return why a run of another store is not taken; None for one that is."""
    record, _ = inspect(other, key)
    if record is not None and record.status not in ENDED:
        return f"its status is {record.status}"
    return damage_of(other, key)


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


def _copy_plans(other: Store, store: Store) -> Iterator[str]:
    """Copy the plans of studies that the store has none of; yield a line for each that differs."""
    for path in sorted(other.root.glob("studies/*/plan.json")):
        name, values = path.parent.name, read_json(path)
        try:
            plan = plan_from_json(values)
        except ConfigError as error:
            yield f"study {name!r} not copied: {error}"
            continue
        ours = store.study_directory(plan.study.name) / "plan.json"
        if has_outside(plan.cells):
            yield f"study {name!r} not copied: it is an import; import its files here"
        elif not ours.exists():
            write_json(store.inside(ours), values)
            yield f"plan of study {plan.study.name} copied"
        elif (read_json(ours) or {}).get("hash") != values["hash"]:
            yield f"study {plan.study.name} has another plan there ({values['hash']}); ours stays"
