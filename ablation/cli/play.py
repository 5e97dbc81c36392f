"""`replay-ablation play RUN`: an episode of a trained policy as a GIF or an MP4."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablation.config.project import Project
from ablation.config.tasks import IN_ENVIRONMENTS, options_of, task_of
from ablation.config.validation import ConfigError
from ablation.envs.exceptions import summary
from ablation.results.load import RESULTS, StudyNotFound, load
from ablation.store.runs import RunKey, Store

if TYPE_CHECKING:
    from ablation.agent.policy import Policy

EXIT_REFUSED = 2
FORMATS = (".gif", ".mp4")

Frame = NDArray[np.uint8]


def run(name: str, words: Sequence[str], project: Project) -> int:  # noqa: ARG001
    """Run the command in a project, below which results lie."""
    return play(words, project.root)


def play(arguments: Sequence[str], root: Path | None = None) -> int:
    """Write an episode of a stored policy to a file and return the exit status.

    What cannot be played is refused in one line: no policy, an environment that does not render.
    """
    from ablation.agent.policy import NoPolicy, load_policy

    given = _parser().parse_args(arguments)
    try:
        directory = _directory(given.run, (root or Path()) / given.results)
        policy = load_policy(directory, "best" if given.best else "final")
        output = given.output or Path(f"{directory.parent.name}-{directory.name}.gif")
        _require_format(output)
        score, frames = _episode(policy, given.seed, given.steps)
        _write(output, frames, given.fps)
    except (ConfigError, NoPolicy, StudyNotFound) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except OSError as error:
        print(f"error: {error.filename or given.output}: {error.strerror}", file=sys.stderr)
        return EXIT_REFUSED
    print(f"{output}: {len(frames) - 1} steps, return {score:g}, {policy.config.env.id}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="replay-ablation play", description="write an episode of a trained policy as a GIF or MP4"
    )
    parser.add_argument("run", nargs="+", help="a run's directory, or STUDY ARM SEED")
    parser.add_argument("--best", action="store_true", help="the policy of the best evaluation")
    parser.add_argument("--seed", type=int, default=0, help="of the episode (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=1000, help="at most so many (default: %(default)s)")
    parser.add_argument("--fps", type=int, default=30, help="frames a second (default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, help="FILE.gif or FILE.mp4 (default: the run's name .gif)"
    )
    parser.add_argument("--results", default=RESULTS, help="results directory (default: %(default)s)")
    return parser


def _directory(words: Sequence[str], results: Path) -> Path:
    """Return the directory of the run that is named by its path, or by study, arm and seed."""
    if len(words) == 1:
        return Path(words[0])
    if len(words) != 3 or not words[2].isdigit():
        raise ConfigError("play", " ".join(words), "takes a run's directory, or STUDY ARM SEED")
    study, name, seed = words
    arms = {arm.name: arm for arm in reversed(load(study, results).plan.arms)}
    if name not in arms:
        raise ConfigError("play", name, f"arms of {study}: {', '.join(reversed(arms))}")
    return Store(results).run_directory(RunKey(arms[name].cell, int(seed)))


def _require_format(output: Path) -> None:
    if output.suffix not in FORMATS:
        raise ConfigError("--output", str(output), f"ends with {' or '.join(FORMATS)}")
    if output.suffix == ".mp4" and shutil.which("ffmpeg") is None:
        raise ConfigError(
            "--output", str(output), "an MP4 needs ffmpeg, which is not there; write a GIF"
        )


def _episode(policy: Policy, seed: int, steps: int) -> tuple[float, list[Frame]]:
    """Return an episode's return, and what it rendered before each step and after the last."""
    environment = _environment(policy)
    frames, score = [], 0.0
    try:
        observation, _ = environment.reset(seed=seed)
        frames.append(_rendered(policy, environment))
        for _ in range(steps):
            observation, reward, terminated, truncated, _ = environment.step(policy.act(observation))
            score += float(reward)
            frames.append(_rendered(policy, environment))
            if terminated or truncated:
                break
    finally:
        environment.close()
    return score, frames


def _environment(policy: Policy) -> Any:
    env = policy.config.env
    if task_of(env.id).trainer != IN_ENVIRONMENTS:
        raise ConfigError("play", env.id, "is no environment: there is no episode to show")
    from ablation.envs.spec import maker

    options = (*options_of(env), ("render_mode", "rgb_array"))
    try:
        made = maker(env.id, env.time_limit, env.evaluation.changed, options)()
    # An environment may raise anything, one that takes no render_mode as well.
    except Exception as error:
        raise ConfigError("play", env.id, f"cannot render: {summary(error)}") from None
    if "rgb_array" not in made.metadata.get("render_modes", ()):
        made.close()
        raise ConfigError("play", env.id, "cannot render: it has no render mode 'rgb_array'")
    return made


def _rendered(policy: Policy, environment: Any) -> Frame:
    try:
        frame = np.asarray(environment.render())
    except Exception as error:
        raise ConfigError("play", policy.config.env.id, f"cannot render: {summary(error)}") from None
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        given = f"{frame.dtype} {list(frame.shape)}, not uint8 [height, width, 3]"
        raise ConfigError("play", policy.config.env.id, f"rendered {given}")
    return frame


def _write(output: Path, frames: Sequence[Frame], fps: int) -> None:
    if output.suffix == ".gif":
        from PIL import Image

        first, *others = (Image.fromarray(frame) for frame in frames)
        first.save(output, save_all=True, append_images=others, duration=1000 / fps, loop=0)
        return
    height, width = frames[0].shape[:2]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
    # Encoders of this format want even sides.
    even = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
    command = ["ffmpeg", "-y", "-loglevel", "error", *raw, *even, str(output)]
    done = subprocess.run(command, input=b"".join(_bytes(frames)), capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ConfigError("--output", str(output), f"ffmpeg failed: {(said or ['no message'])[-1]}")


def _bytes(frames: Sequence[Frame]) -> Iterator[bytes]:
    for frame in frames:
        yield np.ascontiguousarray(frame).tobytes()
