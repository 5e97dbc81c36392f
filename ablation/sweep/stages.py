"""The stages of a study that tunes a factor, one after the other; any other study has one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ablation.store.runs import Store
from ablation.study.expand import Resolve
from ablation.study.plan import Arm, Choice, Plan
from ablation.study.tuning import beyond_edges, reported_plan, tuning_plan, undecided
from ablation.sweep.config import SweepConfig
from ablation.sweep.interrupts import EXIT_STOPPED
from ablation.sweep.observer import SweepObserver
from ablation.sweep.scheduling import matching_arms, require_matching_arms


@dataclass(frozen=True)
class Stages:
    """A study's plan and, where it tunes, that of the stage which decides the levels of its arms."""

    plan: Plan
    tuning: Plan | None
    resolve: Resolve

    def choices(self, store: Store) -> list[Choice]:
        """Return the choices that follow from the tuning runs in a store, of the arms that have all."""
        tuning, tune = self.tuning_plan(store), self.plan.study.tune
        if tuning is None or tune is None:
            return []
        declared = self.plan.study.factors[tune.factor].overrides()
        return [
            replace(choice, widened=[level for level in choice.means if level not in declared])
            for choice in _choices(tuning, tune.factor, store)
        ]

    def tuning_plan(self, store: Store) -> Plan | None:
        """Return the plan of the tuning stage, with the levels beyond edges that its runs ask for."""
        tune = self.plan.study.tune
        if self.tuning is None or tune is None or not tune.widen:
            return self.tuning
        first = _choices(self.tuning, tune.factor, store)
        beyond = beyond_edges(self.plan, first, self.resolve)
        return tuning_plan(self.plan, self.resolve, beyond) if beyond else self.tuning

    def reported(self, choices: list[Choice]) -> Plan:
        """Return what is reported: of a study that tunes, the arms that have a choice."""
        if self.tuning is None:
            return self.plan
        return reported_plan(self.plan, choices, self.resolve)

    def undecided(self, choices: list[Choice]) -> list[Arm]:
        """Return the arms whose cell is not known before the tuning stage is complete."""
        return [] if self.tuning is None else undecided(self.plan, choices)


def _choices(tuning: Plan, factor: str, store: Store) -> list[Choice]:
    from ablation.results.load import read
    from ablation.results.tuning_choices import choices

    return list(choices(read(tuning, store), factor))


def stages_of(plan: Plan, resolve: Resolve) -> Stages:
    """Return the stages of a study's plan."""
    tunes = plan.study.tune is not None
    return Stages(plan, tuning_plan(plan, resolve) if tunes else None, resolve)


def sweep(
    stages: Stages,
    config: SweepConfig,
    store: Store,
    train: Callable[[Plan], int | None],
    observer: SweepObserver,
    report: Callable[[Plan], int | None] | None = None,
) -> int:
    """Train each stage in turn with `train`, the reported one with `report` where that is given.

    Return the exit status of the worst.

    A stage for which `train` returns None goes on without this process, and is the last one for now.

    Raises `ConfigError` if `only` names no arm.
    """
    report, tuning = report or train, stages.tuning_plan(store)
    if tuning is None:
        return report(stages.plan) or 0
    require_matching_arms(stages.plan, config.only)
    tuned = train(tuning)
    if tuned is None or tuned == EXIT_STOPPED:
        return tuned or 0
    widened = stages.tuning_plan(store)
    if widened is not None and widened.hash != tuning.hash:
        again = train(widened)
        if again is None or again == EXIT_STOPPED:
            return again or 0
        # Runs that failed before are those of the whole stage.
        tuned = again
    choices = stages.choices(store)
    reported = stages.reported(choices)
    observer.tuned(choices, stages.undecided(choices), len(reported.study.seeds))
    if not matching_arms(reported, config.only):
        return max(tuned, 1)
    return max(tuned, report(reported) or 0)
