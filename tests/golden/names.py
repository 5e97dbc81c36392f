"""Names of cells, hashes of plans and the keys that decide them. They depend on no library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any
from unittest.mock import patch

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode

from ablation.agent.layers import layers_of_agent
from ablation.cli.compose import CONFIG_NAME, CommandLine, Composer, study_of, to_plain
from ablation.cli.config_errors import config_loader
from ablation.config import identity
from ablation.config.identity import canonical, cell_name, flatten
from ablation.config.parse import parse
from ablation.config.schema import CELL_SECTIONS, CellConfig
from ablation.config.tasks import options_of, task_of
from ablation.config.validation import ConfigError
from ablation.envs.spec import EnvSpec, env_spec
from ablation.study.expand import expand
from ablation.study.tuning import tuning_plan

from . import CONF
from .changed import CHANGES, ENVIRONMENT_OF, WITH

Values = dict[str, Any]

ALWAYS = {"env": "cartpole", "replay": "uniform", "agent": "dqn"}
"""The options of `conf/config.yaml`, each a plain representative of its group."""


class Configurations:
    """The configuration files of every group, composed by Hydra, each once."""

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader = loader
        self.composer = Composer(loader)
        self.options = {group: sorted(self.composer.options(group)) for group in ALWAYS}
        self.load = cache(self._load)

    def _load(self, word: str) -> Values:
        return to_plain(self._loader.load_configuration(CONFIG_NAME, [word], RunMode.RUN))

    def values(self, env: str, replay: str, agent: str) -> Values:
        """Return a cell's values; groups change sections of their own: see `foreign_sections`."""
        chosen = self.load(f"env={env}")
        sections = {"env": chosen["env"], "train": chosen["train"]}
        sections["replay"] = self.load(f"replay={replay}")["replay"]
        return sections | {"agent": self.load(f"agent={agent}")["agent"]}

    def foreign_sections(self) -> list[str]:
        """Return the files that change a section that another group decides."""
        own = {"env": {"env", "train"}, "replay": {"replay"}, "agent": {"agent"}}
        default = self.load("env=cartpole")
        return [
            f"conf/{group}/{name}.yaml: {section}"
            for group, names in self.options.items()
            for name in names
            for section in sorted(set(CELL_SECTIONS) - own[group])
            if self.load(f"{group}={name}")[section] != default[section]
        ]


def _data_path(env_id: str) -> dict[str, str]:
    path = task_of(env_id).fingerprint
    return {} if path is None else {"data": path}


@contextmanager
def configurations() -> Iterator[Configurations]:
    """Yield the configuration files, read as `make plan` does.

    Hashes of data that differ between versions of Python and of packages are replaced by their paths.
    """
    same = patch.object(identity, "data_hash", _data_path)
    with same, config_loader(str(CONF)) as loader:
        yield Configurations(loader)


def names(found: Configurations) -> Values:
    """Return the cell name of every environment, replay and agent, or the key that is refused."""
    env, replay, agent = (found.options[group] for group in ("env", "replay", "agent"))
    return {e: {r: {a: _name(found.values(e, r, a)) for a in agent} for r in replay} for e in env}


def missing_extra(found: Configurations, env: str) -> str | None:
    """Return what to install before an environment can be made; None where nothing is missing."""
    try:
        _spec(found, env)
    except ConfigError as error:
        if "not installed" in error.allowed:
            return error.allowed
        raise
    return None


def networks(found: Configurations, env: str) -> Values:
    """Return the parameters of each agent's network in an environment, or the key that is refused."""
    spec = _spec(found, env)

    def parameters(agent: str) -> int:
        config = _parsed(found.values("cartpole", "uniform", agent)).agent
        layers = layers_of_agent(config, spec.observation_shape, spec.actions)
        return sum(layer.parameters for layer in layers)

    return {agent: _or_refused(partial(parameters, agent)) for agent in found.options["agent"]}


def _spec(found: Configurations, env: str) -> EnvSpec:
    config = _parsed(found.values(env, "uniform", "dqn")).env
    return env_spec(config.id, options_of(config))


def plans(found: Configurations) -> dict[str, str]:
    """Return the hash of every study's plan in every size, and of its tuning stage if it has one."""
    hashes = {}
    for path in sorted((CONF / "study").glob("*.yaml")):
        study = found.load(f"study={path.stem}")["study"]
        for size in study.get("sizes") or [None]:
            plan = expand(study_of(study, CommandLine(), size), found.composer.resolve)
            hashes[plan.study.name] = plan.hash
            if plan.study.tune is not None:
                tuning = tuning_plan(plan, found.composer.resolve)
                hashes[tuning.study.name] = tuning.hash
    return hashes


def keys(found: Configurations) -> dict[str, list[str]]:
    """Return the keys in the identity of a cell with each option of each group, all else at defaults."""
    emitted = {}
    for group, named in found.options.items():
        for name in named:
            chosen = ALWAYS | {group: name}
            if name == "oracle" or name.startswith("cliffwalk"):
                chosen |= {"env": name if group == "env" else "cliffwalk_4"}
            config = _parsed(found.values(**chosen))
            emitted[f"{group}={name}"] = sorted(flatten(canonical(config)))
    return emitted


def changes(found: Configurations) -> dict[str, dict[str, str]]:
    """Return the cell name after a change of each key, by replay kind: `same` where it is."""
    return {
        key: {replay: _changed(found, replay, key) for replay in found.options["replay"]}
        for key in CHANGES
    }


def _changed(found: Configurations, replay: str, key: str) -> str:
    env = "cliffwalk_4" if replay == "oracle" else ENVIRONMENT_OF.get(key, ALWAYS["env"])
    cell = _one_transition(found.values(env, replay, "dqn"))
    before = _with(cell, WITH.get(key, {}))
    after = _with(before, {key: CHANGES[key]})
    return "same" if _name(after) == _name(before) else _name(after)


def _with(values: Values, changed: Mapping[str, Any]) -> Values:
    for key, value in changed.items():
        section, name = key.split(".")
        merged = values[section][name] | value if key == "env.evaluation" else value
        values = values | {section: values[section] | {name: merged}}
    return values


def _one_transition(values: Values) -> Values:
    """Return values in which the chain learns from one transition at a time; no agent file has that."""
    if not values["env"]["id"].startswith("BlindCliffwalk"):
        return values
    return _with(values, {"agent.batch_size": 1})


def _parsed(values: Values) -> CellConfig:
    return parse(_one_transition(values))


def _name(values: Values) -> str:
    return str(_or_refused(lambda: cell_name(parse(values))))


def _or_refused(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ConfigError as error:
        return f"refused: {error.key}"
