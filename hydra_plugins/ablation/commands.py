"""The commands that train nothing, `plan` and `status`; and what to say of a refused one."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ablation.config import ConfigError
from ablation.ledger import Ledger, take_stock
from ablation.store import STATUSES, Store
from ablation.study import Plan
from hydra_plugins.ablation.compose import CONFIG_NAME, Composer, plain, plan_of


def show_plan(config_directory: str, arguments: Sequence[str]) -> None:
    """Print every cell of a study with its arm, what is done of it, and its replay memory."""
    from rich.table import Table

    from ablation.envs.spec import env_spec
    from ablation.memory import replay_bytes
    from hydra_plugins.ablation.console import announce, console

    plan, ledger, _ = _planned(config_directory, arguments)
    announce(plan, ledger)
    table = Table(box=None)
    for heading in ("arm", "environment", "cell", "complete", "to do", "replay MB"):
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left")
    for arm in plan.arms:
        to_do = sum(key.cell == arm.cell for key in ledger.to_do)
        seeds = len(plan.study.seeds)
        size = replay_bytes(plan.cells[arm.cell], env_spec(arm.env_id).observation_size, seeds)
        table.add_row(
            arm.name, arm.env_id, arm.cell, str(seeds - to_do), str(to_do), f"{size / 1e6:,.1f}"
        )
    console.print(table)


def show_status(config_directory: str, arguments: Sequence[str]) -> None:
    """Print how many runs of each arm are complete, failed, diverged or missing."""
    from rich.table import Table

    from hydra_plugins.ablation.console import announce, console

    plan, ledger, _ = _planned(config_directory, arguments)
    announce(plan, ledger)
    shown = [*(status for status in STATUSES if status != "running"), "missing"]
    table = Table(box=None)
    for heading in ("arm", "environment", *shown):
        table.add_column(heading, justify="right" if heading in shown else "left")
    for arm in plan.arms:
        counts = Counter(status for key, status in ledger.statuses.items() if key.cell == arm.cell)
        table.add_row(arm.name, arm.env_id, *(str(counts[status]) for status in shown))
    console.print(table)
    for key, error in ledger.errors.items():
        console.print(f"failed {key.cell} seed {key.seed}: {error.strip().splitlines()[-1]}")


COMMANDS: dict[str, Callable[[str, Sequence[str]], None]] = {
    "plan": show_plan,
    "status": show_status,
}
_NUMBERS = ("complete", "to do", "replay MB")


def explain(error: Exception, config_directory: str, arguments: Sequence[str]) -> str:
    """Return one line for an error of Hydra's: the wrong key, its value, what is allowed."""
    with config_loader(config_directory) as loader:
        parser = OverridesParser.create(config_loader=loader)
        known = loader.load_configuration(CONFIG_NAME, [], RunMode.RUN)
        for word in arguments:
            if word.startswith("-") or word in COMMANDS:
                continue
            try:
                override = parser.parse_override(word)
            except Exception as refused:
                return f"{word}: not an override ({_first_line(refused)}); write key=value"
            key = str(override.key_or_group)
            options = loader.get_group_options(key)
            if options:
                if not override.is_sweep_override() and override.value() not in options:
                    names = ", ".join(name for name in options if name != "base")
                    return str(ConfigError(key, override.value(), f"allowed: {names}"))
            elif (
                not override.is_hydra_override()
                and OmegaConf.select(known, key, default=_ABSENT) is _ABSENT
            ):
                return str(ConfigError(key, override.value(), _allowed_beside(known, key)))
    cause = error.__cause__
    return _first_line(error) + (f" ({_first_line(cause)})" if cause else "")


_ABSENT = object()


def _allowed_beside(known: DictConfig, key: str) -> str:
    parent, _, _ = key.rpartition(".")
    while parent and not OmegaConf.is_dict(OmegaConf.select(known, parent)):
        parent = parent.rpartition(".")[0]
    section = OmegaConf.select(known, parent) if parent else known
    prefix = f"{parent}." if parent else ""
    names = sorted(str(name) for name in section if name != "hydra")
    return f"unknown key; allowed here: {', '.join(prefix + name for name in names)}"


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _planned(config_directory: str, arguments: Sequence[str]) -> tuple[Plan, Ledger, Store]:
    with config_loader(config_directory) as loader:
        composer = Composer(loader)
        line = composer.read([word for word in arguments if not word.startswith("-")])
        config = loader.load_configuration(CONFIG_NAME, line.rest, RunMode.RUN)
        plan = plan_of(composer, plain(config)["study"], line)
    store = Store(Path(config.results_dir))
    return plan, take_stock(store, plan.runs()), store


@contextmanager
def config_loader(config_directory: str) -> Iterator[Any]:
    """Yield Hydra's configuration loader for a directory, outside of a Hydra application."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=config_directory, version_base="1.3"):
        yield GlobalHydra.instance().config_loader()
