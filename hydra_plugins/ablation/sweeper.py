"""The sweeper plugin: hands a study to `ablation.cli.sweep`. It must stay cheap to import."""

import sys
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

ConfigStore.instance().store(
    group="hydra/sweeper",
    name="ablation",
    node={"_target_": "hydra_plugins.ablation.sweeper.AblationSweeper"},
    provider="ablation",
)


class AblationSweeper(Sweeper):
    """Expands a study into jobs (some seeds of one configuration each) that workers train."""

    def __init__(self) -> None:
        self._config: DictConfig = OmegaConf.create()
        self._context: HydraContext | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what `sweep` needs; workers are started by launchers of our own."""
        del task_function
        self._config = config
        self._context = hydra_context

    def sweep(self, arguments: list[str]) -> Any:
        """Sweep the study; exit with status 0 if all runs are complete, else 1."""
        from ablation.cli.sweep import run_sweep

        assert self._context is not None
        sys.exit(run_sweep(self._context.config_loader, self._config, arguments))
