"""MinAtar's and Atari's games as lanes: against the packages themselves, and as a run learns them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ablation.config.identity import canonical, cell_name
from ablation.config.validation import ConfigError
from ablation.envs.games import MINATAR_GAMES
from ablation.envs.lanes import LaneEnvironment
from ablation.envs.make import lane_maker
from ablation.envs.spec import env_spec
from ablation.numerics.pixels import BYTE_VALUES
from ablation.training.dqn import DQNTrainer

from .conftest import Configure
from .processes import python
from .training_runs import digest, resumed, train

minatar = pytest.importorskip("minatar", reason="needs the extra minatar")
ale_py = pytest.importorskip("ale_py", reason="needs the extra atari")
cv2 = pytest.importorskip("cv2", reason="needs the extra atari")

CPU = torch.device("cpu")
LANES = 3
GAMES = [f"MinAtar/{name}" for name in MINATAR_GAMES]


def seed_of(lane: int, episode: int) -> int:
    return 1000 * lane + episode


def lanes(
    env_id: str, limit: int | None = None, seeds: Any = seed_of, **options: Any
) -> LaneEnvironment:
    return lane_maker(env_id, "gymnasium", limit, options=tuple(options.items()))(LANES, seeds, True)


def actions_of(env_id: str, steps: int) -> torch.Tensor:
    count = env_spec(env_id).actions
    return torch.from_numpy(np.random.default_rng(0).integers(count, size=(steps, LANES)))


# MinAtar.


@pytest.mark.parametrize("env_id", GAMES)
@pytest.mark.parametrize(("sticky", "ramping"), [(0.1, True), (0.5, False)])
def test_a_minatar_lane_is_the_packages_game_seeded_for_each_episode(
    env_id: str, sticky: float, ramping: bool
) -> None:
    made = lanes(env_id, sticky_actions=sticky, ramping=ramping)
    observation = made.reset()
    episode, game = [0] * LANES, []

    def fresh(lane: int) -> Any:
        new = minatar.Environment(MINATAR_GAMES[env_id.partition("/")[2]], sticky, ramping)
        new.seed(seed_of(lane, episode[lane]))
        new.reset()
        return new

    def numbers(lane: int) -> torch.Tensor:
        return torch.from_numpy(game[lane].state().transpose(2, 0, 1).copy()).flatten().float()

    game = [fresh(lane) for lane in range(LANES)]
    for actions in actions_of(env_id, 300):
        assert all(torch.equal(observation[lane], numbers(lane)) for lane in range(LANES))
        step = made.step(actions)
        observation = step.observation
        for lane in range(LANES):
            reward, terminated = game[lane].act(int(actions[lane]))
            assert step.reward[lane] == reward
            assert step.terminated[lane] == terminated
            assert torch.equal(step.final_observation[lane], numbers(lane))
            if terminated:
                episode[lane] += 1
                game[lane] = fresh(lane)
    assert not step.truncated.any()


def test_actions_that_always_stick_are_the_idle_one() -> None:
    stuck, idle = (lanes("MinAtar/Breakout", sticky_actions=sticky) for sticky in (1.0, 0.0))
    assert torch.equal(stuck.reset(), idle.reset())
    for actions in actions_of("MinAtar/Breakout", 60):
        found, expected = stuck.step(actions), idle.step(torch.zeros_like(actions))
        assert torch.equal(found.observation, expected.observation)


def test_ramping_makes_a_long_episode_another_one() -> None:
    # Both games draw the same numbers until the first rise of the difficulty.
    rising, level = (lanes("MinAtar/Asterix", ramping=ramping) for ramping in (True, False))
    assert torch.equal(rising.reset(), level.reset())
    idle = torch.zeros(LANES, dtype=torch.int64)
    same = [torch.equal(rising.step(idle).reward, level.step(idle).reward) for _ in range(99)]
    assert all(same)
    later = [
        torch.equal(rising.step(idle).observation, level.step(idle).observation) for _ in range(900)
    ]
    assert not all(later)


@pytest.mark.parametrize(
    ("game", "minimal"),
    [("Asterix", 5), ("Breakout", 3), ("Freeway", 3), ("Seaquest", 6), ("SpaceInvaders", 4)],
)
def test_minimal_actions_are_those_that_do_something(game: str, minimal: int) -> None:
    assert env_spec(f"MinAtar/{game}").actions == 6
    options = (("minimal_actions", True),)
    assert env_spec(f"MinAtar/{game}", options).actions == minimal
    one = lane_maker(f"MinAtar/{game}", "gymnasium", options=options)(1, seed_of, True)
    one.reset()
    for action in range(minimal):
        one.step(torch.tensor([action]))


@pytest.mark.parametrize("env_id", ["MinAtar/Freeway", "Atari/Pong"])
def test_an_episode_is_cut_at_the_limit(env_id: str) -> None:
    made = lanes(env_id, limit=7)
    made.reset()
    idle = torch.zeros(LANES, dtype=torch.int64)
    steps = [made.step(idle) for _ in range(21)]
    assert [number + 1 for number, step in enumerate(steps) if step.truncated.all()] == [7, 14, 21]
    assert not any(step.terminated.any() for step in steps)


# Atari.


def _screen(ale: Any) -> np.ndarray:
    return np.asarray(ale.getScreenGrayscale())


def test_an_atari_lane_is_the_emulator_prepared_by_hand() -> None:
    made = lanes("Atari/SpaceInvaders", noop_max=0)
    observation = made.reset()
    raw = ale_py.AtariEnv("space_invaders", frameskip=1, repeat_action_probability=0.0)
    raw.reset(seed=seed_of(1, 0))
    frame = cv2.resize(_screen(raw.ale), (84, 84), interpolation=cv2.INTER_AREA)
    stack = [np.zeros_like(frame)] * 3 + [frame]
    rewards = 0.0
    for action in actions_of("Atari/SpaceInvaders", 150)[:, 1].tolist():
        expected = BYTE_VALUES[np.stack(stack)].ravel()
        np.testing.assert_array_equal(observation[1].numpy(), expected)
        reward, screens = 0.0, []
        for _ in range(4):
            reward += raw.step(action)[1]
            screens.append(_screen(raw.ale))
        merged = np.maximum(screens[2], screens[3])
        stack = [*stack[1:], cv2.resize(merged, (84, 84), interpolation=cv2.INTER_AREA)]
        step = made.step(torch.full((LANES,), action))
        observation = step.observation
        assert step.reward[1] == reward
        rewards += reward
    assert rewards > 0


def test_an_atari_episode_is_a_function_of_its_seed_alone() -> None:
    def walk(seeds: Any) -> list[torch.Tensor]:
        made = lanes("Atari/Breakout", limit=40, seeds=seeds, sticky_actions=0.25)
        first = made.reset()
        return [first, *(made.step(actions).observation for actions in actions)]

    actions = actions_of("Atari/Breakout", 40).repeat(2, 1)
    same = walk(lambda lane, _episode: lane)
    for one, other in zip(same[:40], same[40:80], strict=True):
        assert torch.equal(one, other)
    # Idle frames at the start and sticky actions are drawn from it.
    others = walk(lambda lane, _episode: lane + 50)
    assert not all(torch.equal(one, other) for one, other in zip(same, others, strict=True))


def atari(configure: Configure, game: str, **changes: Any) -> DQNTrainer:
    sizes = {"train__env_steps": 400, "train__evaluate_every": 400, "replay__capacity": 300}
    sizes |= {"replay__min_replay_size": 300, "agent__batch_size": 2}
    small = {"env__frame_stack": 2, "train__evaluation_episodes": 1}
    config = configure(env__id=f"Atari/{game}", **sizes | small | changes)
    return DQNTrainer(config, [0], CPU, diagnosed=False)


def test_learning_sees_clipped_rewards_and_scores_those_of_the_game(configure: Configure) -> None:
    trainer = atari(configure, "SpaceInvaders", env__time_limit=150)
    trainer.advance(299)
    stored = trainer._buffer.ring.gather(torch.arange(299).unsqueeze(0))
    assert stored["reward"].max() == 1
    first = trainer.records.lanes[0].episodes[0]
    assert first["episode_length"] == 150
    assert first["episode_return"] > stored["reward"][0, :150].sum()


@pytest.mark.parametrize("terminates", [True, False])
@pytest.mark.parametrize("n_step", [1, 3])
def test_a_lost_life_ends_the_return_but_not_the_episode(
    configure: Configure, terminates: bool, n_step: int
) -> None:
    trainer = atari(configure, "Breakout", env__life_loss_terminates=terminates, replay__n_step=n_step)
    lost: list[int] = []
    ended = 0
    take = trainer._interaction.environment.step

    def watched(actions: torch.Tensor) -> Any:
        nonlocal ended
        step = take(actions)
        ended += int((step.terminated | step.truncated).sum())
        if step.life_lost is not None and step.life_lost.item():
            lost.append(trainer.env_step)
        return step

    trainer._interaction.environment.step = watched  # type: ignore[method-assign]
    while not lost or trainer.env_step < lost[0] + 10:
        trainer.advance(1)
    assert ended == 0
    stored = trainer._buffer.ring.gather(torch.arange(lost[0] + 5).unsqueeze(0))
    ends = (stored["discount"][0] == 0).nonzero().flatten().tolist()
    assert ends == (list(range(lost[0] - n_step + 1, lost[0] + 1)) if terminates else [])


# Checkpoints.


@pytest.mark.parametrize("env_id", ["MinAtar/Asterix", "Atari/Breakout"])
def test_restored_lanes_go_on_as_those_that_were_saved(env_id: str) -> None:
    made, again = (lanes(env_id, limit=60, sticky_actions=0.25) for _ in range(2))
    made.reset()
    actions = actions_of(env_id, 130)
    for row in actions[:85]:
        made.step(row)
    again.restore(made.state())
    lost = 0
    for row in actions[85:]:
        found, expected = again.step(row), made.step(row)
        for name, values in vars(expected).items():
            assert torch.equal(getattr(found, name), values)
        assert expected.life_lost is not None
        lost += int(expected.life_lost.sum())
    assert (lost > 0) == env_id.startswith("Atari")


RUNS: list[dict[str, Any]] = [
    {"env__id": "MinAtar/Breakout", "replay__n_step": 3, "replay__kind": "proportional"},
    {"env__id": "MinAtar/Seaquest", "env__time_limit": 30},
]


@pytest.mark.parametrize("changes", RUNS)
def test_a_resumed_run_is_bit_equal_to_an_uninterrupted_one(
    configure: Configure, tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = configure(train__env_steps=100, train__evaluation_episodes=1, **changes)
    whole, again = train(config, [0, 3]), resumed(config, tmp_path, [7, 63], [0, 3])
    for lane in range(2):
        assert digest(again, lane) == digest(whole, lane)


def test_a_run_does_not_depend_on_the_lanes_beside_it(configure: Configure) -> None:
    config = configure(env__id="MinAtar/Asterix")
    together, alone = train(config, [0, 3]), train(config, [3])
    assert digest(together, 1) == digest(alone, 0)


# Settings.


def test_a_usual_setting_may_be_said_or_not(configure: Configure) -> None:
    usual = cell_name(configure(env__id="MinAtar/Breakout"))
    assert cell_name(configure(env__id="MinAtar/Breakout", env__sticky_actions=0.1)) == usual
    assert cell_name(configure(env__id="MinAtar/Breakout", env__time_limit=5000)) == usual
    assert cell_name(configure(env__id="MinAtar/Breakout", env__sticky_actions=0.0)) != usual
    assert set(canonical(configure())["env"]) == {"id", "backend"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"env__sticky_actions": 0.1},
        r"env.sticky_actions = 0.1: only MinAtar/\.\.\. and Atari/\.\.\. have",
    ),
    (
        {"env__id": "Atari/Pong", "env__ramping": True},
        r"env.ramping = True: only MinAtar/\.\.\. have it",
    ),
    ({"env__id": "MinAtar/Breakout", "env__frame_skip": 4}, "env.frame_skip = 4: only Atari"),
    ({"env__id": "MinAtar/Breakout", "replay__eviction": "random"}, "replay.eviction = random: must be"),
    ({"env__id": "MinAtar/Breakout", "replay__n_step": 101}, "replay.n_step = 101: must be at most 100"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_settings_that_cannot_be_are_refused(
    configure: Configure, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        configure(**changes)


@pytest.mark.parametrize(
    ("env_id", "closest"),
    [("MinAtar/Brakout", "Breakout"), ("Atari/Brakout", "Breakout"), ("Atari/Combat", "")],
)
def test_a_game_that_there_is_not_is_refused_with_the_closest(env_id: str, closest: str) -> None:
    with pytest.raises(ConfigError, match=f"no such game; the closest are {closest}"):
        env_spec(env_id)


@pytest.mark.parametrize(
    ("env_id", "module", "extra"),
    [
        ("MinAtar/Freeway", "minatar", "minatar"),
        ("Atari/Tennis", "ale_py", "atari"),
        ("Atari/Tennis", "cv2", "atari"),
    ],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, env_id: str, module: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    env_spec.cache_clear()
    hint = rf"env.id = {env_id}: needs a package.*pip install -e '\.\[{extra}\]' installs it"
    with pytest.raises(ConfigError, match=hint):
        env_spec(env_id)


@pytest.mark.slow
def test_fifty_thousand_steps_of_atari_end_to_end(tmp_path: Path) -> None:
    results = tmp_path / "results"
    words = [
        "env=atari_breakout",
        # A greedy policy may never launch the ball.
        "env.time_limit=1000",
        "study.seeds=1",
        "tracking=disabled",
        f"results_dir={results}",
        "train.env_steps=50000",
        "train.evaluate_every=25000",
        "train.evaluation_episodes=2",
        "train.log_every=5000",
        "replay.capacity=10000",
        "agent.hidden_sizes=[16]",
        "agent.batch_size=8",
        "agent.learn_period=10",
    ]
    python("-m", "ablation", "sweep", *words)
    (run,) = results.glob("runs/Atari-Breakout-*/0000")
    record = json.loads((run / "run.json").read_text())
    assert (record["status"], record["env_steps"]) == ("complete", 50_000)
    episodes = pd.read_parquet(run / "episodes.parquet")
    assert 49_000 <= episodes["episode_length"].sum() <= 50_000
    # Bricks are worth 1, 4 and 7: scores beyond the learned ones of 1, of all five lives.
    assert episodes["episode_return"].max() >= 4
    assert (episodes["terminated"] | (episodes["episode_length"] == 1000)).all()
    evaluations = pd.read_parquet(run / "evaluations.parquet")
    assert evaluations["env_step"].tolist() == [25_000, 25_000, 50_000, 50_000]
