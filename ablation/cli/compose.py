"""Builds the configurations of many cells quickly: Hydra composes each set of groups only once."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ablation.cli.components import try_components
from ablation.cli.environments import check_environments
from ablation.cli.unknown_keys import allowed_beside
from ablation.config.env_settings import References
from ablation.config.near import one_of
from ablation.config.parse import parse
from ablation.config.schema import CELL_SECTIONS, CellConfig
from ablation.config.tasks import is_env_id, options_of
from ablation.config.validation import ConfigError, validate
from ablation.results.score_table import require_scores
from ablation.study.declaration import Study, parse_study
from ablation.study.designs import Factor
from ablation.study.expand import expand
from ablation.study.plan import Plan
from ablation.study.sizes import sized

CONFIG_NAME = "config"


@dataclass
class CommandLine:
    """A command line's overrides, sorted by what they decide."""

    cell: dict[str, Any] = field(default_factory=dict)
    """Keys and groups that every cell takes."""
    axes: dict[str, list[Any]] = field(default_factory=dict)
    """Keys and groups with a list of values: the factors of an ad-hoc study."""
    rest: list[str] = field(default_factory=list)
    """The study, tracking, launch and other settings, word for word."""
    study_keys: set[str] = field(default_factory=set)
    """The keys of the study that it sets."""


class Composer:
    """Resolves overrides to cells, with the configuration files that a Hydra application found."""

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader = loader
        self.device = "cpu"
        """Where cells are to be trained; it decides by which backend."""
        self._composed: dict[tuple[str, ...], dict[str, Any]] = {}
        self._options: dict[str, list[str]] = {}
        self._references: dict[str, Any] = {}
        """What environments' files say of scores, by environment."""

    def read(self, arguments: Sequence[str]) -> CommandLine:
        """Sort the words of a command line; raises `ConfigError` for kinds that have no meaning."""
        parser = OverridesParser.create(config_loader=self._loader)
        line = CommandLine()
        for override in parser.parse_overrides(list(arguments)):
            key = override.get_key_element().lstrip("+~")
            # What a study declares is checked as a whole, with names that are the study's own.
            if override.is_add() and not key.startswith("study."):
                self._refuse_unknown(key, override)
            if key.split(".")[0] not in CELL_SECTIONS:
                if override.is_sweep_override():
                    raise ConfigError(key, _given(override), "takes one value, not several")
                line.rest.append(str(override.input_line))
                if key.startswith("study."):
                    line.study_keys.add(key.split(".")[1])
            elif override.is_delete():
                raise ConfigError(key, "(deleted)", "every key of a cell is required")
            elif override.is_sweep_override():
                if not override.is_discrete_sweep():
                    raise ConfigError(key, _given(override), "several values are written a,b,c")
                line.axes[key] = [_unquoted(value) for value in override.sweep_iterator()]
                if len({str(value) for value in line.axes[key]}) != len(line.axes[key]):
                    raise ConfigError(key, _given(override), "every level once")
            else:
                line.cell[key] = override.value()
        return line

    def _refuse_unknown(self, key: str, override: Override) -> None:
        """Raise `ConfigError` for a key behind `+` that no part of the program would read."""
        known = self._loader.load_configuration(CONFIG_NAME, [], RunMode.RUN)
        if not override.is_hydra_override() and OmegaConf.select(known, key, default=...) is ...:
            raise ConfigError(key, _given(override), allowed_beside(known, key))

    def resolve(self, overrides: Mapping[str, Any]) -> CellConfig:
        """Return the validated configuration of a cell: groups are chosen first, then keys set.

        An id in place of an environment's file stands for the default settings with this id.
        """
        groups = {key: value for key, value in overrides.items() if self.is_group(key)}
        env = str(groups.get("env", ""))
        by_id = is_env_id(env, self.options("env"))
        values = self._compose(
            {key: value for key, value in groups.items() if key != "env" or not by_id}
        )
        if by_id:
            values["env"]["id"] = env
        for key, value in overrides.items():
            if key not in groups:
                _set(values, key, value)
        if self.device != "cpu":
            _set(values, "agent.backend", "torch")
        return parse(values)

    def is_group(self, key: str) -> bool:
        """Return whether a key names a config group, a folder below `conf/`."""
        return key in ("env", "agent", "replay")

    def options(self, group: str) -> list[str]:
        """Return the names that a config group offers."""
        if group not in self._options:
            names = self._loader.get_group_options(group, ObjectType.CONFIG)
            self._options[group] = [name for name in names if name != "base"]
        return self._options[group]

    def references(self, environment: str) -> References | None:
        """Return the references that an environment's file gives scores to be compared with."""
        if is_env_id(environment, self.options("env")):
            return None
        if environment not in self._references:
            self._compose({"env": environment})
        values = self._references[environment]
        return None if values is None else validate(References, values, prefix="references.")

    def _compose(self, groups: Mapping[str, Any]) -> dict[str, Any]:
        words = tuple(f"{group}={choice}" for group, choice in sorted(groups.items()))
        if words not in self._composed:
            for group, choice in groups.items():
                options = self.options(group)
                if choice not in options:
                    allowed = one_of(choice, options)
                    raise ConfigError(group, choice, allowed)
            config = self._loader.load_configuration(CONFIG_NAME, list(words), RunMode.RUN)
            values = to_plain(config)
            self._composed[words] = {name: values[name] for name in CELL_SECTIONS}
            self._references[groups.get("env", "")] = values["references"]
        return deepcopy(self._composed[words])


def study_of(values: Mapping[str, Any], line: CommandLine, size: str | None = None) -> Study:
    """Return the requested study with the overrides of the command line applied.

    Lists of values make factors of the ad-hoc study; their first values are its baseline.
    """
    study = parse_study(sized(values, size, line.study_keys))
    require_scores(study)
    environments = line.axes.pop("env", None) or line.cell.pop("env", None)
    if environments is not None:
        names = environments if isinstance(environments, list) else [environments]
        study = replace(study, environments=[str(name) for name in names])
    study = replace(study, baseline=study.baseline | line.cell)
    if not line.axes:
        return study
    if study.factors:
        key, levels = next(iter(line.axes.items()))
        given = ",".join(str(level) for level in levels)
        raise ConfigError(key, given, f"study '{study.name}' has its own factors; leave out study=")
    factors = {key: Factor(levels=levels, key=key) for key, levels in line.axes.items()}
    first = {key: levels[0] for key, levels in line.axes.items()}
    digest = sha256(repr((study.baseline, line.axes, study.environments)).encode()).hexdigest()[:6]
    return replace(
        study, name=f"{study.name}-{digest}", baseline=study.baseline | first, factors=factors
    )


def plan_of(
    composer: Composer,
    study_values: Mapping[str, Any],
    line: CommandLine,
    size: str | None = None,
    results_dir: Path = Path("results"),
) -> Plan:
    """Return the expanded plan of the study, every cell validated, environments and components tried.

    What trials showed is kept below `results_dir`.
    """
    from ablation.agent.check import check_agent
    from ablation.envs.spec import env_spec

    # Before the study takes its environments out of the line.
    asked = bool(line.cell or line.axes) or any(word.startswith("study=") for word in line.rest)
    study = study_of(study_values, line, size)
    if not (asked or study.factors):
        studies = ", ".join(name for name in composer.options("study") if name != "adhoc")
        allowed = f"say which: {studies}; or what to compare, as in replay=uniform,none"
        raise ConfigError("study", "(not given)", allowed)
    plan = expand(study, composer.resolve)
    given = {name: composer.references(name) for name in plan.study.environments}
    plan.references.update({name: own for name, own in given.items() if own is not None})
    check_environments((cell.config.env for cell in plan.configured.values()), results_dir)
    try_components(plan.configured.values(), results_dir)
    for cell in plan.configured.values():
        spec = env_spec(cell.config.env.id, options_of(cell.config.env))
        if cell.shared_steps and spec.not_reproducible is not None:
            allowed = (
                f"is not reproducible ({spec.not_reproducible}): its runs have nothing to fork from"
            )
            raise ConfigError("fork", cell.config.env.id, allowed)
        check_agent(cell.config.agent, spec.observation_shape, spec.actions)
    return plan


def to_plain(config: DictConfig) -> dict[str, Any]:
    """Return a composed configuration as plain values, without Hydra's own."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return cast(dict[str, Any], OmegaConf.to_container(own, resolve=True))


def _given(override: Override) -> str:
    return str(override.input_line).partition("=")[2]


def _unquoted(value: Any) -> Any:
    return value.text if hasattr(value, "text") else value


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    section = values
    for depth, parent in enumerate(parents):
        inside = section.get(parent)
        if not isinstance(inside, dict):
            prefix = "".join(f"{part}." for part in parents[:depth])
            names = [prefix + name for name in section]
            allowed = one_of(prefix + parent, names, "allowed here")
            raise ConfigError(key, value, f"unknown key; {allowed}")
        section = inside
    if isinstance(value, Mapping) and isinstance(section.get(last), dict):
        value = section[last] | dict(value)
    section[last] = value
