"""How a sweep is run, as against what it trains: none of this changes a run's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ablation.config.validation import ConfigError, Count, NonNegative, Positive, Switch, validate
from ablation.store.disk import check_writable
from ablation.tracking import TrackingConfig

_SCHEMA = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_SCHEMA)
class LaunchConfig:
    """Concurrent workers (-1: one for each core), seeds that train together, what a job may take.

    `max_attempts` counts a run's tries, the first one included. `memory_gb` is what local workers share,
    None for all that this machine has; elsewhere it is what each worker has.
    """

    jobs: Annotated[int, Field(ge=-1, strict=True)]
    lanes_per_job: Count
    checkpoint_seconds: NonNegative
    max_attempts: Count
    timeout_minutes: Positive | None
    memory_gb: Positive | None
    here: Switch = True
    """Whether workers run on this machine, so that what it has is what they have."""


@dataclass(frozen=True, config=_SCHEMA)
class SweepConfig:
    """Device, results directory, tracking and launching of a sweep; which runs it is about.

    `retry` gives runs that used up their attempts new ones; `only` is an arm or a pattern of arms.
    """

    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")]
    results_dir: Path
    tracking: TrackingConfig
    launch: LaunchConfig
    retry: Literal["failed"] | None = None
    only: str | None = None


def parse_sweep_config(values: Mapping[str, Any]) -> SweepConfig:
    """Return the settings of a sweep, or raise `ConfigError`; touches neither device nor directory."""
    known = {name: values[name] for name in SweepConfig.__dataclass_fields__}
    settings = validate(SweepConfig, known)
    if settings.launch.jobs == 0:
        raise ConfigError("launch.jobs", 0, "must be -1 (one for each core) or at least 1")
    return settings


def check_machine(settings: SweepConfig) -> None:
    """Try the device and the results directory; raises `ConfigError` where one cannot be used."""
    if settings.device != "cpu" and settings.launch.here:
        _check_cuda(settings.device)
    _check_writable(settings.results_dir)


def _check_cuda(device: str) -> None:
    import torch

    index = int(device.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise ConfigError("device", device, f"PyTorch sees {found} CUDA devices here; use cpu")


def _check_writable(directory: Path) -> None:
    try:
        check_writable(directory)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError("results_dir", directory, f"cannot be written to ({reason})") from None
