"""The command `check`: what a component of the user's own must do, property by property."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml
from rich.text import Text

from ablation.cli.compose import Composer
from ablation.cli.config_errors import config_loader
from ablation.cli.terminal import output
from ablation.config.source import check_component
from ablation.config.source_modules import is_component
from ablation.config.validation import ConfigError

if TYPE_CHECKING:
    from ablation.checks.outcome import Outcome, Resolve

USAGE = (
    "check my_lab.samplers:Recency [decay=0.99 ...], or check my_lab:Maze-v0 [env.time_limit=200 ...]"
)
ENVIRONMENT = re.compile(r".*-v\d+")
WORDS = {True: ("pass", "green"), False: ("FAIL", "red"), None: ("skip", "yellow")}


def check(config_directory: str, arguments: Sequence[str]) -> int:
    """Check a sampler, an eviction rule or an environment; return 1 if a property does not hold.

    Raises `ConfigError` for a component that is not there and an environment that is refused.
    """
    paths = [word for word in arguments if "=" not in word]
    if len(paths) != 1:
        raise ConfigError("check", " ".join(paths) or "(nothing)", f"write {USAGE}")
    path, changes = paths[0], [word for word in arguments if "=" in word]
    with config_loader(config_directory) as loader:
        composer = Composer(loader)
        if ENVIRONMENT.fullmatch(path):
            return _check_environment(composer, path, changes)
        if not is_component(path):
            raise ConfigError("check", path, f"write {USAGE}")
        check_component("check", path)
        defaults = {"env": "cartpole", "replay": "uniform"}
        return _report(
            path, dict(map(_option, changes)), lambda keys: composer.resolve(defaults | dict(keys))
        )


def _check_environment(composer: Composer, env_id: str, changes: Sequence[str]) -> int:
    from ablation.cli.environments import check_environments
    from ablation.config.tasks import options_of
    from ablation.envs.spec import env_spec

    env = composer.resolve({"env": env_id} | composer.read(changes).cell).env
    with TemporaryDirectory() as nothing_known:
        check_environments([env], Path(nothing_known))
    spec = env_spec(env.id, options_of(env))
    shape, actions = spec.observation_shape, spec.actions
    _print(True, env_id, f"can be trained in: observations {list(shape)}, {actions} actions")
    for note in spec.notes:
        _print(True, "noted", note)
    reason = spec.not_reproducible
    _print(reason is None, "same outcomes from one seed with the same actions", reason or "yes")
    return int(reason is not None)


def _report(path: str, options: Mapping[str, Any], resolve: Resolve) -> int:
    failed = False
    for outcome in _outcomes(path, options, resolve):
        _print(outcome.holds, outcome.name, outcome.seen)
        failed |= outcome.holds is not True
    return int(failed)


def _outcomes(path: str, options: Mapping[str, Any], resolve: Resolve) -> Iterable[Outcome]:
    from ablation.checks.outcome import Outcome
    from ablation.checks.sampler import check_sampler, subject_of
    from ablation.replay.component import ComponentError

    try:
        return check_sampler(subject_of(path, options, resolve))
    except ComponentError as error:
        return [Outcome("can be imported", False, str(error))]


def _print(holds: bool | None, name: str, seen: str) -> None:
    output.print(Text.assemble(WORDS[holds], f"  {name}: {seen}"), soft_wrap=True)


def _option(word: str) -> tuple[str, Any]:
    key, _, value = word.partition("=")
    name = key.removeprefix("replay.options.").removeprefix("replay.eviction_options.")
    if not name.isidentifier():
        raise ConfigError("check", word, f"takes options of the component alone: {USAGE}")
    return name, yaml.safe_load(value)
