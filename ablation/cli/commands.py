"""The commands that train nothing: `plan` and `status`, for people and with `--json` for machines."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.types import RunMode
from rich.table import Table

from ablation.cli.compose import CONFIG_NAME, Composer, plain, plan_of
from ablation.cli.config_errors import config_loader
from ablation.cli.console import announce, announce_choices, announce_undecided, console, failures
from ablation.cli.progress import duration
from ablation.store.runs import CORRUPT, FAILED, MISSING, RUNNING, Store
from ablation.study.plan import Arm
from ablation.study.tuning import with_waiting
from ablation.sweep.config import parse_sweep_config
from ablation.sweep.estimates.forecast import Forecast, forecast
from ablation.sweep.estimates.limits import machine_bytes
from ablation.sweep.scheduling import check_fit
from ablation.sweep.stages import stages_of

STATUSES = ("complete", RUNNING, FAILED, "diverged", MISSING, CORRUPT)


def show_plan(config_directory: str, arguments: Sequence[str]) -> None:
    """Print every cell of a study with its arm, what is done of it, its memory, and the time left.

    With `--calibrate`, measure speeds for a few seconds first. Refuses what memory would not hold.
    """
    looked = _look(config_directory, arguments)
    if "--calibrate" in arguments:
        for found in looked.stages:
            found.calibrate(looked.composer)
    if "--json" in arguments:
        print(json.dumps(looked.as_json(), indent=1))
    else:
        for found in looked.stages:
            announce(found.plan, found.inventory, found.changed)
            announce_choices(found.plan.choices)
            announce_undecided(looked.undecided_in(found), len(found.plan.study.seeds))
            _print_cells(found, {arm.cell for arm in looked.undecided_in(found)})
        if len(looked.stages) > 1:
            console.print(f"Both stages: {_time(looked.seconds)}")
    for found in looked.stages:
        check_fit(found.jobs, len(found.inventory.to_do), found.settings)


def show_status(config_directory: str, arguments: Sequence[str]) -> None:
    """Print how many runs of each arm have each status, and the errors of those that failed."""
    looked = _look(config_directory, arguments)
    if "--json" in arguments:
        print(json.dumps(looked.as_json(errors=True), indent=1))
        return
    for found in looked.stages:
        announce(found.plan, found.inventory, found.changed)
        waiting = looked.undecided_in(found)
        announce_undecided(waiting, len(found.plan.study.seeds))
        shown = [status for status in STATUSES if status in found.inventory.statuses.values()]
        shown = list(dict.fromkeys(["complete", *shown, MISSING]))
        table = _table(("arm", "environment"), shown)
        for arm in found.plan.arms:
            counts = Counter({MISSING: len(arm.seeds)}) if arm in waiting else found.counts(arm)
            table.add_row(arm.name, arm.env_id, *(str(counts[status]) for status in shown))
        console.print(table)
        for line in failures(found.inventory):
            if f"]{MISSING}[" not in line:
                console.print(line, soft_wrap=True)


COMMANDS: dict[str, Callable[[str, Sequence[str]], None]] = {
    "plan": show_plan,
    "status": show_status,
}


@dataclass(frozen=True)
class StudyForecast:
    """What a sweep would do in each stage of a study, the reported one last."""

    stages: list[Forecast]
    undecided: list[Arm]
    """The arms of the reported stage that wait for the tuning stage: they stand at their own level."""
    composer: Composer

    def undecided_in(self, found: Forecast) -> list[Arm]:
        """Return the arms that wait, for the stage that they belong to."""
        return self.undecided if found is self.stages[-1] else []

    @property
    def seconds(self) -> float | None:
        """Return the estimated time of all stages; None if one is not known."""
        times = [found.seconds for found in self.stages]
        return None if None in times else sum(time for time in times if time is not None)

    def as_json(self, errors: bool = False) -> dict[str, Any]:
        """Return the reported stage as plain values, with the one before it under `tuning`."""
        plain_stages = [found.as_json() | (_errors(found) if errors else {}) for found in self.stages]
        if len(plain_stages) == 1:
            return plain_stages[0]
        waiting = [{"arm": arm.name, "environment": arm.environment} for arm in self.undecided]
        return plain_stages[1] | {"tuning": plain_stages[0], "undecided": waiting}


def _errors(found: Forecast) -> dict[str, Any]:
    errors = found.inventory.errors | found.inventory.damage
    return {"errors": [{"cell": key.cell, "seed": key.seed, "error": e} for key, e in errors.items()]}


def _look(config_directory: str, arguments: Sequence[str]) -> StudyForecast:
    with config_loader(config_directory) as loader:
        composer = Composer(loader)
        line = composer.read([word for word in arguments if not word.startswith("-")])
        config = loader.load_configuration(CONFIG_NAME, line.rest, RunMode.RUN)
        values = plain(config)
        stages = stages_of(plan_of(composer, values["study"], line, values["size"]), composer)
        settings = parse_sweep_config(values)
        store = Store(settings.results_dir)
        choices = stages.choices(store)
        waiting = stages.undecided(choices)
        reported = with_waiting(stages.reported(choices), stages.plan, waiting)
        shown = [reported] if stages.tuning is None else [stages.tuning, reported]
        found = [forecast(plan, settings, store) for plan in shown]
    return StudyForecast(found, waiting, composer)


def _print_cells(found: Forecast, unknown: Collection[str]) -> None:
    """Print a stage's cells and what they take; `unknown` ones are those of another level."""
    numbers = ("complete", "to do", "to retry", "replay MB", "peak MB")
    table = _table(("arm", "environment", "cell"), numbers)
    for arm in found.plan.arms:
        new, again = found.due(arm)
        size = found.size(arm).size
        sizes = (f"{size.replay_bytes / 1e6:,.1f}", f"{size.peak_bytes / 1e6:,.0f}")
        if arm.cell in unknown:
            cell, counts = "known after tuning", ("", str(len(arm.seeds)), "")
        else:
            cell, counts = arm.cell, (str(found.counts(arm)["complete"]), str(new), str(again))
        table.add_row(arm.name, arm.env_id, cell, *counts, *sizes)
    console.print(table)
    left = found.failed_for_good
    if left:
        console.print(f"{left} failed runs have used up their attempts; retry=failed gives new ones")
    if found.jobs:
        console.print(
            f"{len(found.jobs)} jobs, {found.workers} at the same time: at most "
            f"{found.peak_bytes / 1e9:.1f} GB of memory (this machine has {machine_bytes() / 1e9:.1f})"
        )
        console.print(f"Time: {_time(found.seconds)}")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "nothing like it was measured here yet; make plan CALIBRATE=1 takes a few seconds"
    return f"about {duration(seconds)}, evaluations apart where only calibrated"


def _table(words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(box=None)
    for heading in (*words, *numbers):
        table.add_column(heading, justify="right" if heading in numbers else "left")
    return table
