"""Takes all lanes through many environment steps in one compiled call; see `block_kernels`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.kernels import Batch, StepOutput
from ablation.agent.learner import Learner
from ablation.agent.losses import BATCHES
from ablation.agent.optimizers import corrections
from ablation.config.schedules import values_between
from ablation.config.schema import CellConfig
from ablation.config.step_schedule import StepSchedule
from ablation.diagnostics.run_states import RunStates
from ablation.envs.array_lanes import ArrayLanes, LaneArrays
from ablation.numerics.random_streams import BLOCK_STEPS
from ablation.replay.buffer import ReplayBuffer
from ablation.replay.lane_kernels import Sample
from ablation.store.records import Records
from ablation.training import block_kernels as kernels
from ablation.training.interaction import Interaction
from ablation.training.lane_threads import LaneThreads

NO_STATES = np.empty((0, 0, 0), np.float32), 0, 0
NO_WORDS = np.empty(0, np.int64)
NO_EVICTIONS = np.empty((0, 0, 0), np.int64)


def block_fits(interaction: Interaction, learner: Learner, buffer: ReplayBuffer) -> bool:
    """Return whether compiled blocks can train a cell; others are trained step by step.

    They can where the environment has compiled dynamics, the networks are trained by compiled loops,
    and `ReplayBuffer.arrays` knows the sampler.
    """
    return (
        isinstance(interaction.environment, ArrayLanes)
        and isinstance(learner.backend, CompiledBackend)
        and buffer.arrays() is not None
    )


class Block:
    """Advances the objects that a `DQNTrainer` is made of, as stepping them one by one would.

    It works on their arrays, so either may take any step. `threads` share the lanes among them.
    """

    def __init__(
        self,
        config: CellConfig,
        schedule: StepSchedule,
        interaction: Interaction,
        learner: Learner,
        buffer: ReplayBuffer,
        run_states: RunStates | None,
        records: Records,
        threads: LaneThreads,
    ) -> None:
        """Prepare to advance objects that `block_fits` accepts."""
        assert isinstance(learner.backend, CompiledBackend)
        assert isinstance(interaction.environment, ArrayLanes)
        self._config, self._schedule = config, schedule
        self._interaction, self._learner, self._buffer = interaction, learner, buffer
        self._run_states, self._records = run_states, records
        self._backend, self._environment = learner.backend, interaction.environment
        self._lanes = lanes = len(interaction.observation)
        self._results = kernels.Results(
            np.zeros(lanes, np.int64),
            np.empty((lanes, BLOCK_STEPS, kernels.EPISODE_VALUES)),
            np.zeros(lanes, np.int64),
        )
        size = interaction.observation.shape[1]
        self._scratch = [
            make_scratch(learner.backend, schedule.batch_size, size) for _ in range(threads.count)
        ]
        self._threads = threads

    def advance(self, env_step: int, most: int) -> int:
        """Take at most so many steps from `env_step` on and return how many; 0: take one by itself.

        A step that logs is to be taken by itself, and so is one that computes all priorities anew.
        """
        due = self._due(env_step, most)
        if not len(due):
            return 0
        if self._run_states is not None:
            self._run_states.make_room(env_step)
            due = due[: self._run_states.steps_with_room(env_step)]
        steps = self._steps(env_step, due)
        self._results.taken[:] = 0
        while (self._results.taken < len(due)).any():
            self._results.finished[:] = 0
            self._call(steps)
            self._buffer.check_compiled()
            self._record()
        self._count(env_step, due, steps)
        return len(due)

    def _due(self, env_step: int, most: int) -> NDArray[np.int64]:
        """Return the gradient steps by the end of each of the block's environment steps.

        The block ends with the random words that are drawn together, before the next step that logs,
        and before the next draw that computes all priorities anew.
        """
        every, before = self._config.train.log_every, self._learner.gradient_steps
        most = min(most, every - 1 - env_step % every, BLOCK_STEPS - env_step % BLOCK_STEPS)
        due = self._schedule.all_due(env_step + 1, env_step + 1 + most)
        last: float = before + BLOCK_STEPS - before % BLOCK_STEPS
        prioritized = self._buffer.prioritized
        if prioritized is not None:
            last = min(last, before + prioritized.draws_to_refresh)
        return due[: np.searchsorted(due, last, "right")]

    def _steps(self, env_step: int, due: NDArray[np.int64]) -> kernels.Steps:
        agent, replay, buffer = self._config.agent, self._config.replay, self._buffer
        first, last, run_steps = env_step, env_step + len(due), self._schedule.env_steps
        before = self._learner.gradient_steps
        rates = values_between(agent.learning_rate, first + 1, last + 1, run_steps)
        exponent = values_between(replay.priority_exponent, first + 1, last + 1, run_steps)
        return kernels.Steps(
            env_step,
            before,
            due,
            values_between(agent.exploration_epsilon, first, last, run_steps),
            self._exponent_of_new(exponent, due),
            exponent,
            values_between(replay.importance_sampling_exponent, first + 1, last + 1, run_steps),
            corrections(agent, before + 1, np.repeat(rates, np.diff(due, prepend=before))),
            self._interaction.exploration.words_from(env_step),
            buffer.replay_words.words_from(before),
            NO_EVICTIONS if buffer.evict_words is None else buffer.evict_words.words_from(env_step),
        )

    def _exponent_of_new(
        self, exponent: NDArray[np.float64], due: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the exponent that new items' priorities have: that of the last draw before."""
        prioritized = self._buffer.prioritized
        if prioritized is None:
            return exponent
        drew = np.diff(due, prepend=self._learner.gradient_steps) > 0
        latest = np.maximum.accumulate(np.where(drew, np.arange(1, len(due) + 1), 0))
        exponents = np.concatenate(([prioritized.exponent], exponent))
        return exponents[np.concatenate(([0], latest[:-1]))]

    def _call(self, steps: kernels.Steps) -> None:
        """Take every lane as far as its reset seeds reach."""
        envs, interaction, learning = self._arrays()
        buffer = self._buffer.arrays()
        assert buffer is not None
        arrays = envs, interaction, buffer, learning, steps, self._results

        def train(thread: int, first: int, last: int) -> None:
            kernels.train_lanes(first, last, *arrays, self._scratch[thread])

        self._threads.share(self._lanes, train)

    def _arrays(self) -> tuple[LaneArrays, kernels.Interaction, kernels.Learning]:
        agent, states = self._config.agent, self._run_states
        lanes, network, constants = self._backend.arrays()
        reward = np.nan if agent.termination_reward is None else agent.termination_reward
        kept, kept_count, stride = NO_STATES if states is None else states.arrays()
        interaction = kernels.Interaction(
            self._interaction.observation.numpy(),
            np.float32(agent.discount),
            np.float32(reward),
            agent.time_limit_bootstrap,
            *self._records.arrays(),
            kept,
            kept_count,
            stride,
        )
        in_env_steps = agent.target_update_unit == "env_steps"
        period = agent.target_update_period
        learning = kernels.Learning(
            lanes,
            network,
            constants,
            period if in_env_steps and agent.target_network else 0,
            1 if not agent.target_network else 0 if in_env_steps else period,
            np.float32(self._learner.target_tau),
            agent.loss in BATCHES,
        )
        return self._environment.arrays(), interaction, learning

    def _record(self) -> None:
        for lane in np.flatnonzero(self._results.finished).tolist():
            count = self._results.finished[lane]
            self._records.add_episodes(lane, self._results.episodes[lane, :count])

    def _count(self, env_step: int, due: NDArray[np.int64], steps: kernels.Steps) -> None:
        """Count the steps that the arrays have taken in the objects that own them."""
        learned = int(due[-1]) - self._learner.gradient_steps
        self._learner.took(learned)
        if self._run_states is not None:
            self._run_states.added(env_step, len(due))
        if self._buffer.prioritized is not None and learned:
            self._buffer.prioritized.drawn += learned
            last = np.flatnonzero(np.diff(due, prepend=due[-1] - learned))[-1]
            self._buffer.prioritized.exponent = float(steps.priority_exponent[last])


def make_scratch(backend: CompiledBackend, batch: int, observation_size: int) -> kernels.Scratch:
    """Return what one thread works in, for batches and observations of these sizes."""

    def floats(*shape: int) -> NDArray[np.float32]:
        return np.zeros(shape, np.float32)

    def integers() -> NDArray[np.int64]:
        return np.zeros(batch, np.int64)

    def vectors() -> NDArray[np.float32]:
        return floats(batch, observation_size)

    return kernels.Scratch(
        backend.new_workspace(1),
        backend.new_workspace(batch),
        Batch(vectors(), integers(), floats(batch), floats(batch), vectors(), floats(batch)),
        StepOutput(floats(batch), floats(batch), floats(batch)),
        Sample(integers(), np.zeros(batch), np.zeros(batch), np.zeros(batch), integers()),
        floats(observation_size),
        NO_WORDS,
    )
