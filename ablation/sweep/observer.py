"""What a sweep tells whoever watches it; the command line prints it, tests may count it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ablation.store.runs import Store
from ablation.study.plan import Arm, Choice
from ablation.sweep.scheduling import ScheduledJob


class SweepObserver(Protocol):
    """Is told what happens during a sweep."""

    def training(
        self, jobs: Sequence[ScheduledJob], store: Store, state: Callable[[], str]
    ) -> AbstractContextManager[object]:
        """Return a context that lasts while workers train the jobs; `state` says where workers stand."""

    def waiting_for(self, owners: Sequence[str]) -> None:
        """All runs that are left are trained by these processes of other sweeps."""

    def stopping(self, note: str) -> None:
        """Ctrl-C: the workers were asked to end; `note` is what their launcher says of it."""

    def ended_at_once(self) -> None:
        """A second Ctrl-C: this process ends now, within a signal handler."""

    def tuned(self, choices: Sequence[Choice], undecided: Sequence[Arm], seeds: int) -> None:
        """The tuning stage ended with these choices; `undecided` arms of `seeds` runs wait for more."""
