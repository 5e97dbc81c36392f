"""A cell: one configuration together with all that follows from it, each worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ablation.config.identity import canonical, name_of
from ablation.config.replay_kinds import REPLAY_KINDS, ReplayKind
from ablation.config.schema import CellConfig
from ablation.config.step_schedule import StepSchedule, derive_schedule
from ablation.config.tasks import Task, task_of


@dataclass(frozen=True)
class Cell:
    """A validated configuration, its step schedule, its entries in the tables and its identity."""

    config: CellConfig

    @cached_property
    def schedule(self) -> StepSchedule:
        """The step schedule."""
        return derive_schedule(self.config)

    @cached_property
    def canonical(self) -> dict[str, Any]:
        """The plain values that are equal exactly when training is."""
        return canonical(self.config, self.schedule)

    @cached_property
    def name(self) -> str:
        """The name that runs are stored under, `<env>-<hash>`."""
        return name_of(self.canonical)

    @property
    def shared_steps(self) -> int:
        """The environment steps that its runs share with those that they fork from."""
        return 0 if self.config.train.fork is None else self.config.train.fork.at

    @property
    def task(self) -> Task:
        """The task that it trains on."""
        return task_of(self.config.env.id)

    @property
    def kind(self) -> ReplayKind:
        """Its kind of replay."""
        return REPLAY_KINDS[self.config.replay.kind]
