"""Checks the environments of a plan before it is shown or trained, each in a process of its own.

Environments of Gymnasium itself and ours are known; any other may hang, exit or crash where it is
made. A check takes about a third of a second and is remembered below the results, by the environment's
code, its settings and versions.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ablation.config.own_environment import changes_of
from ablation.config.schema import EnvConfig
from ablation.config.source import fingerprints, package_of
from ablation.config.tasks import BATCHED, OF_GYMNASIUM, options_of, task_of
from ablation.config.validation import ConfigError
from ablation.store.files import read_json, write_json
from ablation.sweep.processes import usable_cores

if TYPE_CHECKING:
    from ablation.envs.spec import EnvSpec

SECONDS = 60.0
"""Time after which an environment that has not answered is refused."""
SCHEMA = 1
"""Version of the answers that are kept."""
KNOWN_PACKAGES = ("gymnasium", "ablation")


def check_environments(envs: Iterable[EnvConfig], results_dir: Path) -> None:
    """Raise `ConfigError` for the first environment that cannot be trained in."""
    from ablation.envs.spec import env_spec, know

    configured = list(envs)
    asked = {(env.id, options_of(env)): env for env in configured}
    others = {key: env for key, env in asked.items() if is_foreign(env)}
    with ThreadPoolExecutor(usable_cores()) as pool:
        specs = list(pool.map(lambda env: checked_spec(env, results_dir), others.values()))
    for key, spec in zip(others, specs, strict=True):
        know(*key, spec)
    for env in configured:
        limited = env.time_limit or task_of(env.id) is not OF_GYMNASIUM
        if not limited and env_spec(env.id, options_of(env)).time_limit is None:
            allowed = f"{env.id} has no time limit: an episode may never end; set one, in steps"
            raise ConfigError("env.time_limit", None, allowed)


def is_foreign(env: EnvConfig) -> bool:
    """Return whether an environment is neither Gymnasium's nor ours, or is changed by settings."""
    if task_of(env.id) is not OF_GYMNASIUM or (env.id in BATCHED and not changes_of(env)):
        return False
    return (
        ":" in env.id or bool(changes_of(env)) or _registered_by(env.id) not in (None, *KNOWN_PACKAGES)
    )


def checked_spec(env: EnvConfig, results_dir: Path) -> EnvSpec:
    """Return the sizes of an environment from its check, now or earlier; raises `ConfigError`."""
    from ablation.envs.check import spec_of

    changes, gymnasium = changes_of(env), f"gymnasium {version('gymnasium')}"
    code = fingerprints({"id": env.id}).get(env.id) or package_of(_registered_by(env.id) or "")
    parts = [SCHEMA, env.id, changes, code, fingerprints(changes), gymnasium, sys.version]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    path = results_dir / "environments" / f"{digest}.json"
    with suppress(TypeError, KeyError):
        return spec_of(read_json(path)["spec"])
    spec = replace(_ask(env), fingerprint=code)
    with suppress(OSError):
        write_json(path, {"id": env.id} | changes | {"code": code, "spec": asdict(spec)})
    return spec


def _registered_by(env_id: str) -> str | None:
    """Return the package that registers an id without a module, None for one that is not registered."""
    if ":" in env_id:
        return None
    import gymnasium

    spec = gymnasium.registry.get(env_id)
    entry = None if spec is None else spec.entry_point
    return entry.partition(".")[0].partition(":")[0] if isinstance(entry, str) else None


def _ask(env: EnvConfig) -> EnvSpec:
    """Return what the check in another process answers; raises `ConfigError` for a refusal."""
    from ablation.envs.check import ANSWER, spec_of

    request = json.dumps({"id": env.id, "options": options_of(env)})
    with tempfile.TemporaryFile("w+", encoding="utf-8") as told, tempfile.TemporaryFile("w+") as printed:
        ended = _run(request, told, printed)
        told.seek(0)
        lines = told.read().splitlines()
        if lines and lines[-1].startswith(ANSWER):
            answer = json.loads(lines[-1].removeprefix(ANSWER))
            if "spec" in answer:
                return spec_of(answer["spec"])
            raise ConfigError(answer["key"], answer["value"], answer["refused"])
        printed.seek(0)
        last = printed.read().strip().rpartition("\n")[2][:200]
    where = lines[-1] if lines else "before it is made"
    raise ConfigError("env.id", env.id, f"{ended} {where}" + (f"; it printed: {last}" if last else ""))


def _run(request: str, told: IO[str], printed: IO[str]) -> str:
    """Run the check to its end, or end it when its time is up; return how it ended, in words."""
    descriptor = told.fileno()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ablation.envs.check", str(descriptor)],
        stdin=subprocess.PIPE,
        stdout=printed,
        stderr=printed,
        pass_fds=(descriptor,),
        start_new_session=True,
        text=True,
        # Nobody sits at a debugger in this process.
        env=os.environ | {"PYTHONBREAKPOINT": "0"},
    )
    try:
        with suppress(BrokenPipeError):
            process.communicate(f"{request}\n", SECONDS)
    except subprocess.TimeoutExpired:
        return f"hangs (no answer within {SECONDS:g} s)"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode < 0:
        return f"crashes the process ({signal.Signals(-process.returncode).name})"
    return f"ends the process (exit status {process.returncode})"
