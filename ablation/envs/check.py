"""Tries an environment before anything is trained: is it Gymnasium's interface, and reproducible?

`python -m ablation.envs.check DESCRIPTOR`, with a request as JSON on the standard input, is a process of
its own, since an environment may hang, exit or crash. It writes to the file DESCRIPTOR what it is about
to do, a line for each, and at last its answer as JSON.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ablation.config.project import Project
from ablation.config.validation import ConfigError
from ablation.envs.exceptions import place, summary
from ablation.envs.interface import (
    LARGEST_SEED,
    RESET,
    STEP,
    Wrong,
    check_outcome,
    check_reset,
    check_step_values,
    reset_values,
)
from ablation.envs.making import Options
from ablation.envs.spaces import action_list
from ablation.envs.spec import KEY, EnvSpec, made, registered_spec
from ablation.numerics.global_generators import seed_all, used_since

STEPS = 25
"""Steps of each of the four times that an environment is played, if it is quick."""
SECONDS = 0.15
"""Time that the first of them may take before it ends earlier."""
SEED = 1_234_567
ANSWER = "answer "

Outcome = tuple[Any, ...]


class Player:
    """Plays a copy of an environment from one seed on, checking whatever it returns."""

    def __init__(self, environment: Any, actions: Sequence[Any], tell: Callable[[str], None]) -> None:
        self._environment, self._actions, self._tell = environment, actions, tell
        self._seed = self._step = 0
        self.array_rewards = False

    def begin(self, seed: int) -> Outcome:
        """Reset and return what can be compared of the observation."""
        self._seed, self._step = seed, 0
        self._tell(f"in reset(seed={seed})")
        returned = self._guarded(RESET, lambda: self._environment.reset(seed=seed))
        observation = check_reset(returned, self._environment.observation_space)
        return (_frozen(observation),)

    def step(self, number: int) -> Outcome:
        """Take an action, of a list that is the same each time, and return what can be compared."""
        self._step += 1
        self._tell(f"in step {self._step} after reset(seed={self._seed})")
        action = self._actions[random.Random(number).randrange(len(self._actions))]
        returned = self._guarded(STEP, lambda: self._environment.step(action))
        outcome = check_outcome(returned, self._environment.observation_space)
        self.array_rewards |= np.ndim(returned[1]) > 0
        observation, reward, terminated, truncated = outcome
        if terminated or truncated:
            self.begin((self._seed + 1) % LARGEST_SEED)
        return _frozen(observation), reward, terminated, truncated

    def _guarded(self, interface: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Wrong:
            raise
        except BaseException as error:  # Also `sys.exit`.
            where = f"step {self._step}" if interface == STEP else f"reset(seed={self._seed})"
            known = interface if isinstance(error, TypeError) else ""
            raise Wrong(f"{where} raised {summary(error)}{place(error)}", known) from None


def answer(env_id: str, options: Options, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return the environment's sizes as plain values, or the key and reason of its refusal."""
    try:
        tell("where it is made")
        spec = registered_spec(env_id, options)
        notes, reason = _played(env_id, options, tell)
    except ConfigError as error:
        return {"key": error.key, "value": str(error.value), "refused": error.allowed}
    except Wrong as error:
        return {"key": KEY, "value": env_id, "refused": str(error)}
    except BaseException as error:  # `sys.exit` in a constructor, for example.
        return {
            "key": KEY,
            "value": env_id,
            "refused": f"cannot be made: {summary(error)}{place(error)}",
        }
    values = asdict(spec) | {"notes": [*spec.notes, *notes], "not_reproducible": reason}
    return {"spec": values}


def spec_of(values: dict[str, Any]) -> EnvSpec:
    """Return the sizes that an answer holds."""
    shape, notes = tuple(values["observation_shape"]), tuple(values["notes"])
    return EnvSpec(**(values | {"observation_shape": shape, "notes": notes}))


def _played(env_id: str, options: Options, tell: Callable[[str], None]) -> tuple[list[str], str | None]:
    """Play copies of an environment; return notes, and why it is not reproducible if it is not.

    Raises `Wrong` for anything that is not Gymnasium's interface.
    """
    first, second = (made(env_id, options) for _ in range(2))
    for copy in (first, second):
        _watch(copy.unwrapped)
    actions = action_list(first.action_space)
    players = Player(first, actions, tell), Player(second, actions, tell)
    before = seed_all(1)
    alone = _episode(players[0])
    drawn = used_since(before)
    # The other copy, with steps of the first one in between, as lanes are: nothing may be shared.
    seed_all(2)
    players[0].begin(LARGEST_SEED)
    among = _episode(players[1], len(alone) - 1, lambda number: players[0].step(number + STEPS))
    again = _episode(players[0], len(alone) - 1)
    players[0].begin(0)
    for copy in (first, second):
        copy.close()
    reason = f"draws from {drawn}" if drawn else _differ(alone, among, "two copies")
    reason = reason or _differ(alone, again, "an episode and the same one again")
    arrays = any(player.array_rewards for player in players)
    return ["rewards are arrays of one number, which is taken"] if arrays else [], reason


def _episode(
    player: Player, steps: int | None = None, beside: Callable[[int], object] | None = None
) -> list[Outcome]:
    """Return the outcomes of a reset and of steps, as many as asked for or as there is time."""
    began = time.monotonic()
    outcomes = [player.begin(SEED)]
    for number in range(STEPS if steps is None else steps):
        if steps is None and number > 1 and time.monotonic() - began > SECONDS:
            break
        outcomes.append(player.step(number))
        if beside is not None:
            beside(number)
    return outcomes


def _watch(inner: Any) -> None:
    """Check the numbers of values that the environment itself returns, below all wrappers."""
    reset, step = inner.reset, inner.step
    inner.reset = lambda *given, **named: reset_values(reset(*given, **named))
    inner.step = lambda action: check_step_values(step(action))


def _frozen(observation: Any) -> Any:
    if isinstance(observation, np.ndarray):
        return observation.dtype.str, observation.shape, observation.tobytes()
    if isinstance(observation, dict):
        return tuple((key, _frozen(value)) for key, value in observation.items())
    if isinstance(observation, tuple | list):
        return tuple(_frozen(value) for value in observation)
    return observation


def _differ(one: list[Outcome], other: list[Outcome], who: str) -> str | None:
    """Return where two plays from the same seed with the same actions differ, None where they do not."""
    for step, (mine, yours) in enumerate(zip(one, other, strict=True)):
        if mine != yours:
            names = ("observation", "reward", "terminated", "truncated")
            name = next(name for name, a, b in zip(names, mine, yours, strict=False) if a != b)
            where = f"the {name} of step {step}" if step else "the observation of the reset"
            return f"{who} differ in {where}, from one seed with the same actions"
    return None


def main() -> None:
    """Answer the request on the standard input; the working directory is the project's."""
    Project(Path.cwd()).make_importable()
    request = json.loads(sys.stdin.readline())
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as file:

        def tell(line: str) -> None:
            file.write(f"{line}\n")
            file.flush()

        options = tuple((key, value) for key, value in request["options"])
        tell(ANSWER + json.dumps(answer(request["id"], options, tell)))
    # What the environment's modules registered for the end of the process is not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
