"""Writes stored runs as Stable-Baselines3 does: `evaluations.npz` and `monitor.csv` by run."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np

from ablation.results.load import StudyRuns
from ablation.results.outside.names import environment_keys
from ablation.results.outside.request import ImportRefused
from ablation.results.run import Run

DIGITS = 6
"""Decimals that Stable-Baselines3's Monitor keeps."""


def export_runs(runs: StudyRuns, output: Path) -> list[Path]:
    """Write every run that has data into `<arm>/<environment>_<seed>/`; return these directories.

    Names are made safe for files: `-` stands for other characters. A monitor's times are estimates from
    the mean speed of the run's job.
    """
    names = environment_keys(dict.fromkeys(arm.name for arm in runs.plan.arms))
    written = []
    for arm in runs.plan.arms:
        environment = re.sub(r"[^A-Za-z0-9.-]+", "-", arm.env_id)
        for run in runs.of_arm(arm):
            directory = output / names[arm.name] / f"{environment}_{run.key.seed}"
            if directory.exists():
                raise ImportRefused(f"{directory} exists already; export into an empty directory")
            directory.mkdir(parents=True)
            _write_evaluations(run, directory / "evaluations.npz")
            _write_monitor(run, arm.env_id, directory / "monitor.csv")
            written.append(directory)
    return written


def _write_evaluations(run: Run, path: Path) -> None:
    table = run.tables["evaluations"]
    steps, counts = np.unique(table["env_step"], return_counts=True)
    if not len(steps):
        return
    if len(set(counts.tolist())) > 1:
        raise ImportRefused(f"{path}: the evaluations of this run have unequal numbers of episodes")
    shape = (len(steps), int(counts[0]))
    lengths = table.get("episode_length", np.zeros(len(table["env_step"]), np.int64))
    results = table["episode_return"].reshape(shape)
    np.savez(path, timesteps=steps, results=results, ep_lengths=lengths.reshape(shape))


def _write_monitor(run: Run, env_id: str, path: Path) -> None:
    table = run.tables["episodes"]
    if not len(table["env_step"]) or "episode_length" not in table:
        return
    rate = run.record.steps_per_second or 1.0
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("#" + json.dumps({"t_start": 0.0, "env_id": env_id}) + "\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["r", "l", "t"])
        columns = (table[name].tolist() for name in ("episode_return", "episode_length", "env_step"))
        for value, length, step in zip(*columns, strict=True):
            writer.writerow([round(value, DIGITS), length, round(step / rate, DIGITS)])
