"""Reads scalars of TensorBoard event files, as CleanRL and Stable-Baselines3 write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ablation.results.outside.request import ImportRefused, Kind, Request
from ablation.results.outside.rows import RowTable

TAGS: dict[str, Kind] = {"charts/episodic_return": "episodes", "eval/mean_reward": "evaluations"}
"""The scalars that are returns: CleanRL's training episodes; means of Stable-Baselines3's evaluations.

`rollout/ep_rew_mean` is a running mean over 100 episodes, so it counts only if it is named.
"""
INSTALL = "reading event files needs the package tensorboard: pip install 'replay-ablation[tensorboard]'"


def files_of_runs(files: Sequence[Path]) -> list[list[Path]]:
    """Return the event files of each run: a directory's, in the order of their names (times)."""
    groups: dict[Path, list[Path]] = defaultdict(list)
    for file in sorted(files):
        groups[file.parent].append(file)
    return list(groups.values())


def read_events(files: Sequence[Path], request: Request) -> RowTable:
    """Return the rows of a run's scalar; several values at one step are that step's episodes."""
    scalars: dict[str, list[tuple[int, float]]] = defaultdict(list)
    notes: list[str] = []
    for file in files:
        for tag, step, value in _scalars(file, request, notes):
            scalars[tag].append((step, value))
    tag = _tag(scalars, request, files[0])
    values = np.array(scalars[tag], float)
    steps = values[:, 0].astype(np.int64)
    columns = {"env_step": steps, "episode": np.arange(len(steps)), "episode_return": values[:, 1]}
    return RowTable(request.rows or TAGS.get(tag, "episodes"), {}, columns, tuple(notes))


def _tag(scalars: dict[str, Any], request: Request, file: Path) -> str:
    wanted = request.columns.get("episode_return")
    candidates = [wanted] if wanted else list(TAGS)
    for tag in candidates:
        if tag in scalars:
            return tag
    there = ", ".join(sorted(scalars)[:12]) or "none"
    raise ImportRefused(
        f"{file.parent} has no scalar {' or '.join(candidates)}; there are: {there}; name it with "
        "--columns episode_return=TAG"
    )


def _scalars(file: Path, request: Request, notes: list[str]) -> Iterator[tuple[str, int, float]]:
    try:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.util import tensor_util
    except ImportError:
        raise ImportRefused(INSTALL) from None
    for record in _records(file, request, notes):
        event = event_pb2.Event.FromString(record)
        for value in event.summary.value:
            if value.HasField("simple_value"):
                yield value.tag, event.step, value.simple_value
            elif value.HasField("tensor") and not value.tensor.tensor_shape.dim:
                array = tensor_util.make_ndarray(value.tensor)
                if array.dtype.kind in "fiu":
                    yield value.tag, event.step, float(array)


def _records(file: Path, request: Request, notes: list[str]) -> Iterator[bytes]:
    """Yield a file's records; TensorBoard's own loader ends at a damaged one without a word."""
    from tensorboard.compat.tensorflow_stub import errors
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    reader, count = PyRecordReader_New(str(file)), 0
    while True:
        try:
            reader.GetNext()
        except errors.OutOfRangeError:
            return
        except errors.DataLossError:
            text = f"{file} is damaged or cut short after {count} events"
            notes.append(request.read_until(text))
            return
        count += 1
        yield reader.record()
