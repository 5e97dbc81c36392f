"""Policies of trained runs: the file that each run keeps, and acting by it.

`policy.npz` holds a lane's online parameters at the end of its run and after its best evaluation, and as
text what is needed to build its network again. Needs PyTorch, but no Gymnasium, Hydra or W&B.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter

from ablation.agent.make_network import make_network
from ablation.config.schema import CellConfig
from ablation.config.source import source_hashes
from ablation.config.validation import ConfigError, validate
from ablation.numerics.pixels import BYTE_VALUES
from ablation.store.runs import POLICY

SCHEMA = 1
"""Version of the file's layout."""
IMAGE_DIMENSIONS = 3

Which = Literal["final", "best"]


class NoPolicy(Exception):
    """There is no policy to load, or none that this version reads; one line says why."""


@dataclass(frozen=True)
class Parameters:
    """A lane's parameters `[P]`, their environment step, and the mean return of the evaluation then."""

    values: NDArray[np.float32]
    env_step: int
    mean_return: float | None = None


class Policy:
    """A trained network that acts greedily.

    `observation_shape` is `(O,)` or, for images, `(C, H, W)`; `actions` is their number; `config` is the
    configuration that it was trained in, `env_step` the step of the run that its parameters are of.
    """

    def __init__(
        self,
        config: CellConfig,
        seed: int,
        observation_shape: Sequence[int],
        actions: int,
        parameters: Parameters,
    ) -> None:
        self.config, self.seed = config, seed
        self.observation_shape, self.actions = tuple(observation_shape), actions
        self.env_step, self.mean_return = parameters.env_step, parameters.mean_return
        device = torch.device("cpu")
        self._network, like = make_network(config.agent, [seed], observation_shape, actions, device)
        if parameters.values.shape != like.shape[1:]:
            raise NoPolicy(
                f"the network of this code has {like.shape[1]} parameters, the stored one "
                f"{len(parameters.values)}: its code has changed"
            )
        self._parameters = torch.from_numpy(parameters.values.copy())[None]

    @torch.no_grad()
    def action_values(self, observation: ArrayLike) -> NDArray[np.float32]:
        """Return the value of each action, `[A]` for an observation or `[N, A]` for N of them.

        An observation is what the environment returns, of `observation_shape` or with as many numbers;
        bytes of images are divided by 255. Raises `ValueError` for another size.
        """
        array, size = np.asarray(observation), prod(self.observation_shape)
        many = array.ndim > 1 and prod(array.shape[1:]) == size
        if not many and array.size != size:
            raise ValueError(
                f"an observation has the shape {self.observation_shape}, or [N, ...]; "
                f"this one has {array.shape}"
            )
        flat = array.reshape(-1, size)
        image = array.dtype == np.uint8 and len(self.observation_shape) == IMAGE_DIMENSIONS
        numbers = BYTE_VALUES[flat] if image else flat.astype(np.float32)
        inputs = torch.from_numpy(numbers)[None]
        values: NDArray[np.float32] = self._network.values(self._parameters, inputs)[0].numpy()
        return values if many else values[0]

    def act(self, observation: ArrayLike) -> Any:
        """Return the number of the greedy action, an int, or int64 `[N]` for N observations."""
        values = self.action_values(observation)
        chosen = values.argmax(axis=-1)
        return int(chosen) if values.ndim == 1 else chosen


def policy_bytes(
    config: CellConfig,
    seed: int,
    observation_shape: Sequence[int],
    actions: int,
    final: Parameters,
    best: Parameters | None,
) -> bytes:
    """Return the file of a run's policies; `best` is None for a run that was never evaluated."""
    stored = {"final": final} | ({} if best is None else {"best": best})
    plain = TypeAdapter(CellConfig).dump_python(config, mode="json")
    about = {
        "schema": SCHEMA,
        "config": plain,
        "sources": source_hashes(plain),
        "seed": seed,
        "observation_shape": list(observation_shape),
        "actions": actions,
        **{
            name: {"env_step": one.env_step, "mean_return": one.mean_return}
            for name, one in stored.items()
        },
    }
    file = io.BytesIO()
    arrays: dict[str, Any] = {name: one.values for name, one in stored.items()}
    np.savez(file, about=np.array(json.dumps(about)), **arrays)
    return file.getvalue()


def load_policy(path: Path | str, which: Which = "final") -> Policy:
    """Return the policy of a run, from its directory or its file `policy.npz`.

    `which` is the end of the run or its best evaluation, the first of the best ones. Raises `NoPolicy`
    where there is none.
    """
    path = Path(path)
    file = path if path.suffix == Path(POLICY).suffix else path / POLICY
    about, values = _read(file, which)
    try:
        config = validate(CellConfig, about["config"])
        code = source_hashes(about["config"])
        changed = [name for name in code if about["sources"][name] != code[name]]
        if changed:
            raise NoPolicy(f"{file}: the code of {', '.join(changed)} has changed since it was trained")
        said = about[which]
        shape, actions = about["observation_shape"], about["actions"]
        return Policy(config, about["seed"], shape, actions, Parameters(values, **said))
    except (ConfigError, KeyError, TypeError) as error:
        raise NoPolicy(f"{file} is no policy that this version reads: {error}") from None


def _read(file: Path, which: Which) -> tuple[dict[str, Any], NDArray[np.float32]]:
    if not file.exists():
        raise NoPolicy(_missing(file))
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            if about["schema"] != SCHEMA:
                raise NoPolicy(f"{file} has schema {about['schema']}, this version reads {SCHEMA}")
            if which not in stored:
                there = "final" if which == "best" else "final, best"
                raise NoPolicy(f"{file} has no policy '{which}'; it has: {there}")
            return about, stored[which]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise NoPolicy(f"{file} cannot be read: {type(error).__name__}: {error}") from None


def _missing(file: Path) -> str:
    if not file.parent.is_dir():
        return f"{file.parent} is no run's directory; runs are in results/runs/<configuration>/<seed>"
    if not (file.parent / "run.json").exists():
        return f"there is no {file}"
    return (
        f"{file.parent} keeps no policy: only complete runs of networks do, from the version on that "
        "stores them; move the directory away to train it again"
    )
