"""Reads what Stable-Baselines3 writes: `evaluations.npz` and `monitor.csv`, as rl-zoo3 lays them out."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.results.outside.request import ImportRefused, Request
from ablation.results.outside.rows import Labels, RowTable

_RANKED = re.compile(r"([0-9]+\.)?monitor\.csv")
"""Monitors of the parallel environments of one run, in its directory; any other name is a run's own."""

_FACTS = ("seed", "algo", "env", "n_timesteps")


def read_evaluations(path: Path, request: Request) -> RowTable:
    """Return the episodes of `evaluations.npz`: `results [T, episodes]` at `timesteps [T]`."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            steps, returns, lengths = (
                np.asarray(arrays[n]) for n in ("timesteps", "results", "ep_lengths")
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        # NumPy takes what is no archive for a pickle, and advises to trust it.
        text = "no NumPy archive" if "pickle" in str(error) else " ".join(str(error).split())
        raise ImportRefused(f"{path} is no evaluations.npz: {text}") from None
    if returns.ndim != 2 or returns.shape != lengths.shape or len(steps) != len(returns):
        raise ImportRefused(f"{path}: timesteps {steps.shape}, results {returns.shape} and ep_lengths "
                            f"{lengths.shape} do not fit together")  # fmt: skip
    episodes = returns.shape[1]
    columns = {
        "env_step": np.repeat(steps.astype(np.int64), episodes),
        "episode": np.tile(np.arange(episodes), len(steps)),
        "episode_return": returns.reshape(-1).astype(np.float64),
        "episode_length": lengths.reshape(-1).astype(np.int64),
    }
    return RowTable(request.rows or "evaluations", {}, columns)


def monitors_of_runs(files: Sequence[Path]) -> list[list[Path]]:
    """Return the monitor files of each run: those of parallel environments lie in one directory."""
    groups: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        groups[file.parent if _RANKED.fullmatch(file.name) else file].append(file)
    return list(groups.values())


def monitor_path(file: Path) -> str:
    """Return what names the run of a monitor file: its directory, or the file's own stem."""
    if _RANKED.fullmatch(file.name):
        return file.parent.as_posix()
    return file.as_posix().removesuffix(".csv").removesuffix(".monitor").removesuffix("_monitor")


def read_monitors(files: Sequence[Path], request: Request) -> RowTable:
    """Return the training episodes of a run's monitors, in the order of their last steps.

    An episode's step is the steps of its environment until its end, times the number of environments.
    """
    notes: list[str] = []
    parts = [_read_monitor(file, request, notes) for file in files]
    env_ids = {env_id for env_id, *_ in parts}
    if len(env_ids) > 1:
        raise ImportRefused(f"{files[0].parent}: monitors of {' and '.join(sorted(env_ids))} in one run")
    (env_id,) = env_ids
    returns, lengths, steps, times = (np.concatenate([part[at] for part in parts]) for at in range(1, 5))
    steps *= len(parts)
    # Parallel environments step together: their episodes are in the order of their steps.
    order = np.lexsort([times, steps]) if len(parts) > 1 else np.arange(len(times))
    columns = {
        "env_step": steps[order],
        "episode": np.arange(len(order)),
        "episode_return": returns[order],
        "episode_length": lengths[order],
    }
    labels = {"environment": Labels.constant(env_id, len(order))} if env_id else {}
    return RowTable(request.rows or "episodes", labels, columns, tuple(notes))


Part = tuple[str, NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def _read_monitor(path: Path, request: Request, notes: list[str]) -> Part:
    """Return a monitor's environment id ("" if unknown), and returns, lengths, steps and times."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        first = file.readline()
        try:
            header = json.loads(first.removeprefix("#")) if first.startswith("#") else None
        except ValueError:
            header = None
        if not isinstance(header, dict):
            raise ImportRefused(f"{path} is no monitor.csv: its first line is no '#{{...}}'")
        rows = csv.DictReader(file)
        lacking = {"r", "l", "t"} - set(rows.fieldnames or ())
        if lacking:
            raise ImportRefused(f"{path} has no column {', '.join(sorted(lacking))}")
        values = np.array(list(_episodes(rows, path, request, notes))).reshape(-1, 3)
    if not len(values):
        raise ImportRefused(f"{path} has no episodes")
    lengths = values[:, 1].astype(np.int64)
    started = float(header.get("t_start") or 0)
    return (
        str(header.get("env_id") or ""),
        values[:, 0],
        lengths,
        np.cumsum(lengths),
        started + values[:, 2],
    )


def _episodes(
    rows: csv.DictReader[str], path: Path, request: Request, notes: list[str]
) -> Iterator[tuple[float, float, float]]:
    """Yield return, length and time of each episode; a killed run's last line may be cut short."""
    for row in rows:
        try:
            values = float(row["r"]), float(row["l"]), float(row["t"])
            if not values[1].is_integer() or values[1] < 0:
                raise ValueError
        except (TypeError, ValueError):
            given = ",".join(str(row[name]) for name in ("r", "l", "t") if row[name] is not None)
            text = f"{path}, line {rows.line_num + 1}: r,l,t is '{given}': damaged or cut short"
            notes.append(request.read_until(text))
            return
        yield values


def zoo_facts(file: Path) -> dict[str, str]:
    """Return what rl-zoo3's `args.yml` beside a run says: seed, algorithm, environment."""
    facts: dict[str, str] = {}
    for args in sorted(file.parent.glob("*/args.yml")):
        # A dump of a Python object, which no safe YAML reader takes.
        pairs = re.findall(
            r"- - (\w+)\n\s+- ([^\n]*)", args.read_text(encoding="utf-8", errors="replace")
        )
        facts |= {key: value.strip("'\"") for key, value in pairs if key in _FACTS}
    return facts
