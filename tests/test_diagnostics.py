"""Each measure against a case computed by hand, or a task whose answer is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablation.agent import learner
from ablation.agent.compiled_backend import CompiledBackend
from ablation.agent.torch_backend import TorchBackend
from ablation.diagnostics import measures, probe
from ablation.diagnostics.probe import Diagnostics
from ablation.diagnostics.run_states import RunStates
from ablation.replay.item_usage import DRAWN, LEARNED, STORED, ItemUsage
from ablation.replay.prioritized import Draws, Prioritized
from ablation.replay.priority_schemes import Proportional
from ablation.replay.samplers import Uniform
from ablation.training.dqn import DQNTrainer

from .conftest import Configure
from .replay_helpers import ring_of
from .training_runs import KINDS, counting_id

CPU = torch.device("cpu")


def rows(*values: Any) -> Tensor:
    return torch.tensor([list(row) for row in values], dtype=torch.float64)


# Batches.


def test_quantiles_interpolate() -> None:
    found = measures.quantiles(rows(range(11), [7] * 11))
    assert {name: value.tolist() for name, value in found.items()} == {
        "p10": [1, 7],
        "p50": [5, 7],
        "p90": [9, 7],
    }


def test_duplicates_are_draws_beyond_the_first_of_a_slot() -> None:
    slots = torch.tensor([[1, 1, 2, 1], [4, 3, 2, 1], [0, 0, 0, 0]])
    assert measures.duplicate_share(slots).tolist() == [0.5, 0, 0.75]


def test_adjacent_items_have_their_successor_in_the_batch() -> None:
    stored = torch.tensor([[5, 3, 4, 9], [2, 4, 6, 8], [7, 6, 5, 4]])
    assert measures.adjacent_share(stored).tolist() == [0.5, 0, 0.75]


def test_autocorrelation_follows_time_and_ignores_what_does_not_vary() -> None:
    observation = torch.tensor([[[3.0, 8.0], [1.0, 8.0], [4.0, 8.0], [2.0, 8.0]]])
    stored = torch.tensor([[30, 10, 40, 20]])
    # Deviations -1.5, -0.5, 0.5, 1.5: (0.75 - 0.25 + 0.75) / 5.
    assert measures.autocorrelation(observation, stored).item() == pytest.approx(0.25)
    assert np.isnan(measures.autocorrelation(observation[:, :1], stored[:, :1])).all()


@pytest.mark.parametrize("size", [1, 4, 10, 20])
def test_distance_is_in_standard_deviations_of_the_reference(size: int) -> None:
    reference = torch.arange(20.0).reshape(1, 20, 1) % 2  # standard deviation 1/2
    batch = torch.full((1, size, 1), 3.0)
    # From 3 to half zeros and half ones: (3 + 2) / 2.
    assert measures.distance(batch, reference).item() == pytest.approx(5.0)
    assert measures.distance(reference.flip(1), reference).item() == 0
    wide = torch.cat((reference, reference), dim=2)
    shifted = wide + torch.tensor([0.5, 1.5])
    assert measures.distance(shifted, wide).item() == pytest.approx(2.0)
    # A component that the reference never changes, as most of a one-hot vector are, has no unit.
    still = torch.zeros_like(reference)
    batch = torch.cat((batch, torch.ones_like(batch)), 2)
    reference = torch.cat((reference, still), 2)
    assert measures.distance(batch, reference).item() == pytest.approx(5.0)


def test_the_effective_share_of_a_batch_is_kishs() -> None:
    weights = rows([1, 1, 1, 1], [1, 0, 0, 0], [1, 0.5, 0.5, 0])
    assert measures.effective_share(weights).tolist() == pytest.approx([1, 0.25, 4 / 1.5 / 4])


# Networks.


def test_cosine_drift_and_norm() -> None:
    first, second = rows([3, 4], [1, 0], [0, 0]), rows([6, 8], [0, 2], [1, 1])
    assert measures.norm(first).tolist() == [5, 1, 0]
    found = measures.cosine(first, second).tolist()
    assert found[:2] == [1, 0]
    assert math.isnan(found[2])
    assert measures.drift(rows([3, 4]), rows([0, 4])).tolist() == [0.75]


def test_action_gap_and_churn() -> None:
    before = torch.tensor([[[1.0, 4.0, 2.0], [0.0, 0.5, 0.75]]])
    after = torch.tensor([[[1.0, 4.0, 5.0], [0.0, 0.5, 0.75]]])
    assert measures.action_gap(before).item() == pytest.approx((2 + 0.25) / 2)
    assert measures.churn(before, after).item() == 0.5


def test_a_unit_is_dormant_below_a_fortieth_of_its_layers_mean() -> None:
    # Means 0, 2, 4 and 1, 0.01: limits 0.05 and about 0.0126.
    first = torch.tensor([[[0.0, 1.0, 4.0], [0.0, 3.0, 4.0]]])
    second = torch.tensor([[[1.0, 0.01], [1.0, 0.01]]])
    assert measures.dormant_share([first]).item() == pytest.approx(1 / 3)
    assert measures.dormant_share([first, second]).item() == pytest.approx(2 / 5)


def test_states_of_the_run_are_evenly_spaced_over_all_of_it() -> None:
    states = RunStates(1, 4, 1)
    for step in range(200):
        states.add(step, torch.full((1, 1), float(step)))
        spacings = (2**power for power in range(9))
        kept = next(every for every in (range(0, step + 1, by) for by in spacings) if len(every) <= 8)
        assert states.evenly_spaced(len(kept)).flatten().tolist() == list(kept)
    assert states.evenly_spaced(4).flatten().tolist() == [0, 32, 96, 160]


# The pool.


def test_usage_equals_a_naive_twin() -> None:
    random = np.random.default_rng(0)
    usage, naive = ItemUsage(3, 5), np.zeros((3, 5, 3), int)
    for step in range(40):
        lanes = np.flatnonzero(random.random(3) < 0.7)
        slots = random.integers(5, size=len(lanes))
        usage.on_add(torch.from_numpy(slots), torch.from_numpy(lanes), step, step // 2)
        naive[lanes, slots] = step, step // 2, 0
        drawn = random.integers(5, size=(3, 4))
        usage.on_draw(torch.from_numpy(drawn))
        for lane in range(3):
            np.add.at(naive[lane, :, 2], drawn[lane], 1)
        np.testing.assert_array_equal(usage.table, naive)
        ages = usage.ages(torch.from_numpy(drawn), step, step // 2)
        for age, column, now in ((ages[0], STORED, step), (ages[1], LEARNED, step // 2)):
            np.testing.assert_array_equal(age, now - np.take_along_axis(naive[..., column], drawn, 1))
    ring = ring_of(lanes=3, capacity=5, items=4)
    found = usage.draw_counts(ring)
    counts = naive[:, :4, DRAWN]
    np.testing.assert_allclose(found["never"], (counts == 0).mean(axis=1))
    np.testing.assert_allclose(found["mean"], counts.mean(axis=1))
    np.testing.assert_array_equal(found["max"], counts.max(axis=1))


def prioritized(priorities: list[float], share: float = 0.0) -> Prioritized:
    scheme = Proportional(0.0, "error", True)
    sampler = Prioritized(scheme, Draws(4, uniform_share=share), 1, len(priorities))
    sampler.exponent = 1.0
    slots = torch.arange(len(priorities)).unsqueeze(0)
    sampler.update_priorities(slots, torch.tensor([priorities]))
    return sampler


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_entropy_and_effective_size_of_a_draw(share: float) -> None:
    ring = ring_of(lanes=1, capacity=3, items=3)
    chances = (1 - share) * np.array([0.25, 0.25, 0.5]) + share / 3
    entropy, effective = prioritized([1.0, 1.0, 2.0], share).sampling_entropy(ring)
    assert entropy.item() == pytest.approx(-(chances * np.log(chances)).sum())
    assert effective.item() == pytest.approx(1 / (chances**2).sum())
    entropy, effective = Uniform(4).sampling_entropy(ring)
    assert entropy.item() == pytest.approx(math.log(3))
    assert effective.item() == 3


def test_priorities_go_stale_as_errors_change() -> None:
    sampler, slots = prioritized([1.0, 1.0, 2.0]), torch.arange(3).unsqueeze(0)
    assert sampler.staleness(slots, torch.tensor([[1.0, -1.0, 2.0]])).tolist() == [[0, 0, 0]]
    found = sampler.staleness(slots, torch.tensor([[2.0, 0.0, -6.0]]))
    assert found[0].tolist() == pytest.approx([1 / 3, 1, 1 / 2])


# Whole runs.


def diagnosed(configure: Configure, **changes: Any) -> tuple[DQNTrainer, list[dict[str, Any]]]:
    trainer = DQNTrainer(configure(**changes), [4, 7], CPU)
    trainer.run()
    return trainer, trainer.records.lanes[0].learner


@pytest.mark.parametrize("kind", KINDS)
def test_looking_changes_nothing_that_is_learned(configure: Configure, kind: str) -> None:
    config = configure(replay__kind=kind, agent__double_q=True, agent__max_gradient_norm=1.0)
    seen, unseen = (DQNTrainer(config, [1, 2, 3], CPU, diagnosed=looked) for looked in (True, False))
    for trainer in (seen, unseen):
        trainer.run()
    assert torch.equal(seen._learner.parameters.online, unseen._learner.parameters.online)
    for lane, plain in zip(seen.records.lanes, unseen.records.lanes, strict=True):
        assert lane.episodes == plain.episodes
        assert lane.evaluations == plain.evaluations
        kept = [{name: row[name] for name in plain.learner[0]} for row in lane.learner]
        assert kept == plain.learner
        assert len(lane.learner[0]) > len(plain.learner[0])


def test_the_newest_transitions_are_as_old_and_as_alike_as_they_must_be(configure: Configure) -> None:
    _, found = diagnosed(configure, replay__kind="recent", train__evaluate_every=200)
    for row in found:
        assert row["age_env_steps_mean"] == row["age_gradient_steps_mean"] == 3.5
        assert row["age_env_steps_p50"] == 3.5
        assert row["batch_adjacent_share"] == 7 / 8
        assert row["batch_duplicate_share"] == 0
        assert row["pool_never_drawn_share"] == 0
        # Of a pool that is the batch, the newest item was drawn once, the oldest eight times.
        assert row["replays_mean"] == pytest.approx(4.5)
        assert row["replays_most"] == 8
        assert row["sampling_entropy_share"] == row["sampling_effective_share"] == 1
        assert "priority_staleness" not in row


def test_a_batch_of_one_has_no_autocorrelation_and_none_is_made_up(configure: Configure) -> None:
    _, found = diagnosed(configure, replay__kind="none")
    assert {row["batch_autocorrelation"] for row in found} == {None}
    assert {row["age_env_steps_mean"] for row in found} == {0}
    assert {row["batch_pool_distance"] for row in found} == {0}


def test_uniform_draws_are_half_as_old_as_the_pool_and_replay_ratio_times_replayed(
    configure: Configure,
) -> None:
    """Means over the rows of a run; tolerances are four standard errors."""
    changes = {"replay__capacity": 200, "train__log_every": 1, "train__env_steps": 600}
    trainer, found = diagnosed(configure, **changes)
    late = [row for row in found if row["env_step"] > 200]
    ages = np.array([row["age_env_steps_mean"] for row in late])
    sd = 200 / math.sqrt(12) / math.sqrt(8 * len(late))
    assert ages.mean() == pytest.approx(99.5, abs=4 * sd)
    # An item that lives for 200 gradient steps of 8 draws from 200 items is drawn 8 times; those in
    # the pool are half way.
    assert late[-1]["replays_mean"] == pytest.approx(4.0, abs=0.1)
    assert trainer.gradient_steps == found[-1]["gradient_step"]


def test_layers_norms_make_up_the_gradients_and_only_successive_gradients_are_compared(
    configure: Configure,
) -> None:
    trainer = DQNTrainer(configure(train__log_every=1), [4, 7], CPU)
    gradients = []
    for _ in range(40):
        trainer.advance(1)
        gradients.append(trainer._learner.parameters.gradient[0].double().numpy().copy())
    for row in trainer.records.lanes[0].learner[1:]:
        layers = [row[f"gradient_norm_layer_{number}"] for number in (1, 2, 3)]
        assert math.hypot(*layers) == pytest.approx(row["gradient_norm"], rel=1e-5)
        now, last = gradients[int(row["env_step"]) - 1], gradients[int(row["env_step"]) - 2]
        cosine = now @ last / math.sqrt((now @ now) * (last @ last))
        assert row["gradient_cosine"] == pytest.approx(cosine, abs=1e-9)


def test_the_target_drifts_until_it_is_refreshed(configure: Configure) -> None:
    changes = {"train__log_every": 1, "agent__target_update_period": 25}
    _, found = diagnosed(configure, **changes)
    drift = {row["env_step"]: row["target_drift"] for row in found}
    assert all(drift[step] < drift[step + 1] for step in range(51, 60))
    assert all(drift[step] == 0 < drift[step - 1] for step in (51, 76, 101))
    _, found = diagnosed(configure, agent__target_network=False)
    assert {row["target_drift"] for row in found} == {0}


def test_an_evaluation_sets_what_was_promised_beside_what_came(configure: Configure) -> None:
    trainer = DQNTrainer(configure(env__id=counting_id(4, 0), agent__discount=0.5), [4, 7], CPU)
    trainer.run()
    for row in trainer.records.lanes[0].evaluations:
        assert row["episode_return"] == 1 + 2 + 3 + 4
        assert row["discounted_return"] == 1 + 2 / 2 + 3 / 4 + 4 / 8
    first = torch.tensor([[[0.0, 0.0]]] * 2)
    values = trainer._learner.action_values(first)
    assert trainer._evaluator(3, lambda _: values.expand(2, 2, -1)).start_values.tolist() == (
        values.amax(dim=2).expand(2, 2).double().tolist()
    )


# A failing measure.


def test_a_measure_that_fails_is_left_out_named_and_changes_no_other_number(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Tensor:
        raise ValueError("no such layer")

    config = configure()
    undisturbed = DQNTrainer(config, [3], CPU).run()
    monkeypatch.setattr(measures, "churn", refuse)
    with pytest.raises(ValueError, match="no such layer"):
        DQNTrainer(config, [3], CPU).run()
    monkeypatch.setattr(probe, "RAISES", False)
    records = DQNTrainer(config, [3], CPU).run()
    assert records.failed_diagnostics == {"policy_churn": "ValueError: no such layer"}
    assert records.state()["failed_diagnostics"] == records.failed_diagnostics
    expected = [
        {name: value for name, value in row.items() if name != "policy_churn"}
        for row in undisturbed.lanes[0].learner
    ]
    assert records.lanes[0].learner == expected
    # A group that cannot even begin is named as one.
    monkeypatch.setattr(Diagnostics, "_networks", refuse)
    records = DQNTrainer(config, [3], CPU).run()
    assert records.failed_diagnostics == {"networks": "ValueError: no such layer"}


@pytest.mark.parametrize("backend", [CompiledBackend, TorchBackend])
def test_a_linear_network_trains_and_has_no_dormant_units(
    configure: Configure, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "choose_backend", lambda *_: backend)
    trainer = DQNTrainer(configure(agent__hidden_sizes=[]), [3], CPU)
    records = trainer.run()
    (row, *_) = records.lanes[0].learner
    assert "dormant_share" not in row
    assert row["policy_churn"] is not None
    assert trainer._learner.parameters.online.shape[1] >= 4 * 2 + 2
