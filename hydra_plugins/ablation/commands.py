"""The commands that train nothing: `plan` and `status`, for people and with `--json` for machines."""

import json
from collections.abc import Callable, Sequence

from hydra.types import RunMode
from rich.table import Table

from ablation.capacity import machine_bytes
from ablation.ledger import CORRUPT, FAILED, MISSING, RUNNING
from ablation.settings import parse_settings
from ablation.store import Store
from hydra_plugins.ablation.compose import CONFIG_NAME, Composer, plain, plan_of
from hydra_plugins.ablation.console import announce, console, duration, failures
from hydra_plugins.ablation.explain import config_loader
from hydra_plugins.ablation.jobs import check_fit
from hydra_plugins.ablation.outlook import Outlook, outlook

STATUSES = ("complete", RUNNING, FAILED, "diverged", MISSING, CORRUPT)


def show_plan(config_directory: str, arguments: Sequence[str]) -> None:
    """Print every cell of a study with its arm, what is done of it, its memory, and the time left.

    With `--calibrate`, measure speeds for a few seconds first. Refuses what memory would not hold.
    """
    found, composer = _look(config_directory, arguments)
    if "--calibrate" in arguments:
        found.calibrate(composer)
    if "--json" in arguments:
        print(json.dumps(found.as_json(), indent=1))
    else:
        _print_plan(found)
    check_fit(found.jobs, len(found.ledger.to_do), found.settings)


def show_status(config_directory: str, arguments: Sequence[str]) -> None:
    """Print how many runs of each arm have each status, and the errors of those that failed."""
    found, _ = _look(config_directory, arguments)
    if "--json" in arguments:
        errors = found.ledger.errors | found.ledger.damage
        named = [{"cell": key.cell, "seed": key.seed, "error": e} for key, e in errors.items()]
        print(json.dumps(found.as_json() | {"errors": named}, indent=1))
        return
    announce(found.plan, found.ledger, found.changed)
    shown = [status for status in STATUSES if status in found.ledger.statuses.values()]
    shown = list(dict.fromkeys(["complete", *shown, MISSING]))
    table = _table(("arm", "environment"), shown)
    for arm in found.plan.arms:
        counts = found.counts(arm)
        table.add_row(arm.name, arm.env_id, *(str(counts[status]) for status in shown))
    console.print(table)
    for line in failures(found.ledger):
        if f"]{MISSING}[" not in line:
            console.print(line, soft_wrap=True)


COMMANDS: dict[str, Callable[[str, Sequence[str]], None]] = {
    "plan": show_plan,
    "status": show_status,
}


def _look(config_directory: str, arguments: Sequence[str]) -> tuple[Outlook, Composer]:
    with config_loader(config_directory) as loader:
        composer = Composer(loader)
        line = composer.read([word for word in arguments if not word.startswith("-")])
        config = loader.load_configuration(CONFIG_NAME, line.rest, RunMode.RUN)
        values = plain(config)
        plan = plan_of(composer, values["study"], line)
        settings = parse_settings(values)
        found = outlook(plan, settings, Store(settings.results_dir))
    return found, composer


def _print_plan(found: Outlook) -> None:
    announce(found.plan, found.ledger, found.changed)
    numbers = ("complete", "to do", "to retry", "replay MB", "peak MB")
    table = _table(("arm", "environment", "cell"), numbers)
    for arm in found.plan.arms:
        new, again = found.due(arm)
        size = found.size(arm).size
        sizes = (f"{size.replay_bytes / 1e6:,.1f}", f"{size.peak_bytes / 1e6:,.0f}")
        done = str(found.counts(arm)["complete"])
        table.add_row(arm.name, arm.env_id, arm.cell, done, str(new), str(again), *sizes)
    console.print(table)
    left = found.failed_for_good
    if left:
        console.print(f"{left} failed runs have used up their attempts; retry=failed gives new ones")
    if found.jobs:
        console.print(
            f"{len(found.jobs)} jobs, {found.workers} at the same time: at most "
            f"{found.peak_bytes / 1e9:.1f} GB of memory (this machine has {machine_bytes() / 1e9:.1f})"
        )
        console.print(_time(found))


def _time(found: Outlook) -> str:
    if found.seconds is None:
        return "Time: nothing like it was measured here yet; make plan CALIBRATE=1 takes a few seconds"
    return f"Time: about {duration(found.seconds)}, evaluations apart where only calibrated"


def _table(words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(box=None)
    for heading in (*words, *numbers):
        table.add_column(heading, justify="right" if heading in numbers else "left")
    return table
