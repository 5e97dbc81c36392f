"""What steps came to, kept on an accelerator until there is time to read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ablation.envs.lanes import LaneStep


@dataclass(frozen=True)
class Outcome:
    """One step's rewards, ends, and whether all that it returned was finite, `[L]` each."""

    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    finite: NDArray[np.bool_]


class Outcomes:
    """Up to `steps` outcomes of all lanes; keeping one waits for nothing, reading them does."""

    def __init__(self, lanes: int, steps: int, device: torch.device) -> None:
        shape = (steps, lanes)
        self._reward = torch.zeros(shape, device=device)
        self._flags = torch.zeros((3, *shape), dtype=torch.bool, device=device)
        self._row = torch.zeros(1, dtype=torch.int64, device=device)

    def keep(self, step: LaneStep) -> None:
        """Keep what a step returned."""
        finite = step.final_observation.isfinite().all(dim=1) & step.reward.isfinite()
        flags = torch.stack((step.terminated, step.truncated, finite))
        self._reward.index_copy_(0, self._row, step.reward.unsqueeze(0))
        self._flags.index_copy_(1, self._row, flags.unsqueeze(1))
        self._row += 1

    def read(self) -> list[Outcome]:
        """Return what was kept since the last time, oldest first."""
        kept = int(self._row)
        rewards, flags = self._reward[:kept].cpu().numpy(), self._flags[:, :kept].cpu().numpy()
        self._row.zero_()
        return [Outcome(rewards[row], *flags[:, row]) for row in range(kept)]
