"""The commands that train nothing: `plan` and `status`, for people and with `--json` for machines."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from ablation.cli.as_swept import as_swept
from ablation.cli.check import check
from ablation.cli.messages import (
    diagnostic_lines,
    failure_lines,
    print_choices,
    print_left_behind,
    print_plan,
    print_undecided,
)
from ablation.cli.notes import notes
from ablation.cli.open_study import OpenStudy, open_study
from ablation.cli.progress import clock
from ablation.cli.repair import repair
from ablation.cli.run_one import run_one
from ablation.cli.seed_plan import answer, forecasts, print_answers, seed_question
from ablation.cli.terminal import output, plural
from ablation.cli.verify import verify
from ablation.config.program import command
from ablation.config.training_path import why_not_portable
from ablation.results.arithmetic import OTHER_ARITHMETIC
from ablation.store.run_record import CORRUPT, FAILED, MISSING, RUNNING
from ablation.study.plan import Arm
from ablation.sweep.estimates.forecast import Forecast
from ablation.sweep.estimates.limits import machine_bytes
from ablation.sweep.scheduling import check_fit, worker_bytes
from analysis.tables.writers import plain_json

SHOWN_STATUSES = ("complete", RUNNING, FAILED, "diverged", OTHER_ARITHMETIC, MISSING, CORRUPT)


def show_plan(config_directory: str, arguments: Sequence[str]) -> None:
    """Print every configuration of a study with its arm, runs, memory, and the time left to train.

    With `--calibrate`, speeds are measured first. Instead, `power=` prints which effects the seeds can
    find, `minutes=` how many seeds fit. Raises `ConfigError` for what memory cannot hold.
    """
    question, words = seed_question(arguments)
    opened = open_study(config_directory, _without_flags(words))
    study = _forecasts(opened)
    if "--calibrate" in arguments:
        for stage in study.stages:
            stage.calibrate()
    answers = answer(opened, question)
    if "--json" in arguments:
        print(json.dumps(plain_json(study.as_json() | answers), indent=1))
    elif answers:
        print_answers(answers, question)
    else:
        _print_stages(study, command("plan", *words, "--calibrate"))
    for stage in study.stages:
        check_fit(stage.jobs, len(stage.inventory.to_do), stage.settings)


def show_status(config_directory: str, arguments: Sequence[str]) -> None:
    """Print how many runs of each arm have each status, and the errors of those that failed."""
    words = as_swept(config_directory, arguments)
    study = _forecasts(open_study(config_directory, _without_flags(words)))
    if "--json" in arguments:
        print(json.dumps(study.as_json(errors=True), indent=1))
        return
    for stage in study.stages:
        print_plan(stage.plan, stage.inventory, stage.changed, output)
        print_undecided(study.undecided_in(stage), len(stage.plan.study.seeds), output)
        present = {status for arm in stage.plan.arms for status in stage.counts(arm)}
        shown = [status for status in SHOWN_STATUSES if status in present]
        shown = list(dict.fromkeys(["complete", *shown, MISSING]))
        table = _table(("arm", "environment"), shown)
        for arm in stage.plan.arms:
            counts = stage.counts(arm)
            table.add_row(arm.name, arm.env_id, *(str(counts[status]) for status in shown))
        output.print(table)
        for line in failure_lines(stage.inventory, unless=MISSING):
            output.print(line, soft_wrap=True)
        for line in diagnostic_lines(stage.inventory):
            output.print(line, soft_wrap=True)
    print_left_behind(study.stages[0].store)


COMMANDS: dict[str, Callable[[str, Sequence[str]], int | None]] = {
    "plan": show_plan,
    "status": show_status,
    "run": run_one,
    "verify": verify,
    "check": check,
    "repair": repair,
}
"""Each returns its exit status, None for 0."""

FLAGS = {"plan": ("--json", "--calibrate"), "status": ("--json",)}
"""The options that are not keys of a configuration."""


@dataclass(frozen=True)
class StudyForecast:
    """What a sweep would do in each stage of a study, the reported one last."""

    stages: list[Forecast]
    undecided: list[Arm]
    """The arms of the reported stage whose level the tuning stage has not decided yet."""

    def undecided_in(self, stage: Forecast) -> list[Arm]:
        """Return the undecided arms of a stage."""
        return self.undecided if stage is self.stages[-1] else []

    @property
    def seconds(self) -> float | None:
        """Return the estimated time of all stages; None if one is not known."""
        times = [stage.seconds for stage in self.stages]
        return None if None in times else sum(time for time in times if time is not None)

    def as_json(self, errors: bool = False) -> dict[str, Any]:
        """Return the reported stage as plain values, with the one before it under `tuning`."""
        plain_stages = [stage.as_json() | (_errors(stage) if errors else {}) for stage in self.stages]
        if len(plain_stages) == 1:
            return plain_stages[0]
        waiting = [{"arm": arm.name, "environment": arm.environment} for arm in self.undecided]
        return plain_stages[1] | {"tuning": plain_stages[0], "undecided": waiting}


def _errors(stage: Forecast) -> dict[str, Any]:
    errors = stage.inventory.errors | stage.inventory.damage
    return {"errors": [{"cell": key.cell, "seed": key.seed, "error": e} for key, e in errors.items()]}


def _without_flags(arguments: Sequence[str]) -> list[str]:
    return [word for word in arguments if not word.startswith("-")]


def _forecasts(study: OpenStudy) -> StudyForecast:
    return StudyForecast(forecasts(study), study.undecided)


def _print_stages(study: StudyForecast, calibrate: str) -> None:
    """Print each stage of a study; `calibrate` is the command that measures speeds."""
    for stage in study.stages:
        print_plan(stage.plan, stage.inventory, stage.changed, output)
        print_choices(stage.plan.choices, output)
        print_undecided(study.undecided_in(stage), len(stage.plan.study.seeds), output)
        _print_cells(stage, {arm.cell for arm in study.undecided_in(stage)})
        if stage.jobs:
            output.print(f"Estimated time: {_time(stage.seconds, calibrate)}", soft_wrap=True)
    if len(study.stages) > 1 and all(stage.jobs for stage in study.stages):
        output.print(f"Estimated time of both stages: {_time(study.seconds, calibrate)}", soft_wrap=True)


def _print_cells(stage: Forecast, unknown: Collection[str]) -> None:
    """Print a stage's configurations and their memory; `unknown` cells wait for their level."""
    numbers = ("complete", "to do", "to retry", "buffer MB", "peak MB")
    table = _table(("arm", "environment", "configuration"), numbers)
    for arm in stage.plan.arms:
        new, again = stage.due(arm)
        size = stage.size(arm).size
        sizes = (f"{size.replay_bytes / 1e6:,.1f}", f"{size.peak_bytes / 1e6:,.0f}")
        cell = "known after tuning" if arm.cell in unknown else arm.cell
        counts = str(stage.counts(arm)["complete"]), str(new), str(again)
        table.add_row(arm.name, arm.env_id, cell, *counts, *sizes)
    output.print(table)
    _print_dependent(stage)
    for line in notes(stage.plan):
        output.print(line, soft_wrap=True)
    failed = stage.failed_for_good
    if failed:
        used = "has used up its" if failed == 1 else "have used up their"
        output.print(f"{plural(failed, 'failed run')} {used} attempts; retry=failed gives new ones")
    if stage.jobs:
        output.print(
            f"{plural(len(stage.jobs), 'job')}, {plural(stage.workers, 'worker')}: {_memory(stage)}"
        )


def _print_dependent(stage: Forecast) -> None:
    """Print which configurations have equal numbers only on one machine, and why."""
    reasons = [why_not_portable(cell.config) for cell in stage.plan.configured.values()]
    counts = Counter(reason for reason in reasons if reason is not None)
    if counts:
        listed = "; ".join(f"{plural(n, 'configuration')}: {why}" for why, n in counts.items())
        output.print(f"Equal numbers only on one machine with the same versions: {listed}")


def _memory(stage: Forecast) -> str:
    """Return how much memory is taken here, or asked for on a cluster."""
    if stage.settings.launch.here:
        taken, here = stage.peak_bytes / 1e9, machine_bytes() / 1e9
        return f"at most {taken:.1f} GB of memory (this machine has {here:.1f})"
    asked = worker_bytes(stage.jobs, stage.settings) / 1e9
    return f"{stage.settings.launch.kind} is asked for {asked:.2f} GB of memory for each"


def _time(seconds: float | None, calibrate: str) -> str:
    if seconds is None:
        return f"no timing data yet; measure for a few seconds: {calibrate}"
    return f"{clock(seconds)} (without evaluations where only calibrated)"


def _table(words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(box=None)
    for heading in (*words, *numbers):
        table.add_column(heading, justify="right" if heading in numbers else "left")
    return table
