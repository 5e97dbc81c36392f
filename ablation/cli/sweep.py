"""The sweep itself: plans a study, trains what is missing stage by stage, and reports."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from ablation.cli.compose import Composer, plan_of, to_plain
from ablation.cli.hydra_words import from_hydra
from ablation.cli.looks import LookByLook
from ablation.cli.messages import print_left_behind, print_plan, print_result, print_unread_variables
from ablation.cli.open_study import check_stop, check_study_name
from ablation.cli.progress import TerminalObserver
from ablation.cli.terminal import console
from ablation.config.program import command
from ablation.store.runs import Store
from ablation.study.history import plan_diff, save_plan, swept_meanwhile
from ablation.study.plan import Plan
from ablation.study.tuning import with_waiting
from ablation.sweep.config import check_machine, parse_sweep_config
from ablation.sweep.dispatcher import SweepDispatcher
from ablation.sweep.interrupts import EXIT_STOPPED
from ablation.sweep.launchers import launcher_of
from ablation.sweep.stages import stages_of, sweep


def run_sweep(loader: ConfigLoader, hydra_config: DictConfig, arguments: Sequence[str]) -> int:
    """Run a study's stages to their end; return 0 if all runs are complete, else 1 (130: stopped).

    Raises `ConfigError` before anything starts.
    """
    values = to_plain(hydra_config)
    arguments = [from_hydra(word) for word in arguments]
    composer = Composer(loader)
    composer.device = values["device"]
    line = composer.read(arguments)
    check_study_name(hydra_config, line)
    config = parse_sweep_config(values)
    check_stop(config, line)
    check_machine(config)
    workers = launcher_of(config.launch)
    plan = plan_of(composer, values["study"], line, values["size"], config.results_dir)
    stages = stages_of(plan, composer.resolve)
    tracking = config.tracking
    print_unread_variables(config.results_dir, tracking.mode, tracking.project, tracking.entity)
    store = Store(config.results_dir.absolute())
    swept = command("sweep", *(word for word in arguments if not word.startswith("retry=")))
    observer = TerminalObserver()
    print_left_behind(store)

    def train(stage: Plan) -> int | None:
        dispatcher = SweepDispatcher(stage, config, store, workers, observer)
        inventory = dispatcher.prepare()
        print_plan(stage, inventory, plan_diff(store, stage))
        save_plan(store, stage, shlex.join(["replay-ablation", "sweep", *arguments]))
        status = print_result(stage, dispatcher.run(), store, swept)
        said = swept_meanwhile(store, stage)
        # Stopped or detached, there is no report yet.
        if said is not None and status not in (None, EXIT_STOPPED):
            console.print(said, style="yellow", soft_wrap=True)
        return status

    report = LookByLook(config, store, train) if config.stop else None
    if report is not None:
        choices = stages.choices(store)
        waiting = stages.undecided(choices)
        planned = with_waiting(stages.reported(choices), stages.plan, waiting)
        report.require_time(stages.tuning_plan(store), planned)
    return sweep(stages, config, store, train, observer, report)
