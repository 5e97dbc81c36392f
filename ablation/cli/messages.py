"""What a sweep prints: its plan, the choices of a tuning stage, and how it ended."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ablation.cli.terminal import console, plural
from ablation.config.program import command
from ablation.results.arithmetic import other_arithmetic
from ablation.store.run_record import FAILED, RUNNING
from ablation.store.runs import RunKey, Store
from ablation.study.history import PlanDiff
from ablation.study.plan import Arm, Choice, Merged, Plan
from ablation.sweep.interrupts import EXIT_STOPPED
from ablation.sweep.inventory import RunInventory
from ablation.sweep.result import SweepResult
from ablation.sweep.slurm_queue import SlurmSilent, as_line, cancel_command, left_behind


def print_unread_variables(results: Path, mode: str, project: str, entity: str | None) -> None:
    """Name variables of W&B's that say another thing than our settings, which count."""
    if told := os.environ.get("WANDB_DIR"):
        console.print(f"WANDB_DIR={told} is not read: {results / 'wandb'} counts", soft_wrap=True)
    ours = {"mode": mode, "project": project, "entity": entity}
    for key, value in ours.items():
        name = f"WANDB_{key.upper()}"
        if os.environ.get(name) and os.environ[name] != value:
            told = f"{name}={os.environ[name]}"
            console.print(
                f"{told} is not read: tracking.{key} = {value or 'null'} counts", soft_wrap=True
            )


def print_plan(
    plan: Plan, inventory: RunInventory, changed: PlanDiff | None = None, to: Console = console
) -> None:
    """Print the size of the study, its merged and pruned arms, and how much is left to train."""
    runs, in_plan = len(inventory.statuses), len(list(plan.runs()))
    to.print(
        Text.assemble("Study ", (plan.study.name, "bold"), ": ") + f"{plural(len(plan.arms), 'arm')} x "
        f"{plural(len(plan.study.seeds), 'seed')}, {plural(len(plan.cells), 'configuration')}, "
        f"{plural(in_plan, 'run')} (plan {plan.hash})"
        + (f"; {plural(runs, 'run')} selected by only" if runs != in_plan else "")
    )
    for line in _left_out(plan):
        to.print(f"  {line}", style="dim")
    if changed:
        to.print(_changes(changed))
    # Of a part of the plan it would not be known which group is the larger one.
    others = other_arithmetic(plan, inventory.arithmetic) if runs == in_plan else {}
    if others:
        to.print(
            f"{plural(len(others), 'run')} of other arithmetic, left out of tables: "
            "a sweep with retry=arithmetic trains them again"
        )
    if not inventory.to_do:
        all_runs = "1 run is" if runs == 1 else f"All {runs:,} runs are"
        to.print(f"{all_runs} complete: nothing to train.")
        return
    failed = len(inventory.with_status(FAILED))
    to.print(
        f"{runs - len(inventory.to_do)} complete, {len(inventory.to_do)} to train"
        + (f", {failed} of them failed before" if failed else "")
    )


def _left_out(plan: Plan) -> Iterator[str]:
    """Yield a line for each combination without runs of its own; with environments if not in all."""
    alike: dict[str, list[str]] = {}
    for merged in plan.merged:
        line = f"identical configuration (merged): {_merged(merged)}"
        alike.setdefault(line, []).append(merged.environment)
    for pruned in plan.pruned:
        alike.setdefault(f"pruned: {pruned.name}: {pruned.reason}", []).append(pruned.environment)
    for line, environments in alike.items():
        everywhere = set(environments) == set(plan.study.environments)
        yield line if everywhere else f"{line} ({', '.join(environments)})"


def _merged(merged: Merged) -> str:
    # A reason that names the other arm says no more than that both are equal.
    reason = "" if merged.into in merged.reason else f": {merged.reason}"
    return f"{merged.name} = {merged.into}{reason}"


def _changes(changed: PlanDiff) -> str:
    parts = []
    if changed.new_runs:
        cells = f" ({plural(len(changed.new_cells), 'further configuration')})"
        added = plural(changed.new_runs, "run")
        parts.append(f"{added} added{cells if changed.new_cells else ''}")
    if changed.dropped_runs:
        dropped = plural(changed.dropped_runs, "run")
        parts.append(f"{dropped} left out (kept where they are stored)")
    code = "".join(
        f"\n  code changed since: {arm}: {', '.join(paths)}; runs of the earlier code are kept"
        for arm, paths in changed.changed_code.items()
    )
    return f"Since the last sweep of this study (plan {changed.since}): {'; '.join(parts)}{code}"


def print_choices(choices: Sequence[Choice], to: Console = console) -> None:
    """Print which level of the tuned factor each arm has, and the means that it follows from."""
    for choice in choices:
        means = ", ".join(f"{level}: {_mean(mean)}" for level, mean in choice.means.items())
        n = sorted(set(choice.n.values()))
        seeds = "tuning seed" if n == [1] else "tuning seeds"
        sure = (
            ""
            if choice.certainty is None
            else f"; chosen in {100 * choice.certainty:.0f} % of resamples of the tuning seeds"
        )
        edge = "; at the edge of the levels tried" if choice.at_the_edge else ""
        if choice.widened:
            edge = f"; beyond the study's levels also tried: {', '.join(choice.widened)}{edge}"
        to.print(
            f"  chosen: {choice.factor}={choice.level} for {choice.arm} ({choice.environment}): mean "
            f"{choice.score} of {means}; n = {' to '.join(map(str, n))} {seeds}{sure}{edge}",
            soft_wrap=True,
        )


def print_undecided(arms: Sequence[Arm], seeds: int, to: Console = console) -> None:
    """Print which arms wait for tuning runs, and how many runs they will be."""
    if arms:
        names = "; ".join(f"{arm.name} ({arm.environment})" for arm in arms)
        wait, their = ("waits", "its") if len(arms) == 1 else ("wait", "their")
        to.print(
            f"  {plural(len(arms), 'arm')} x {plural(seeds, 'seed')} {wait} for tuning runs of {their} "
            f"own or of {their} baseline, which decide {their} configuration: {names}",
            soft_wrap=True,
        )


def _mean(mean: float | None) -> str:
    return "no score" if mean is None else f"{mean:.4g}"


def print_result(plan: Plan, result: SweepResult, store: Store, swept: str) -> int | None:
    """Name what did not complete, write the report, and return the exit status.

    `swept` is the command of the sweep. Returns None, and writes none, where jobs of a cluster go on.
    """
    inventory = result.inventory
    if result.stopped:
        left = plural(len(inventory.to_do), "run")
        console.print(f"Stopped with {left} left: the same command continues from here.")
        return EXIT_STOPPED
    if result.detached is not None:
        console.print(f"{result.detached}: they go on without this sweep.", soft_wrap=True)
        console.print(
            "The status command says how far they are; the same sweep, later, reports the study."
        )
        return None
    if result.given_up is not None:
        console.print(
            f"Not launched again: {result.given_up}; the same command goes on.", soft_wrap=True
        )
    if result.broken is not None:
        why = Text.assemble(("Nothing could be trained:", "red"), f" {result.broken}")
        console.print(why, soft_wrap=True)
    for line in failure_lines(inventory):
        console.print(line, soft_wrap=True)
    for line in diagnostic_lines(inventory):
        console.print(line, soft_wrap=True)
    if inventory.to_do:
        console.print(f"Logs: {store.root / 'jobs'}", soft_wrap=True)
    if inventory.with_status(FAILED):
        console.print(f"New attempts of failed runs: {swept} retry=failed", soft_wrap=True)
    tuning = any(arm.candidate_of for arm in plan.arms)
    failed = _report(plan, store, tuning)
    if not tuning and len(inventory.to_do) < len(inventory.statuses):
        compare, sync = command("compare", plan.study.name), command("sync")
        console.print(f"Next: open it in a browser; {compare}; {sync} (to W&B)", soft_wrap=True)
    return 1 if inventory.to_do or failed else 0


def _report(plan: Plan, store: Store, tuning: bool) -> Sequence[str]:
    """Write the report, say where it is, and return which figures failed.

    Of a tuning stage no table is printed: what it chose follows, and the table of the study itself.
    """
    from analysis.effects.comparability import ASPECTS
    from analysis.report.errors import FiguresFailed
    from analysis.report.report import write_report

    # The report says what differs between stored runs; that must not keep a sweep from ending well.
    failed: Sequence[str] = ()
    try:
        report = write_report(store.root, plan.study.name, allowed=ASPECTS, printed=not tuning)
    except FiguresFailed as error:
        report, failed = error.page, error.lines
    console.print(
        "\n".join([*failed, f"{'Tuning report' if tuning else 'Report'}: {report}"]), soft_wrap=True
    )
    return failed


def print_left_behind(store: Store) -> None:
    """Name Slurm jobs of earlier sweeps that are still queued or run, and the command that ends them."""
    try:
        names, jobs = left_behind(store)
    except SlurmSilent as error:
        console.print(f"Slurm jobs of earlier sweeps may be left: no answer ({error})", soft_wrap=True)
        return
    if jobs:
        command = shlex.join(cancel_command(names))
        logs = store.root / "jobs" / "slurm"
        console.print(f"Slurm jobs of earlier sweeps: {as_line(jobs)}", soft_wrap=True)
        console.print(f"They go on, logs: {logs}; `{command}` ends them.", soft_wrap=True)


def failure_lines(inventory: RunInventory, unless: str = RUNNING) -> Iterator[Text]:
    """Yield a line for each cell and status that did not complete: its seeds and the last error.

    Runs that are running, or have the status `unless`, are left out.
    """
    alike: dict[tuple[str, str], list[RunKey]] = {}
    for key in inventory.to_do:
        if inventory.statuses[key] not in (RUNNING, unless):
            alike.setdefault((key.cell, inventory.statuses[key]), []).append(key)
    for (cell, status), keys in alike.items():
        first = keys[0]
        error = inventory.errors.get(first) or inventory.damage.get(first) or "did not end"
        last_line = (error.strip().splitlines() or ["no message"])[-1]
        seeds = ("seed " if len(keys) == 1 else "seeds ") + ", ".join(str(key.seed) for key in keys)
        attempts = inventory.attempts.get(first, 0)
        after = f" after {attempts} attempts" if status == FAILED and attempts > 1 else ""
        yield Text.assemble((status, "red"), f" {cell} {seeds}{after}: {last_line}")


def diagnostic_lines(inventory: RunInventory) -> Iterator[Text]:
    """Yield a line for each configuration and diagnostic that failed while its runs were trained."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for key, failed in inventory.failed_diagnostics.items():
        for name, error in failed.items():
            seeds.setdefault((key.cell, f"{name} ({error})"), []).append(str(key.seed))
    for (cell, what), own in seeds.items():
        noun = "seeds" if own[1:] else "seed"
        yield Text(f"diagnostic missing: {what} in {cell} {noun} {', '.join(own)}")
