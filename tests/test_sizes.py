"""A study in sizes: each says what it has otherwise, and has a name of its own."""

from __future__ import annotations

from typing import Any

import pytest

from ablation.config.validation import ConfigError
from ablation.study.sizes import sized

STUDY: dict[str, Any] = {
    "name": "paper",
    "environments": ["cartpole"],
    "seeds": 3,
    "baseline": {"train.env_steps": 100, "replay": "uniform"},
    "factors": {
        "capacity": {"key": "replay.capacity", "levels": [1, 2]},
        "target": {"levels": {"on": {}, "off": {"agent.target_network": False}, "slow": {"a": 1}}},
    },
    "tune": {"factor": "capacity", "seeds": 2},
    "sizes": {
        "quick": {"levels": {"capacity": [8], "target": ["slow", "on"]}, "tune": {"seeds": 1}},
        "paper": {
            "seeds": 30,
            "environments": ["acrobot", "cartpole"],
            "baseline": {"train.env_steps": 9000},
            "design": "factorial",
        },
    },
    "design": "one_factor_at_a_time",
}


def test_quick_is_the_size_that_is_meant_where_none_is_named() -> None:
    assert sized(STUDY) == sized(STUDY, "quick")
    assert sized(STUDY)["name"] == "paper-quick"


def test_a_size_called_default_is_meant_where_there_is_one_and_keeps_the_name_of_its_study() -> None:
    study = STUDY | {"sizes": {"quick": {"seeds": 1}, "default": {"seeds": 7}}}
    assert sized(study) == sized(study, "default")
    kept = {key: value for key, value in STUDY.items() if key != "sizes"}
    assert sized(study) == kept | {"seeds": 7, "size": "default"}
    assert sized(study, "quick")["name"] == "paper-quick"


def test_a_size_changes_what_it_declares_and_nothing_else() -> None:
    kept = {key: STUDY[key] for key in ("factors", "tune")}
    assert sized(STUDY, "paper") == kept | {
        "name": "paper-paper",
        "size": "paper",
        "environments": ["acrobot", "cartpole"],
        "seeds": 30,
        "baseline": {"train.env_steps": 9000, "replay": "uniform"},
        "design": "factorial",
    }
    quick = sized(STUDY, "quick")
    assert quick["factors"]["capacity"] == {"key": "replay.capacity", "levels": [8]}
    assert quick["factors"]["target"] == {"levels": {"slow": {"a": 1}, "on": {}}}
    assert quick["tune"] == {"factor": "capacity", "seeds": 1}
    assert quick["seeds"] == 3
    assert STUDY["factors"]["capacity"]["levels"] == [1, 2], "the file's values are left alone"


def test_the_command_line_has_the_last_word_on_seeds() -> None:
    assert sized(STUDY | {"seeds": 5}, "paper", {"seeds"})["seeds"] == 5


def test_a_study_without_sizes_is_what_it_says() -> None:
    plain = {key: value for key, value in STUDY.items() if key != "sizes"}
    assert sized(plain) == plain


@pytest.mark.parametrize(
    ("changes", "size", "message"),
    [
        ({}, "big", r"size = big: sizes of study 'paper': quick, paper"),
        ({"sizes": {"paper": {}}}, None, r"size = quick: sizes of study 'paper': paper"),
        ({"sizes": {}}, "quick", r"size = quick: study 'paper' has no sizes"),
        ({"sizes": {"quick": {}, "big": {"runs": 3}}}, "quick", r"study\.sizes\.big\.runs = 3: unknown"),
        ({"sizes": {"quick": {"levels": {"x": [1]}}}}, None, r"study\.sizes\.quick\.levels = x: fact"),
        (
            {"sizes": {"quick": {"levels": {"target": ["no"]}}}},
            None,
            r"study\.sizes\.quick\.levels\.target = no: allowed: on, off, slow",
        ),
    ],
)
def test_a_size_that_cannot_be_is_refused_in_one_message(
    changes: dict[str, Any], size: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        sized(STUDY | changes, size)
