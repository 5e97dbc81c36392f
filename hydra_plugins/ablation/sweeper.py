"""The sweeper plugin: hands a study to `ablation.cli.sweep`. It must stay cheap to import."""

import sys
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
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
        self._launcher: Launcher | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what `sweep` needs and make the launcher."""
        self._config = config
        self._context = hydra_context
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Sweep the study; exit with status 0 if all runs are complete, else 1."""
        from ablation.cli.sweep import run_sweep

        assert self._context is not None
        assert self._launcher is not None
        sys.exit(run_sweep(self._context.config_loader, self._launcher, self._config, arguments))
