"""Explains a refused command line: one line with the key, its value and what is allowed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf
from yaml import YAMLError

from ablation.cli.compose import CONFIG_NAME
from ablation.cli.unknown_keys import allowed_beside
from ablation.config.near import one_of
from ablation.config.tasks import is_env_id
from ablation.config.validation import ConfigError


def explain(error: Exception, config_directory: str, arguments: Sequence[str]) -> str:
    """Return one line for an error of Hydra's: the wrong key, its value, what is allowed."""
    with config_loader(config_directory) as loader:
        parser = OverridesParser.create(config_loader=loader)
        known = loader.load_configuration(CONFIG_NAME, [], RunMode.RUN)
        for word in arguments:
            if word.startswith(("-", "runs=", "power=", "difference=", "minutes=")):
                continue
            try:
                override = parser.parse_override(word)
            except Exception as refused:
                return f"{word}: not an override ({_first_line(refused)}); {_how_to_write(word)}"
            key = str(override.key_or_group)
            options = loader.get_group_options(key)
            if options:
                if not override.is_sweep_override() and not _offered(key, override.value(), options):
                    names = [name for name in options if name != "base"]
                    return str(ConfigError(key, override.value(), one_of(override.value(), names)))
            elif (
                not override.is_hydra_override()
                and OmegaConf.select(known, key, default=_ABSENT) is _ABSENT
            ):
                return str(ConfigError(key, override.value(), allowed_beside(known, key)))
    cause = error.__cause__
    return _first_line(error) + (f" ({_first_line(cause)})" if cause else "")


_ABSENT = object()


def explain_yaml(error: YAMLError) -> str:
    """Return one line for a file that is not YAML: its name, the line, what is wrong there."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return _first_line(error)
    problem = getattr(error, "problem", None) or _first_line(error)
    context = getattr(error, "context", None)
    reason = f"{problem} {context}" if context else str(problem)
    hint = "check the indentation of this line and the one before" if "block" in reason else ""
    return f"{mark.name}, line {mark.line + 1}: {' '.join(reason.split())}" + (hint and f"; {hint}")


def _offered(key: str, value: object, options: Sequence[str]) -> bool:
    return value in options or (key == "env" and is_env_id(str(value), options))


def explain_encoding(directories: Sequence[str]) -> str | None:
    """Return one line for the first configuration file that is not UTF-8; None if all are."""
    for directory in directories:
        for path in sorted(Path(directory.removeprefix("file://")).rglob("*.yaml")):
            data = path.read_bytes()
            try:
                data.decode()
            except UnicodeDecodeError as error:
                line = data[: error.start].count(b"\n") + 1
                return f"{path}, line {line}: not UTF-8 (byte {data[error.start]:#x}); save it as UTF-8"
    return None


def _how_to_write(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals or not key.replace(".", "").replace("_", "").lstrip("+~").isalnum():
        return "write key=value, and a value with spaces in quotes"
    if value[:1] in ("[", "{") and value[-1:] not in ("]", "}"):
        return "a list is one word: leave out its spaces, or put the whole word in quotes"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f"quote the value: '{key}=\"{escaped}\"'"


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def config_loader(config_directory: str) -> Iterator[Any]:
    """Yield Hydra's configuration loader for a directory, outside of a Hydra application."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=config_directory, version_base="1.3"):
        yield GlobalHydra.instance().config_loader()
