"""Takes the seeds of a job through a cell's steps, such that any kill costs no more than some steps."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.config.cell import Cell
from ablation.config.fork import parent_of
from ablation.store.runs import RunKey, Store
from ablation.sweep import prefixes
from ablation.sweep.interrupts import Stop, Stopped
from ablation.sweep.queue import JobSpec

if TYPE_CHECKING:
    from ablation.training.trainer import Trainer

log = logging.getLogger(__name__)

State = Mapping[str, Any]


@dataclass(frozen=True)
class TrainingContext:
    """What the training of a job's seeds needs beside the cell; `watch` is called at every period."""

    job: JobSpec
    seeds: Sequence[int]
    store: Store
    arithmetic: str
    stop: Stop
    still_mine: Callable[[], object]
    watch: Callable[[LaneTraining], None]


class LaneTraining:
    """A cell's trainer for some seeds, and the checkpoint in `directory` that it goes on from.

    A fork begins where its parent's runs stand at its step, which are trained to there if nobody has
    kept them.
    """

    trainer: Trainer

    def __init__(self, cell: Cell, directory: Path, context: TrainingContext) -> None:
        self._cell, self._directory, self._context = cell, directory, context
        self._keys = [RunKey(cell.name, seed) for seed in context.seeds]
        self._saved = time.perf_counter()
        # Its past actions would lead such an environment somewhere else.
        self._resumes = context.job.not_reproducible is None
        self.began_at = self.saved_at = 0
        """The environment steps of the first one trained here, and of the checkpoint (0: none)."""

    def start(self, first: State | None = None) -> None:
        """Make the trainer at its checkpoint, else at the state `first`, its fork, or its first step."""
        if not self._resume():
            began_at = None
            if self._cell.shared_steps:
                first, began_at = self._state_at_fork()
            self.trainer = self._make()
            if first is not None:
                self.trainer.restore(first)
            self.began_at = self.trainer.env_step if began_at is None else began_at
        self._context.watch(self)

    def run(self, until: int | None = None) -> None:
        """Train to the end of the run, or `until` a step; raises `Stopped` if asked to."""
        self.trainer.run(until, self._on_period)

    def leave(self, step: int) -> None:
        """Keep the present state for the forks of a step, unless the run is past it or ended before."""
        if self.trainer.env_step == step:
            with self._context.stop.writing():
                prefixes.leave(
                    self._context.store,
                    self._keys,
                    self.trainer.state(),
                    self._context.arithmetic,
                    self._context.still_mine,
                )

    def remove_checkpoint(self) -> None:
        """Remove the checkpoint: its runs are stored."""
        from ablation.training import checkpoint

        checkpoint.remove(self._directory)

    def _make(self) -> Trainer:
        import torch

        from ablation.tasks.registry import make_trainer

        job, seeds = self._context.job, self._context.seeds
        return make_trainer(self._cell.config, seeds, torch.device(job.device), job.threads)

    def _resume(self) -> bool:
        """Make the trainer at its checkpoint, if there is one that can be used."""
        from ablation.training import checkpoint

        if not self._resumes:
            return False
        header = self._directory, self._cell.name, self._context.seeds
        state = checkpoint.load(*header, self._context.arithmetic)
        if state is None:
            return False
        self.trainer = self._make()
        try:
            self.trainer.restore(state)
        except Exception as error:
            reason = f"cannot be restored ({type(error).__name__}: {error})"
            checkpoint.set_aside(self._directory, reason)
            self.trainer.close()
            return False
        self.began_at = self.saved_at = self.trainer.env_step
        log.info("Resumes from environment step %d.", self.saved_at)
        return True

    def _state_at_fork(self) -> tuple[State, int]:
        """Return the state with which a fork's runs begin, and the step from which it was trained."""
        from ablation.training.fork import forked_state

        config, context = self._cell.config, self._context
        at, parent = self._cell.shared_steps, Cell(parent_of(config))
        keys = [RunKey(parent.name, seed) for seed in context.seeds]
        with prefixes.one_at_a_time(context.store, keys[0], context.stop):
            kept = prefixes.latest(context.store, keys, at, context.arithmetic)
            if kept is not None and kept["env_step"] == at:
                return forked_state(config, kept), at
            state, began_at = self._trained_parent(parent, at, kept)
        return forked_state(config, state), began_at

    def _trained_parent(self, parent: Cell, at: int, state: State | None) -> tuple[State, int]:
        """Return the state of the parent's runs at a step, and the step from which they were trained."""
        training = LaneTraining(parent, self._directory / "parent", self._context)
        training.start(state)
        try:
            training.run(at)
            # Runs that all ended before the fork stand still from there on.
            training.trainer.advance(at - training.trainer.env_step)
            training.leave(at)
            training.remove_checkpoint()
            return training.trainer.state(), training.began_at
        finally:
            training.trainer.close()

    def _on_period(self) -> None:
        context = self._context
        context.watch(self)
        due = time.perf_counter() - self._saved >= context.job.checkpoint_seconds
        if (due or context.stop.requested) and not self.trainer.done:
            if self._resumes:
                self._save()
                context.watch(self)
            if context.stop.requested:
                raise Stopped

    def _save(self) -> None:
        from ablation.training import checkpoint

        context = self._context
        with context.stop.writing():
            header = self._directory, self._cell.name, context.seeds
            state = self.trainer.state()
            checkpoint.save(*header, state, context.arithmetic, context.still_mine)
        self._saved, self.saved_at = time.perf_counter(), self.trainer.env_step
