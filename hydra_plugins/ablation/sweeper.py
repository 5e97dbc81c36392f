"""The sweeper: plans a study, launches what is missing, watches it, and reports."""

import logging
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

log = logging.getLogger(__name__)

ConfigStore.instance().store(
    group="hydra/sweeper",
    name="ablation",
    node={"_target_": "hydra_plugins.ablation.sweeper.AblationSweeper", "max_launches": 3},
    provider="ablation",
)


class AblationSweeper(Sweeper):
    """Expands the study into jobs, one cell and a block of seeds each, and skips complete runs."""

    def __init__(self, max_launches: int) -> None:
        self._max_launches = max_launches
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
        """Run the study to its end and exit with status 0 if all its runs are complete, else 1."""
        from ablation.ledger import take_stock
        from ablation.settings import parse_settings
        from ablation.store import Store, write_json
        from hydra_plugins.ablation import console
        from hydra_plugins.ablation.compose import Composer, plain, plan_of
        from hydra_plugins.ablation.jobs import jobs_of

        assert self._context is not None
        values = plain(self._config)
        composer = Composer(self._context.config_loader)
        line = composer.read(arguments)
        plan = plan_of(composer, values["study"], line)
        settings = parse_settings(values)
        store = Store(settings.results_dir)
        command = shlex.join(["python", "-m", "ablation", *arguments])
        write_json(store.study_directory(plan.study.name) / "plan.json", plan.as_json(command))

        ledger = take_stock(store, plan.runs())
        console.announce(plan, ledger)
        for attempt in range(self._max_launches):
            jobs = jobs_of(plan, ledger, settings)
            if not jobs:
                break
            if attempt:
                log.warning("Launching again the %d jobs that did not end.", len(jobs))
            returned = self._launch([job.words(line) for job in jobs], jobs, store)
            ledger = take_stock(store, plan.runs())
            if returned:
                break
        status = console.conclude(plan, ledger, store)
        sys.exit(status)

    def _launch(self, words: Sequence[Sequence[str]], jobs: Sequence[Any], store: Any) -> bool:
        """Run jobs to their end; return False if the launcher itself broke off."""
        from hydra_plugins.ablation.console import Progress

        assert self._launcher is not None
        with Progress(jobs, store):
            try:
                self._launcher.launch(words, initial_job_idx=0)
            except Exception as error:
                log.warning("The launcher broke off: %s", error)
                return False
        return True
