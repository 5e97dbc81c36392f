"""How a sweep is run, not what it trains: nothing here changes a run's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ablation.config.validation import (
    ConfigError,
    Count,
    NonNegative,
    Positive,
    Steps,
    Switch,
    validate,
)
from ablation.store.disk import check_writable
from ablation.tracking import TrackingConfig

_SCHEMA = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_SCHEMA)
class SlurmOptions:
    """What `sbatch` is asked for, by submitit's names; None leaves it to Slurm.

    `executor` is `local` to run jobs as processes of this machine, without Slurm.
    """

    executor: Literal["slurm", "local"] = "slurm"
    timeout_min: Count = 240
    signal_delay_s: Count = 120
    cpus_per_task: Count = 1
    gpus_per_node: Steps | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    array_parallelism: Count | None = None
    setup: list[str] | None = None
    additional_parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, config=_SCHEMA)
class RayOptions:
    """The address of a Ray cluster (None: one is started here), and what each task is given."""

    address: str | None = "auto"
    num_cpus: NonNegative = 1
    num_gpus: NonNegative = 0
    max_retries: Steps = 3


@dataclass(frozen=True, config=_SCHEMA)
class LaunchConfig:
    """Where workers run, how many (`jobs`, -1: one per core), parallel seeds per job, limits of time
    and memory.

    `max_attempts` counts the first attempt of a run too. `memory_gb` is shared by local workers (None:
    all of this machine's); elsewhere each worker has it (None: what the largest job is planned to take).
    """

    jobs: Annotated[int, Field(ge=-1, strict=True)]
    lanes_per_job: Count
    checkpoint_seconds: NonNegative
    max_attempts: Count
    timeout_minutes: Positive | None
    memory_gb: Positive | None
    kind: Literal["local", "slurm", "ray"] = "local"
    detach: Switch = False
    """Whether the sweep ends once its Slurm jobs are submitted."""
    slurm: SlurmOptions = field(default_factory=SlurmOptions)
    ray: RayOptions = field(default_factory=RayOptions)

    @property
    def here(self) -> bool:
        """Return whether workers run on this machine and share its memory."""
        return self.kind == "local"


@dataclass(frozen=True, config=_SCHEMA)
class SweepConfig:
    """Device, results directory, tracking and launching of a sweep, and which arms it trains.

    `retry` gives runs that used up their attempts new ones (`failed`), or trains those again whose
    arithmetic is not that of most others (`arithmetic`); `only` is an arm or a pattern of arms. `stop`
    adds seeds at declared looks and stops arms that are decided, within so many `minutes`.
    """

    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")]
    results_dir: Path
    tracking: TrackingConfig
    launch: LaunchConfig
    retry: Literal["failed", "arithmetic"] | None = None
    only: str | None = None
    stop: Literal["resolved"] | None = None
    minutes: Positive | None = None


def parse_sweep_config(values: Mapping[str, Any]) -> SweepConfig:
    """Return the configuration of a sweep or raise `ConfigError`; makes and writes nothing."""
    known = {name: values[name] for name in SweepConfig.__dataclass_fields__ if name in values}
    config = validate(SweepConfig, known)
    given = config.results_dir.absolute()
    there = next(path for path in (given, *given.parents) if path.exists())
    if not there.is_dir():
        raise ConfigError("results_dir", config.results_dir, f"{there} is a file, not a directory")
    if config.launch.jobs == 0:
        raise ConfigError("launch.jobs", 0, "must be -1 (one for each core) or at least 1")
    if config.launch.detach and config.launch.kind != "slurm":
        raise ConfigError("launch.detach", True, "only jobs of launch=slurm go on without the sweep")
    if config.minutes is not None and config.stop is None:
        raise ConfigError("minutes", config.minutes, "goes with stop=resolved (STOP), or with plan")
    if config.stop is not None and config.only is not None:
        raise ConfigError("only", config.only, "cannot be combined with stop: all arms are looked at")
    if config.stop is not None and config.launch.detach:
        raise ConfigError("launch.detach", True, "cannot be combined with stop: looks need the runs")
    return config


def check_machine(config: SweepConfig) -> None:
    """Try the device and the results directory; raises `ConfigError` where one cannot be used."""
    if config.launch.here:
        check_device(config.device)
    _check_writable(config.results_dir)


def check_device(device: str) -> None:
    """Raise `ConfigError` for a device that this machine does not have."""
    if device == "cpu":
        return
    import torch

    index = int(device.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        available = torch.cuda.device_count()
        raise ConfigError("device", device, f"PyTorch sees {available} CUDA devices here; use cpu")


def _check_writable(directory: Path) -> None:
    try:
        check_writable(directory)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError("results_dir", directory, f"cannot be written to ({reason})") from None
