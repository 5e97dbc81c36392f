"""The sweeper: plans a study, trains what is missing, and reports."""

import shlex
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
    """Expands the study into jobs, one cell and a block of seeds each, for workers to train."""

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
        """Run the study's stages to their end; exit with status 0 if all runs are complete, else 1."""
        from ablation.cli import console
        from ablation.cli.compose import Composer, plain, plan_of
        from ablation.store.runs import Store
        from ablation.study.history import plan_diff, save_plan
        from ablation.study.plan import Plan
        from ablation.sweep.config import check_machine, parse_sweep_config
        from ablation.sweep.dispatcher import SweepDispatcher
        from ablation.sweep.stages import stages_of, sweep

        assert self._context is not None
        assert self._launcher is not None
        values = plain(self._config)
        composer = Composer(self._context.config_loader)
        line = composer.read(arguments)
        plan = plan_of(composer, values["study"], line, values["size"])
        stages = stages_of(plan, composer)
        settings = parse_sweep_config(values)
        check_machine(settings)
        store = Store(settings.results_dir.absolute())

        def train(stage: Plan) -> int:
            engine = SweepDispatcher(stage, settings, store, composer, line.rest)
            inventory = engine.prepare()
            console.announce(stage, inventory, plan_diff(store, stage))
            save_plan(store, stage, shlex.join(["python", "-m", "ablation", *arguments]))
            assert self._launcher is not None
            return console.conclude(stage, engine.run(self._launcher), store)

        sys.exit(sweep(stages, settings, store, train))
