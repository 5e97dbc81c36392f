"""One run as the analysis sees it: its record, its rows and its scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from ablation.results.references import Reference
from ablation.results.scores import SCORES, Columns, RunRows, score_run
from ablation.store.run_record import ENDED, RunRecord
from ablation.store.runs import RunKey


@dataclass(frozen=True)
class Run:
    """One run: its record (empty if none is stored), its rows by table and column if it ended."""

    key: RunKey
    status: str
    record: RunRecord
    tables: dict[str, dict[str, NDArray[Any]]]
    given_scores: dict[str, float] = field(default_factory=dict)
    """Scores that a file from elsewhere gave; they take the place of those of the rows."""
    reference: Reference | None = None
    """Those of its environment's settings in the plan."""
    learner: Columns = field(default_factory=dict)
    """Its rows of losses and diagnostics, read when they are asked for."""

    @cached_property
    def rows(self) -> RunRows | None:
        """Return what the scores are computed from, or None for a run without data that counts."""
        if self.status not in ENDED:
            return None
        # References are those of an environment's own time limit.
        own_limit = self.record.setting("env", "time_limit") is None
        env_id, env_steps = self.record.setting("env", "id"), self.record.setting("train", "env_steps")
        return RunRows(
            self.tables["episodes"],
            self.tables["evaluations"],
            str(env_id or "") if own_limit else "",
            env_steps if isinstance(env_steps, int) else None,
            self.reference,
            self.learner,
        )

    @cached_property
    def scores(self) -> dict[str, float]:
        """Return every score, NaN where the run has no rows to compute it from."""
        if self.rows is None:
            return dict.fromkeys(SCORES, float("nan"))
        return {name: score_run(name, self.rows) for name in SCORES} | self.given_scores

    def score(self, name: str) -> float:
        """Return a score, one of a user's own too; NaN where the run has no rows to compute it from."""
        if name not in self.scores:
            self.scores[name] = float("nan") if self.rows is None else score_run(name, self.rows)
        return self.scores[name]
