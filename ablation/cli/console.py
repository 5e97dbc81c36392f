"""What a sweep says: what it will do, how it goes on, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from ablation.store.runs import FAILED, RUNNING, RunKey, Store
from ablation.study.history import PlanDiff
from ablation.study.plan import Arm, Choice, Plan
from ablation.sweep.interrupts import EXIT_STOPPED
from ablation.sweep.inventory import RunInventory

if TYPE_CHECKING:
    from ablation.sweep.dispatcher import Swept

console = Console(stderr=True, highlight=False)
if not console.is_terminal:
    # Nothing to fit into: better long lines than cut ones.
    console = Console(stderr=True, highlight=False, width=160)


def announce(plan: Plan, inventory: RunInventory, changed: PlanDiff | None = None) -> None:
    """Print the size of the study, what is not an arm of it, and how much is already there."""
    runs, asked = len(inventory.statuses), len(list(plan.runs()))
    console.print(
        f"Study [bold]{plan.study.name}[/]: {len(plan.arms)} arms x {len(plan.study.seeds)} seeds, "
        f"{len(plan.cells)} cells, {asked} runs (plan {plan.hash})"
        + (f"; only {runs} of them are asked for" if runs != asked else "")
    )
    for merged in plan.merged:
        told = merged.into in merged.reason
        reason = merged.reason if told else f"into {merged.into}: {merged.reason}"
        console.print(f"  merged: {merged.name} {reason}", style="dim")
    for pruned in plan.pruned:
        console.print(f"  pruned: {pruned.name} ({pruned.environment}): {pruned.reason}", style="dim")
    if changed:
        console.print(
            f"Changed since the last sweep (plan {changed.since}): {changed.new_runs} runs in "
            f"{len(changed.new_cells)} new cells or with new seeds; {changed.dropped_runs} runs no "
            f"longer asked for, in {len(changed.dropped_cells)} cells that left (they are kept)"
        )
    if not inventory.to_do:
        console.print(f"All {runs} runs are complete: nothing to train.")
        return
    again = len(inventory.with_status(FAILED))
    console.print(
        f"{runs - len(inventory.to_do)} complete, {len(inventory.to_do)} to train"
        + (f", {again} of them failed before" if again else "")
    )


def announce_choices(choices: Sequence[Choice]) -> None:
    """Print which level of the tuned factor each arm has, and the means that it follows from."""
    for choice in choices:
        means = ", ".join(f"{level}: {_mean(mean)}" for level, mean in choice.means.items())
        n = sorted(set(choice.n.values()))
        edge = "; at the edge of the levels" if choice.at_the_edge else ""
        console.print(
            f"  chosen: {choice.factor}={choice.level} for {choice.arm} ({choice.environment}): mean "
            f"{choice.score} of {means}; n = {' to '.join(map(str, n))} tuning seeds{edge}",
            soft_wrap=True,
        )


def announce_undecided(arms: Sequence[Arm], seeds: int) -> None:
    """Print which arms wait for tuning runs, and how many runs they will be."""
    if arms:
        names = "; ".join(f"{arm.name} ({arm.environment})" for arm in arms)
        console.print(
            f"  {len(arms)} arms x {seeds} seeds wait for tuning runs of theirs or of their baseline, "
            f"which decide their cells: {names}",
            soft_wrap=True,
        )


def _mean(mean: float | None) -> str:
    return "no score" if mean is None else f"{mean:.4g}"


def conclude(plan: Plan, swept: Swept, store: Store) -> int:
    """Name what did not complete, write the report, and return the exit status."""
    from analysis.effects.comparability import ASPECTS
    from analysis.report.report import write_report

    inventory = swept.inventory
    if swept.stopped:
        left = len(inventory.to_do)
        console.print(f"Stopped; {left} runs are left: the same command goes on from here.")
        return EXIT_STOPPED
    if swept.broken is not None:
        console.print(f"[red]Nothing could be trained:[/] {swept.broken}", soft_wrap=True)
    for line in failures(inventory):
        console.print(line, soft_wrap=True)
    if inventory.to_do:
        console.print(f"Logs: {store.root / 'jobs'}", soft_wrap=True)
    if inventory.with_status(FAILED):
        console.print("RETRY=failed (retry=failed) gives failed runs new attempts.")
    # What differs between stored runs is said in the report; it must not keep a sweep from ending well.
    report = write_report(store.root, plan.study.name, allowed=ASPECTS)
    console.print(f"Report: {report}", soft_wrap=True)
    return 1 if inventory.to_do else 0


def failures(inventory: RunInventory) -> Iterator[str]:
    """Yield a line for each cell and status that did not complete: its seeds and the last error."""
    alike: dict[tuple[str, str], list[RunKey]] = {}
    for key in inventory.to_do:
        if inventory.statuses[key] != RUNNING:
            alike.setdefault((key.cell, inventory.statuses[key]), []).append(key)
    for (cell, status), hit in alike.items():
        given = inventory.errors.get(hit[0]) or inventory.damage.get(hit[0]) or "did not end"
        error = escape(given.strip().splitlines()[-1])
        seeds = ", ".join(str(key.seed) for key in hit)
        tries = inventory.attempts.get(hit[0], 0)
        after = f" after {tries} attempts" if status == FAILED and tries > 1 else ""
        yield f"[red]{status}[/] {cell} seeds {seeds}{after}: {error}"
