"""The parameters that each lane had at its best evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ablation.agent.policy import Parameters


class BestParameters:
    """A copy of every lane's parameters after its evaluation of the largest mean return."""

    def __init__(self, parameters: Tensor) -> None:
        """Prepare for parameters like these, `[L, P]`."""
        self._parameters = parameters.cpu().clone()
        self._returns = np.full(len(parameters), -np.inf)
        self._env_steps = np.zeros(len(parameters), np.int64)

    def note(self, env_step: int, returns: NDArray[np.float64], parameters: Tensor) -> None:
        """Keep the parameters `[L, P]` of lanes whose evaluation, `returns [L, N]`, is their best."""
        means = returns.mean(axis=1)
        better = np.flatnonzero(means > self._returns).tolist()
        self._returns[better], self._env_steps[better] = means[better], env_step
        self._parameters[better] = parameters[better].cpu()

    def of(self, lane: int) -> Parameters | None:
        """Return a lane's best parameters, None before its first evaluation."""
        if self._returns[lane] == -np.inf:
            return None
        values = self._parameters[lane].numpy()
        return Parameters(values, int(self._env_steps[lane]), float(self._returns[lane]))

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        kept = {"returns": self._returns.tolist(), "env_steps": self._env_steps.tolist()}
        return {"parameters": self._parameters} | kept

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state` returned."""
        self._parameters.copy_(state["parameters"])
        self._returns[:], self._env_steps[:] = state["returns"], state["env_steps"]
