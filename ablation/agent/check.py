"""Whether an agent can be trained, asked before anything is: its network, and parts of the user's own.

PyTorch is imported only where there are parts of the user's own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ablation.agent.layers import layers_of_agent
from ablation.config.schema import AgentConfig
from ablation.config.source_modules import is_component

_checked: set[str] = set()


def check_agent(agent: AgentConfig, shape: Sequence[int], actions: int) -> None:
    """Raise `ConfigError` for a network that cannot take observations of `shape`, or for own parts.

    The same own parts are checked once in a process.
    """
    if agent.network is None:
        layers_of_agent(agent, shape, actions)
    own = [name for name in (agent.network, agent.loss, agent.optimizer) if is_component(name)]
    options = agent.network_options, agent.optimizer_options, agent.double_q
    case = json.dumps([own, options, list(shape), actions], default=str)
    if own and case not in _checked:
        from ablation.agent.own_parts import check_own_parts

        check_own_parts(agent, tuple(shape), actions)
        _checked.add(case)
