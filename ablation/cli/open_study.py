"""A study as a command names it: the plan of each of its stages, its settings and its store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.types import RunMode
from omegaconf import DictConfig

from ablation.cli.compose import CONFIG_NAME, CommandLine, Composer, plan_of, to_plain
from ablation.cli.config_errors import config_loader
from ablation.config.validation import ConfigError
from ablation.store.runs import Store
from ablation.study.history import stored_looks
from ablation.study.plan import Arm, Plan
from ablation.study.seeds import at_look
from ablation.study.tuning import with_waiting
from ablation.sweep.config import SweepConfig, parse_sweep_config
from ablation.sweep.stages import stages_of


@dataclass(frozen=True)
class OpenStudy:
    """The plans of a study's stages, the reported one last; `undecided` arms of it wait for tuning."""

    plans: list[Plan]
    undecided: list[Arm]
    settings: SweepConfig
    store: Store


def open_study(config_directory: str, arguments: Sequence[str]) -> OpenStudy:
    """Return the study of a command line in Hydra's syntax; raises `ConfigError` if it is refused."""
    with config_loader(config_directory) as loader:
        composer = Composer(loader)
        line = composer.read(arguments)
        config = loader.load_configuration(CONFIG_NAME, line.rest, RunMode.RUN)
        check_study_name(config, line)
        values = to_plain(config)
        composer.device = values["device"]
        settings = parse_sweep_config(values)
        check_stop(settings, line)
        plan = plan_of(composer, values["study"], line, values["size"], settings.results_dir)
        stages = stages_of(plan, composer.resolve)
        store = Store(settings.results_dir)
        choices = stages.choices(store)
        undecided, tuning = stages.undecided(choices), stages.tuning_plan(store)
        reported = with_waiting(stages.reported(choices), stages.plan, undecided)
        looks = stored_looks(store, reported) if settings.stop else None
        if looks is not None:
            reported = at_look(reported, looks, following=False)
    plans = [reported] if tuning is None else [tuning, reported]
    return OpenStudy(plans, undecided, settings, store)


def check_stop(settings: SweepConfig, line: CommandLine) -> None:
    """Raise `ConfigError` for a line that gives seeds by hand to a study that is to choose them."""
    if settings.stop is not None and "seeds" in line.study_keys:
        raise ConfigError("stop", settings.stop, "chooses the seeds: leave out study.seeds (SEEDS)")


def check_study_name(config: DictConfig, line: CommandLine) -> None:
    """Raise `ConfigError` for a study whose file is called otherwise, unless the line renames it.

    Results are found by the name, and the file by its own.
    """
    file, name = config.hydra.runtime.choices.study, config.study.get("name")
    if name != file.rpartition("/")[2] and "name" not in line.study_keys:
        raise ConfigError("study.name", name, f"its file is study/{file}.yaml: give both one name")
