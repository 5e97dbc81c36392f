"""Streams of text and prices: examples in their order, tested before they are learned from."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablation.config.identity import cell_name
from ablation.config.parse import parse
from ablation.config.validation import ConfigError
from ablation.tasks.streams import prices as price_data
from ablation.tasks.streams import text as text_data
from ablation.tasks.streams.data import DATA_SETS, LabeledStream, spec
from ablation.tasks.streams.order import TURNS, in_sequence
from ablation.tasks.streams.trainer import SupervisedTrainer

from .conftest import values

CPU = torch.device("cpu")


def trainer(seeds: list[int], **changes: Any) -> SupervisedTrainer:
    settings: dict[str, Any] = {
        "env__id": "text",
        "agent__hidden_sizes": [16],
        "agent__batch_size": 8,
        "replay__min_replay_size": 8,
        "replay__capacity": 500,
        "train__env_steps": 500,
        "train__evaluate_every": 50,
    }
    return SupervisedTrainer(parse(values(**(settings | changes))), seeds, CPU)


def test_a_context_is_the_characters_before_the_one_to_predict() -> None:
    data = text_data.text()
    assert data.train.inputs.shape[1:] == spec("text").observation_shape
    assert data.train.labels.max() + 1 == spec("text").actions
    topic = text_data.topics[text_data.TOPICS[1]].lower()
    start, size = text_data.TRAINED, text_data.CONTEXT
    for part, group_start, offset in (
        (data.train, start, 0),
        (data.test, text_data.TESTED, start + size),
    ):
        for place in (0, 100):
            one_hot = part.inputs[group_start + place].reshape(size, -1)
            read = "".join((text_data.SYMBOLS + "?")[number] for number in one_hot.argmax(axis=1))
            begin = offset + place
            expected = [c if c in text_data.SYMBOLS else "?" for c in topic[begin : begin + size + 1]]
            assert list(read) == expected[:size]
            assert (text_data.SYMBOLS + "?")[part.labels[group_start + place]] == expected[size]
            assert part.groups[group_start + place] == 1


def test_the_examples_of_a_turn_come_in_their_order_each_once() -> None:
    turns = np.repeat(np.arange(TURNS), 10)
    order = in_sequence(turns, [1, 2], 25)
    assert order[0].tolist() == [10 * turn + place for turn in range(TURNS) for place in range(5)]
    assert (order[0] == order[1]).all()
    assert in_sequence(turns, [1], 50)[0].tolist() == list(range(50))
    with pytest.raises(ValueError, match="more than the examples"):
        in_sequence(turns, [1], 60)


def test_a_training_episode_is_the_mean_log_likelihood_before_learning() -> None:
    frozen = trainer([3], agent__learning_rate=1e-12, replay__kind="none")
    lane = frozen.run().lanes[0]
    shown = frozen._shown[:, :50]
    expected = frozen._classifier.predict(*frozen._examples(shown))[1].mean()
    assert lane.episodes[0]["episode_return"] == pytest.approx(expected, rel=1e-5)
    assert [row["env_step"] for row in lane.episodes] == list(range(50, 501, 50))
    assert {row["episode_length"] for row in lane.episodes} == {50}
    # It is what a score of the run's whole course is the mean of.
    assert len(lane.evaluations) == 10 * TURNS


def test_a_run_of_text_learns_and_goes_on_from_its_state_between_evaluations() -> None:
    whole = trainer([1, 2])
    lanes = whole.run().lanes
    assert lanes[1].episodes[-1]["episode_return"] > lanes[1].episodes[0]["episode_return"] + 0.1
    first, second = trainer([2]), trainer([2])
    first.advance(30)
    second.restore(first.state())
    assert second.run().lanes[0].tables() == lanes[1].tables()


def test_a_hash_of_the_data_is_in_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    config = trainer([1])._config
    before = cell_name(config)
    monkeypatch.setattr(text_data, "fingerprint", lambda: "another")
    assert cell_name(config) != before


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LabeledStream, np.ndarray]:
    """Return a made-up series of prices as the package's file would hold it, and its returns."""
    changes = np.random.default_rng(0).normal(0, 0.01, price_data.DAYS + price_data.YEAR)
    closes = 1000 * np.cumprod(np.concatenate([[1], 1 + changes]))
    lines = ["Date,Adj Close", *(f"day,{close!r}" for close in closes.tolist())]
    file = tmp_path / "series.csv.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    monkeypatch.setattr(price_data, "_file", lambda: file)
    return price_data.prices.__wrapped__(), 100 * changes


def test_a_day_is_predicted_from_the_days_before_it(series: tuple[LabeledStream, np.ndarray]) -> None:
    data, returns = series
    assert data.train.inputs.shape[1] == DATA_SETS["prices"].inputs
    assert data.train.labels.max() + 1 == DATA_SETS["prices"].classes
    for place in (0, 1, price_data.DAYS - 1):
        day = price_data.YEAR + place
        past = returns[day - price_data.HISTORY : day][::-1]
        expected = np.concatenate([past, np.abs(past)])
        np.testing.assert_allclose(data.train.inputs[place], expected, rtol=1e-4, atol=1e-5)
        usual = np.median(np.abs(returns[place:day]))
        large, rose = abs(returns[day]) > usual, returns[day] > 0
        assert data.train.labels[place] == 2 * large + rose
    assert np.bincount(data.train.groups).tolist() == [950] * TURNS


def test_without_its_package_a_study_of_prices_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_data, "find_spec", lambda _: None)
    price_data.fingerprint.cache_clear()
    config = parse(values(env__id="prices", train__env_steps=100))
    with pytest.raises(ConfigError, match=r"env.id = prices: .*pip install -e '.\[prices\]'"):
        cell_name(config)


@pytest.mark.parametrize(("env_id", "most"), [("text", 50_000), ("prices", 4750)])
def test_a_run_that_is_longer_than_its_data_is_refused(env_id: str, most: int) -> None:
    parse(values(env__id=env_id, train__env_steps=most))
    with pytest.raises(ConfigError, match=f"train.env_steps = {most + 1}: must be at most {most}"):
        parse(values(env__id=env_id, train__env_steps=most + 1))
