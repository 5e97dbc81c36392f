"""How a sweep is run, as against what it trains: none of this changes a run's numbers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ablation.config import ConfigError, Count, NonNegative, validate
from ablation.tracking import TrackingConfig

_SCHEMA = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_SCHEMA)
class LaunchConfig:
    """Concurrent jobs (-1: one for each core), seeds of a cell that train together, checkpoints."""

    jobs: Annotated[int, Field(ge=-1, strict=True)]
    lanes_per_job: Count
    checkpoint_seconds: NonNegative


@dataclass(frozen=True, config=_SCHEMA)
class Settings:
    """Device, results directory, tracking and launching of a sweep."""

    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")]
    results_dir: Path
    tracking: TrackingConfig
    launch: LaunchConfig


def parse_settings(values: Mapping[str, Any]) -> Settings:
    """Return the settings of a sweep, or raise `ConfigError`; tries the device and the directory."""
    known = {name: values[name] for name in ("device", "results_dir", "tracking", "launch")}
    settings = validate(Settings, known)
    if settings.launch.jobs == 0:
        raise ConfigError("launch.jobs", 0, "must be -1 (one for each core) or at least 1")
    if settings.device != "cpu":
        _check_cuda(settings.device)
    _check_writable(settings.results_dir)
    return settings


def _check_cuda(device: str) -> None:
    import torch

    index = int(device.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise ConfigError("device", device, f"PyTorch sees {found} CUDA devices here; use cpu")


def _check_writable(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError("results_dir", directory, f"cannot be written to ({reason})") from None
