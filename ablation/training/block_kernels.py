"""Many environment steps of one lane in one compiled call, then of the next lane.

A step acts, steps the environment, stores the transition, draws a batch, takes a gradient step, notes
the new priorities and refreshes the target network, as `DQNTrainer` does step by step for all lanes.
Lanes are independent and random words are functions of (seed, stream, step), so the order makes no
difference to the numbers; a lane's parameters and moments stay in the near caches for the whole block.

Arrays are those of the objects that do the same step by step. `[K, ...]` has a block's environment
steps first, `[G, ...]` its gradient steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ablation.agent.kernels import (
    Batch,
    LaneState,
    StepOutput,
    act_lane,
    evaluate_lane,
    first_largest,
    lane_state,
    learn_lane,
)
from ablation.agent.network_kernels import INPUTS, Network, Workspace
from ablation.agent.optimizer_kernels import StepConstants
from ablation.envs.array_lanes import LaneArrays
from ablation.envs.kernels import begin_env, observe_env, step_env
from ablation.numerics.compiled import borrowing, merged
from ablation.replay import lane_kernels
from ablation.replay.lane_kernels import Buffer, Sample
from ablation.replay.prefetch_kernels import prefetch_uniform

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

EPISODE_VALUES = 6
"""Of a finished episode: environment and gradient step, return, length, terminated, truncated."""


class Interaction(NamedTuple):
    """What is acted on and how transitions follow; `observation [L, O]`, `termination_reward` or NaN.

    `return_` and `length [L]` are of running episodes. `kept [L, N, O]` holds the observations of
    environment steps that `stride` divides, `kept_count` so far; a stride of 0: none.
    """

    observation: Floats
    discount: np.float32
    termination_reward: np.float32
    time_limit_bootstrap: bool
    return_: Doubles
    length: Integers
    kept: Floats
    kept_count: int
    stride: int


class Learning(NamedTuple):
    """The networks of all lanes, and what gradient steps have in common; periods of 0: never.

    An update moves the target networks by the share `target_tau` towards the online ones.
    """

    lanes: LaneState
    network: Network
    constants: StepConstants
    target_env_steps: int
    target_gradient_steps: int
    target_tau: np.float32
    replaces_loss: bool


class Steps(NamedTuple):
    """A block: the steps before it and everything that changes from step to step.

    `due [K]` are the gradient steps by the end of an environment step, `corrections [G, 3]` those of
    `optimizers.corrections`. Random words are `explore [K, L, 2]`, `replay [G, L, width]` and
    `evict [K, L, n]`, the last empty where the oldest item is overwritten.
    """

    first_env_step: int
    first_gradient_step: int
    due: Integers
    epsilon: Doubles
    exponent_of_new: Doubles
    priority_exponent: Doubles
    sampling_exponent: Doubles
    corrections: Floats
    explore: Doubles
    replay: Integers
    evict: Integers


class Results(NamedTuple):
    """Steps that each lane has taken `[L]`; `episodes [L, K, EPISODE_VALUES]` and how many, `[L]`."""

    taken: Integers
    episodes: Doubles
    finished: Integers


class Scratch(NamedTuple):
    """What one thread works in: see `block.make_scratch`."""

    one: Workspace
    space: Workspace
    batch: Batch
    output: StepOutput
    sample: Sample
    next_observation: Floats
    no_words: Integers


@borrowing
def train_lanes(
    first_lane: int,
    last_lane: int,
    envs: LaneArrays,
    interaction: Interaction,
    buffer: Buffer,
    learning: Learning,
    steps: Steps,
    results: Results,
    scratch: Scratch,
) -> None:
    """Take the steps of a block in lanes `first_lane` to `last_lane - 1`, one lane after the other.

    A lane stops early where its reset seeds run out: `results.taken` says how far it came.
    """
    for lane in range(first_lane, last_lane):
        for step in range(results.taken[lane], len(steps.due)):
            if envs.episode[lane] + 1 - envs.first_seed[lane] >= envs.seeds.shape[1]:
                break
            before = steps.due[step - 1] if step else steps.first_gradient_step
            _interact(lane, step, before, envs, interaction, buffer, learning, steps, results, scratch)
            for number in range(before, steps.due[step]):
                _learn(lane, step, before, number, buffer, learning, steps, scratch)
            period, env_step = learning.target_env_steps, steps.first_env_step + step + 1
            if period and env_step % period == 0:
                _refresh_target(learning, lane)
            results.taken[lane] = step + 1


@merged
def _interact(
    lane: int,
    step: int,
    gradient_step: int,
    envs: LaneArrays,
    interaction: Interaction,
    buffer: Buffer,
    learning: Learning,
    steps: Steps,
    results: Results,
    scratch: Scratch,
) -> None:
    """Act in one lane, store the transition and note the end of an episode."""
    env_step, observation = steps.first_env_step + step, interaction.observation[lane]
    _keep(lane, env_step, steps.first_env_step, interaction)
    action = act_lane(
        learning.lanes.online[lane],
        learning.network,
        interaction.observation[lane : lane + 1],
        steps.epsilon[step],
        steps.explore[step, lane],
        scratch.one,
    )
    reward, terminated, truncated = _step_env(lane, action, envs)
    observe_env(envs.code, envs.state[lane], scratch.next_observation)
    ends_return = terminated or (truncated and not interaction.time_limit_bootstrap)
    learned_reward = reward
    if terminated and not np.isnan(interaction.termination_reward):
        learned_reward = interaction.termination_reward
    lane_kernels.add(
        buffer,
        lane,
        observation,
        action,
        learned_reward,
        np.float32(0) if ends_return else interaction.discount,
        scratch.next_observation,
        terminated or truncated,
        steps.evict[step, lane] if len(steps.evict) else scratch.no_words,
        steps.exponent_of_new[step],
        (env_step + 1, gradient_step),
        scratch.sample,
    )
    interaction.return_[lane] += reward
    interaction.length[lane] += 1
    if terminated or truncated:
        clocks = env_step + 1, gradient_step
        _finish_episode(lane, clocks, terminated, truncated, interaction, results)
        envs.episode[lane] += 1
        envs.steps[lane] = 0
        seed = envs.seeds[lane, envs.episode[lane] - envs.first_seed[lane]]
        begin_env(envs.code, seed, envs.constants, envs.state[lane])
    observe_env(envs.code, envs.state[lane], observation)


@merged
def _keep(lane: int, env_step: int, first: int, interaction: Interaction) -> None:
    """Keep the observation that is acted on, if it is one of those that `RunStates` keeps."""
    stride = interaction.stride
    if stride and env_step % stride == 0:
        place = interaction.kept_count + env_step // stride - (first + stride - 1) // stride
        lane_kernels.copy(interaction.observation[lane], interaction.kept[lane, place])


@merged
def _step_env(lane: int, action: int, envs: LaneArrays) -> tuple[np.float32, bool, bool]:
    """Step one lane's environment, if it is active; return reward, terminated, truncated."""
    envs.steps[lane] += 1
    if not envs.active[lane]:
        return np.float32(0), False, False
    reward, terminated = step_env(envs.code, envs.state[lane], action, envs.constants, envs.moves)
    return np.float32(reward), terminated, envs.steps[lane] >= envs.time_limit


@merged
def _finish_episode(
    lane: int,
    clocks: tuple[int, int],
    terminated: bool,
    truncated: bool,
    interaction: Interaction,
    results: Results,
) -> None:
    row = results.episodes[lane, results.finished[lane]]
    row[0], row[1] = clocks[0], clocks[1]
    row[2], row[3] = interaction.return_[lane], interaction.length[lane]
    row[4], row[5] = terminated, truncated
    results.finished[lane] += 1
    interaction.return_[lane], interaction.length[lane] = 0.0, 0


@merged
def _learn(
    lane: int,
    step: int,
    before: int,
    gradient_step: int,
    buffer: Buffer,
    learning: Learning,
    steps: Steps,
    scratch: Scratch,
) -> None:
    """Draw a batch, take a gradient step on it, note the priorities, refresh the target network.

    `before` are the gradient steps before this environment step.
    """
    batch, sample, number = scratch.batch, scratch.sample, gradient_step - steps.first_gradient_step
    lane_kernels.draw(buffer, lane, before, steps.replay[number, lane], sample, batch.weight)
    lane_kernels.gather(
        buffer.items,
        lane,
        sample.slots,
        batch.observation,
        batch.action,
        batch.reward,
        batch.discount,
        batch.next_observation,
    )
    if buffer.sampling.sampler == lane_kernels.UNIFORM and number + 1 < len(steps.replay):
        _prefetch_next(
            buffer, lane, steps.replay[number + 1, lane], gradient_step + 1 == steps.due[step]
        )
    lane_kernels.weights(buffer, lane, steps.sampling_exponent[step], sample, batch.weight)
    state = lane_state(learning.lanes, lane)
    if learning.replaces_loss:
        _next_value_batch(state.online, learning.network, scratch)
    constants = _constants_of_step(learning.constants, steps.corrections[number])
    learn_lane(state, learning.network, batch, constants, scratch.space, scratch.output)
    lane_kernels.update_priorities(
        buffer, lane, scratch.output.errors, steps.priority_exponent[step], sample
    )
    period = learning.target_gradient_steps
    if period and (gradient_step + 1) % period == 0:
        _refresh_target(learning, lane)


@merged
def _prefetch_next(buffer: Buffer, lane: int, words: Integers, adds: bool) -> None:
    """Ask for the items of the next uniform batch; `adds`: a transition is stored before it is drawn."""
    items, draws = buffer.items, buffer.sampling.draws
    size = min(items.size[lane] + adds, items.capacity)
    prefetch_uniform(items.singles, items.usage, items.capacity, lane, words, draws, size)


@merged
def _refresh_target(learning: Learning, lane: int) -> None:
    """Change a lane's target network as `Learner.refresh_target` does."""
    online, target, tau = learning.lanes.online[lane], learning.lanes.target[lane], learning.target_tau
    if tau == 1:
        lane_kernels.copy(online, target)
    else:
        for index in range(len(target)):
            target[index] += (online[index] - target[index]) * tau


@merged
def _constants_of_step(constants: StepConstants, corrections: Floats) -> StepConstants:
    return StepConstants(
        constants.double_q,
        constants.loss,
        constants.huber_threshold,
        constants.optimizer,
        constants.largest_norm,
        corrections[0],
        corrections[1],
        corrections[2],
        constants.first_decay,
        constants.first_share,
        constants.second_decay,
        constants.second_share,
        constants.epsilon,
        constants.epsilon_in_root,
        constants.l2_penalty,
    )


@merged
def _next_value_batch(online: Floats, network: Network, scratch: Scratch) -> None:
    """Change a batch as `losses.next_value_batch` does."""
    batch, values = scratch.batch, scratch.space.selecting_values
    actions = network.table[INPUTS, -1]
    evaluate_lane(online, network, batch.next_observation, scratch.space, values)
    for row in range(len(batch.action)):
        batch.action[row] = first_largest(values, row * actions, actions)
        batch.weight[row] *= np.float32(batch.discount[row] > 0)
        batch.discount[row] = 0
        lane_kernels.copy(batch.next_observation[row], batch.observation[row])
