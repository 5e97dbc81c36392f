"""Trains a study look by look, until every arm is decided or the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable

from ablation.cli.progress import clock
from ablation.cli.seed_plan import largest, measured_seconds
from ablation.cli.terminal import console, plural
from ablation.config.validation import ConfigError
from ablation.results.load import read
from ablation.store.runs import Store
from ablation.study.history import stored_looks
from ablation.study.looks import FEWEST, Looks, declare
from ablation.study.plan import Plan
from ablation.study.seeds import at_look, with_seeds
from ablation.sweep.config import SweepConfig
from ablation.sweep.estimates.forecast import forecast
from ablation.sweep.interrupts import EXIT_STOPPED

MOST_AT_LOOKS = 200
"""More are not planned for, however much time there is."""


class LookByLook:
    """The reported stage of a study with `stop`: seeds are added at its looks, and decided arms stop.

    `train` trains a plan, saves it with its looks and reports it. Time counts from the construction on.
    """

    def __init__(self, config: SweepConfig, store: Store, train: Callable[[Plan], int | None]) -> None:
        self._config, self._store, self._train = config, store, train
        self._began = time.monotonic()

    def __call__(self, plan: Plan) -> int | None:
        """Train a plan; return the exit status of the worst block, None where a cluster goes on."""
        looks, status = stored_looks(self._store, plan) or self._declare(plan), 0
        console.print(_announced(looks), soft_wrap=True)
        while True:
            over = looks.finished or self._resolved(plan, looks) or (looks.taken > 0 and self._late())
            stage = at_look(plan, looks, following=not over)
            ended = self._train(stage)
            if over or ended is None or ended == EXIT_STOPPED:
                return ended if ended is None else max(status, ended)
            status = max(status, ended)
            looks = _take(stage, looks, self._store)

    def require_time(self, tuning: Plan | None, plan: Plan) -> None:
        """Raise `ConfigError`, before anything is trained, for a plan that leaves no looks."""
        if stored_looks(self._store, plan) is None:
            before = 0.0
            if tuning is not None and self._config.minutes is not None:
                before = self._seconds(tuning)
            self._declare(plan, before)

    def _declare(self, plan: Plan, before: float = 0.0) -> Looks:
        """Return the looks of a plan that is trained after so many seconds."""
        most, minutes = len(plan.study.seeds), self._config.minutes

        def seconds(seeds: int) -> float:
            return before + self._seconds(with_seeds(plan, seeds))

        if minutes is not None:
            most = largest(lambda seeds: seconds(seeds) <= self._left, MOST_AT_LOOKS)
            if most < FEWEST:
                needed = f"{FEWEST} seeds an arm, the fewest, take about {clock(seconds(FEWEST))}"
                raise ConfigError("minutes", minutes, needed + (" with tuning" if before else ""))
        if most < FEWEST:
            too_few = f"{plural(most, 'seed')} an arm: looks need at least {FEWEST}"
            raise ConfigError("stop", self._config.stop, too_few)
        return declare(most)

    def _seconds(self, plan: Plan) -> float:
        return measured_seconds(forecast(plan, self._config, self._store))

    @property
    def _left(self) -> float:
        return 60 * (self._config.minutes or 0.0) - (time.monotonic() - self._began)

    def _late(self) -> bool:
        return self._config.minutes is not None and self._left <= 0

    @staticmethod
    def _resolved(plan: Plan, looks: Looks) -> bool:
        arms = (arm for arm in plan.arms if arm.role == "arm")
        return all(looks.decision(arm.environment, arm.name) for arm in arms)


def _take(stage: Plan, looks: Looks, store: Store) -> Looks:
    """Return the looks after the one whose seeds were trained, and print what it decided."""
    from analysis.effects.sequential import take_look

    after = take_look(read(stage, store), looks)
    new = after.decisions[len(looks.decisions) :]
    found = "; ".join(f"{each.arm} ({each.environment})" for each in new if each.different)
    arms = sum(arm.role == "arm" for arm in stage.arms)
    console.print(
        f"Look {after.taken} of {len(after.declared)}, {after.seeds} seeds: "
        f"{found or 'no further arm'} found different from the baseline; "
        f"{arms - len(after.decisions)} of {arms} arms are not decided",
        soft_wrap=True,
    )
    return after


def _announced(looks: Looks) -> str:
    taken = f"; {plural(looks.taken, 'look')} taken before" if looks.taken else ""
    return f"Looks at {', '.join(map(str, looks.declared))} seeds; decided arms stop{taken}."
