"""Runs from elsewhere: what is read, that nothing is dropped in silence, and the way out and back."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import analysis
from ablation.results.load import StudyNotFound, StudyRuns, load, read
from ablation.results.outside.export import export_runs
from ablation.results.outside.importing import import_files, import_frame, plan_beside, store_import
from ablation.results.outside.native import copy_runs
from ablation.results.outside.request import ImportRefused, Request
from ablation.results.scores import SCORES
from ablation.store.files import read_json, write_json
from ablation.store.runs import RunKey, Store
from analysis.effects.comparability import NotComparable, require_comparable
from analysis.effects.comparisons import compare
from analysis.figures.returns import return_curves
from analysis.report.errors import RequestError
from analysis.report.report import open_results, study_tables, write_report
from analysis.statistics import difference, fisher_p_value, independent_contrasts, share_difference

from .analysis_helpers import CROSSED, STUDY, make_store, outcome

LEVELS = {"dqn": 100.0, "ppo": 130.0}


def frame(
    levels: Mapping[str, float] = LEVELS,
    seeds: Sequence[int] = range(6),
    env_ids: Sequence[str] = ("CartPole-v1",),
) -> pd.DataFrame:
    """Return evaluations at steps 10, ..., 100 that rise to the level of an arm, with noise."""
    return pd.DataFrame(
        [
            {
                "algo": arm,
                "env_id": env_id,
                "seed": seed,
                "global_step": step,
                "return": level * step / 100 + math.sin(seed + len(arm) * step),
            }
            for arm, level in levels.items()
            for env_id in env_ids
            for seed in seeds
            for step in range(10, 101, 10)
        ]
    )


def from_frame(values: pd.DataFrame, **declared: Any) -> StudyRuns:
    return analysis.from_frame(values, **({"baseline": "dqn", "verdicts_from": 2} | declared)).runs


def refusal(values: pd.DataFrame, **declared: Any) -> str:
    with pytest.raises(ImportRefused) as error:
        from_frame(values, **declared)
    assert "\n" not in str(error.value)
    assert "--" not in str(error.value), "a notebook has arguments, no options of a command line"
    return str(error.value)


# What is read


def test_a_frame_has_the_scores_that_its_rows_allow() -> None:
    runs = from_frame(frame())
    baseline, ppo = runs.arms("CartPole-v1")
    values = frame().query("algo == 'ppo' and seed == 2")["return"].to_numpy()
    assert (baseline.name, baseline.role, ppo.name, ppo.role) == ("dqn", "baseline", "ppo", "arm")
    assert runs.scores(ppo, "final")[2] == values[-1]
    assert runs.scores(ppo, "best")[2] == values.max()
    assert runs.scores(ppo, "area_under_curve")[2] == pytest.approx(values.mean())
    assert np.isnan(runs.scores(ppo, "area_per_gradient_step")).all()
    assert np.isnan(runs.scores(ppo, "last_training_episodes")).all()


def test_training_episodes_have_training_scores_only() -> None:
    runs = from_frame(frame(), rows="episodes")
    assert runs.plan.study.primary_score == "last_training_episodes"
    ppo = runs.arms("CartPole-v1")[1]
    values = frame().query("algo == 'ppo' and seed == 0")["return"]
    assert runs.scores(ppo, "last_training_episodes")[0] == pytest.approx(values.mean())
    assert runs.scores(ppo, "online_return")[0] == pytest.approx(values.mean())
    assert np.isnan(runs.scores(ppo, "final")).all()
    online = from_frame(frame(), rows="episodes", primary_score="online_return")
    assert online.plan.study.primary_score == "online_return"


def test_a_table_of_scores_alone_is_enough_for_tables(tmp_path: Path) -> None:
    scores = frame().groupby(["algo", "env_id", "seed"], as_index=False)["return"].max()
    path = tmp_path / "scores.csv"
    scores.to_csv(path, index=False)
    request = Request("scores", baseline="dqn", score="best")
    store_import(Store(tmp_path), import_files("csv", [path], request))
    page = write_report(tmp_path, "scores", allowed=())
    results = open_results(tmp_path, "scores", None)
    assert results.score == "best"
    row = results.comparisons[1]
    assert row.mean.n == 6
    assert page.exists()
    assert {"table", "comparisons"} <= set(study_tables(results))


def test_training_episodes_have_learning_curves_and_scores_alone_have_none() -> None:
    study = analysis.from_frame(frame(), rows="episodes", baseline="dqn")
    curves = return_curves(study.runs, "CartPole-v1")
    assert curves is not None
    assert curves.axis_labels == ("environment steps", "training return (↑ better)")
    line = curves.line(study.runs.plan.arms[1])
    assert line is not None
    means = frame().query("algo == 'ppo'").groupby("global_step")["return"].mean()
    assert line.x.tolist() == means.index.tolist()
    assert line.estimate == pytest.approx(means.to_numpy())
    assert line.n == 6
    scores = frame().query("global_step == 100").drop(columns="global_step")
    alone = analysis.from_frame(scores, score="final", baseline="dqn")
    assert return_curves(alone.runs, "CartPole-v1") is None
    with pytest.raises(RequestError, match="nothing to draw"):
        alone.plot.curves()


def test_a_named_baseline_is_marked_in_table_and_page(tmp_path: Path) -> None:
    imported(tmp_path, frame())
    table = study_tables(open_results(tmp_path, "out", None))["table"]
    assert [row[0].text for row in table.rows] == ["dqn (baseline)", "ppo"]
    assert str(table).count("dqn (baseline)") == 1
    page = write_report(tmp_path, "out").read_text()
    assert "baseline: dqn." in page
    assert '<tr class="baseline">' in page


def test_a_study_of_a_frame_says_that_it_is_not_stored() -> None:
    assert "from a frame, not stored" in repr(analysis.from_frame(frame(), baseline="dqn"))


def test_factors_make_arms_that_the_analysis_crosses() -> None:
    crossed = pd.concat(
        [
            frame({"a": 100.0 + 10 * lr + 5 * size}).assign(lr=lr, size=size).drop(columns="algo")
            for lr in (1, 2)
            for size in (8, 16)
        ]
    )
    runs = analysis.from_frame(crossed, factors=("lr", "size"), baseline={"lr": "1", "size": "8"}).runs
    names = [arm.name for arm in runs.plan.arms]
    assert names == ["baseline", "size=16", "lr=2", "lr=2, size=16"]
    from analysis.effects.factorial_effects import factorial_effects

    effects = {tuple(effect.levels): effect for effect in factorial_effects(runs, "best")}
    means = {arm.name: runs.scores(arm, "best") for arm in runs.plan.arms}
    low = (means["baseline"].mean() + means["size=16"].mean()) / 2
    high = (means["lr=2"].mean() + means["lr=2, size=16"].mean()) / 2
    assert effects[("lr",)].difference.value == pytest.approx(high - low)
    assert ("lr", "size") in effects
    declared = {"factors": ("size", "lr"), "baseline": {"lr": "1", "size": "8"}}
    assert from_frame(crossed, **declared).plan.arms[3].name == "size=16, lr=2"


def test_parquet_and_csv_read_alike(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "a.csv", index=False)
    frame().to_parquet(tmp_path / "a.parquet")
    plans = [
        import_files(form, [tmp_path / f"a.{form}"], Request("s", baseline="dqn")).data
        for form in ("csv", "parquet")
    ]
    one, other = (data.tables["evaluations"].columns for data in plans)
    assert all((one[name] == other[name]).all() for name in one)


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = frame(env_ids=("CartPole-v1", "Acrobot-v1")).sample(frac=1, random_state=0)
    one, other = from_frame(frame(env_ids=("CartPole-v1", "Acrobot-v1"))), from_frame(shuffled)
    for name in SCORES:
        for arm in one.plan.arms:
            same = next(a for a in other.plan.arms if (a.name, a.env_id) == (arm.name, arm.env_id))
            assert np.array_equal(one.scores(arm, name), other.scores(same, name), equal_nan=True)


# The store


def imported(tmp_path: Path, values: pd.DataFrame, study: str = "out", **declared: Any) -> StudyRuns:
    path = tmp_path / f"{study}.csv"
    values.to_csv(path, index=False)
    beside = declared.pop("beside", None)
    plan = plan_beside(Store(tmp_path), beside) if beside else None
    request = Request(study, **({"baseline": "dqn"} | declared))
    store_import(Store(tmp_path), import_files("csv", [path], request, plan))
    return load(study, tmp_path)


def test_an_import_is_stored_read_only_with_hashes(tmp_path: Path) -> None:
    runs = imported(tmp_path, frame())
    directory = tmp_path / "outside" / "out"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o444 for path in directory.iterdir())
    about = read_json(directory / "import.json")
    assert about["files"][0]["file"] == "out.csv"
    assert len(about["files"][0]["sha256"]) == 64
    assert all(run.status == "complete" for run in runs.runs.values())
    assert not (tmp_path / "runs").exists()


def test_a_changed_import_is_refused(tmp_path: Path) -> None:
    imported(tmp_path, frame())
    path = tmp_path / "outside" / "out" / "evaluations.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-9] + b"123456789")
    with pytest.raises(StudyNotFound, match="changed since the import"):
        load("out", tmp_path)


def test_an_import_replaces_another_only_if_asked(tmp_path: Path) -> None:
    imported(tmp_path, frame())
    with pytest.raises(ImportRefused, match="--replace"):
        imported(tmp_path, frame())
    make_store(tmp_path, STUDY, outcome)
    with pytest.raises(ImportRefused, match="a study of that name was swept"):
        imported(tmp_path, frame(), study="s")


def test_strange_names_are_shown_and_never_become_paths(tmp_path: Path) -> None:
    strange = {"dqn": 90.0, "../../etc": 100.0, "a=1, b_2 & 50%": 110.0, "$x^2$ #{}~\\": 120.0}
    runs = imported(tmp_path, frame(strange, env_ids=("../ALE/Pong-v5",)))
    page = write_report(tmp_path, "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "outside", "studies"]
    assert "../../etc" in page.read_text()
    tables = study_tables(open_results(tmp_path, "out", None))
    assert "a=1, b\\_2 \\& 50\\%" in tables["table"].to_latex()
    assert "a=1, b_2 & 50%" in tables["table"].to_markdown()
    assert runs.environments == ["ALE-Pong-v5"]


# Comparisons


def test_arms_from_elsewhere_are_compared_unpaired_unless_seeds_are_shared() -> None:
    for shared in (False, True):
        runs = from_frame(frame(), shared_seeds=shared)
        row = compare(runs, "final")[1]
        baseline, ppo = (runs.scores(arm, "final") for arm in runs.arms("CartPole-v1"))
        welch = difference(ppo, baseline, paired=False)
        assert row.paired == shared
        assert (row.difference == welch) == (not shared)
        assert math.isnan(row.correlation) == (not shared)


def test_shares_from_elsewhere_get_newcombe_and_fisher() -> None:
    runs = from_frame(frame({"dqn": 480.0, "ppo": 474.9}), primary_score="reached_threshold")
    row = compare(runs, "reached_threshold")[1]
    baseline, ppo = (runs.scores(arm, "reached_threshold") for arm in runs.arms("CartPole-v1"))
    assert row.difference == share_difference(ppo, baseline, paired=False)
    assert row.p_value == fisher_p_value(ppo, baseline)


@pytest.mark.parametrize(
    ("table", "expected"),
    [((3, 1, 1, 3), 0.4857142857), ((8, 2, 1, 5), 0.0349650350), ((5, 0, 5, 0), 1.0)],
)
def test_fisher_agrees_with_published_values(table: tuple[int, ...], expected: float) -> None:
    a, b, c, d = table
    one, other = np.repeat([1.0, 0.0], [a, b]), np.repeat([1.0, 0.0], [c, d])
    assert fisher_p_value(one, other) == pytest.approx(expected)


def test_independent_contrasts_of_two_levels_are_welch() -> None:

    random = np.random.default_rng(0)
    one, other = random.normal(size=7), random.normal(1, 2, size=5)
    (contrast,) = independent_contrasts([[one], [other]], (2,))
    welch = difference(other, one, paired=False)
    assert contrast.difference.low == pytest.approx(welch.low)
    assert contrast.difference.p_value == pytest.approx(welch.p_value)


def native(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, lambda arm, seed: 100.0 + seed + len(arm.name))


BESIDE: dict[str, Any] = {"beside": "s", "budget": 300, "gymnasium": "1.4.0"}


def test_beside_our_runs_arms_carry_a_dagger_and_are_a_family_of_their_own(tmp_path: Path) -> None:
    native(tmp_path)
    ours = {row.arm.name: row for row in compare(load("s", tmp_path), "final")}
    budget = load("s", tmp_path).plan.cells[ours["baseline"].arm.cell]["train"]["env_steps"]
    runs = imported(
        tmp_path, frame(), study="both", **(BESIDE | {"budget": budget, "incomplete": "keep"})
    )
    require_comparable(runs, ())
    rows = {row.arm.name: row for row in compare(runs, "final")}
    assert {"dqn †", "ppo †"} < set(rows)
    for name, row in ours.items():
        assert rows[name].p_value == row.p_value
        assert rows[name].among_best == row.among_best
    assert not rows["ppo †"].paired
    assert rows["baseline"].arm.role == "baseline"
    table = study_tables(open_results(tmp_path, "both", None))["table"]
    assert any("trained elsewhere" in note for note in table.notes)
    assert "$\\dagger$" in table.to_latex()
    page = write_report(tmp_path, "both").read_text()
    unpaired = "† trained elsewhere, compared unpaired"
    assert f"<strong>{unpaired}</strong>: dqn † is" in page
    assert page.count(unpaired) >= 3, "answers, panels of figures, and the note on figures"
    assert "To build this report from the stored runs" in page
    assert "outside.levels" not in page


@pytest.mark.parametrize(
    ("change", "aspect"), [({"budget": 999}, "budget"), ({"gymnasium": None}, "environment")]
)
def test_other_budgets_and_versions_are_refused_unless_allowed(
    tmp_path: Path, change: dict[str, Any], aspect: str
) -> None:
    native(tmp_path)
    ours = load("s", tmp_path)
    budget = ours.plan.cells[ours.plan.arms[0].cell]["train"]["env_steps"]
    declared = BESIDE | {"budget": budget, "incomplete": "keep"} | change
    runs = imported(tmp_path, frame(), study="both", **declared)
    with pytest.raises(NotComparable, match=f"--allow {aspect}"):
        require_comparable(runs, ())
    assert aspect in require_comparable(runs, (aspect,))


def test_given_scores_are_not_mixed_with_computed_ones_in_silence(tmp_path: Path) -> None:
    native(tmp_path)
    scores = frame().groupby(["algo", "env_id", "seed"], as_index=False)["return"].max()
    runs = imported(tmp_path, scores, study="both", **BESIDE, score="final")
    with pytest.raises(NotComparable, match="score"):
        require_comparable(runs, ("budget",))


def test_a_score_that_the_rows_do_not_allow_is_refused_beside_ours(tmp_path: Path) -> None:
    native(tmp_path)
    with pytest.raises(ImportRefused, match=r"do not allow the score 'final'.*last_training_episodes"):
        imported(tmp_path, frame(), study="both", **BESIDE, rows="episodes")


def test_an_environment_that_the_study_lacks_is_refused(tmp_path: Path) -> None:
    native(tmp_path)
    with pytest.raises(ImportRefused, match="'Acrobot-v1' is not in study 's'"):
        imported(tmp_path, frame(env_ids=["Acrobot-v1"]), study="both", **BESIDE)


def test_imports_are_not_sent_to_wandb(tmp_path: Path) -> None:
    from analysis.wandb.upload import everything_to_upload

    native(tmp_path)
    target = SimpleNamespace(name="p")
    ids = [wanted.run.id for wanted in everything_to_upload(tmp_path, target)]  # type: ignore[arg-type]
    imported(tmp_path, frame(), study="both", **(BESIDE | {"incomplete": "keep"}))
    assert [wanted.run.id for wanted in everything_to_upload(tmp_path, target)] == ids  # type: ignore[arg-type]


# Bad input: one line each, nothing dropped in silence


def test_missing_columns_are_named_with_the_nearest() -> None:
    message = refusal(frame().rename(columns={"return": "retrun"}))
    assert "no column for episode_return" in message
    assert "retrun" in message
    assert "seed" in refusal(frame().drop(columns="seed"))
    assert "name it with columns={'seed': 'COLUMN'}, or seed='N' for all rows" in refusal(
        frame().drop(columns="seed")
    )
    assert refusal(frame(), baseline="dqm").startswith("baseline 'dqm' is no arm of the files; ")
    assert "nearest: return" in refusal(frame(), columns={"episode_return": "retrun"})


def test_one_arm_for_all_rows_needs_no_column(tmp_path: Path) -> None:
    alone = frame({"dqn": 100.0}).drop(columns="algo")
    assert [arm.name for arm in from_frame(alone, arm="dqn").plan.arms] == ["dqn"]
    alone.rename(columns={"seed": "sed"}).to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(ImportRefused, match=r"no column for arm \(.*env_id.*or --arm NAME"):
        import_files("csv", [tmp_path / "runs.csv"], Request("out"))
    advice = "columns={'arm': 'COLUMN'}, factors=['COLUMN', ...], or arm='NAME' for all"
    assert advice in refusal(alone)


def test_a_notebook_keeps_what_looks_like_an_option() -> None:
    renamed = frame({"--arm NAME": 100.0, "dqn": 90.0})
    with pytest.raises(ImportRefused) as error:
        from_frame(renamed, baseline="ppo")
    listed = "baseline 'ppo' is no arm of the files; there are: --arm NAME, dqn"
    assert str(error.value) == listed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("algo,env_id,seed,step,return,return\na,E-v0,0,1,2,3\n", "more than one column 'return'"),
        (
            "algo,env_id,seed,step,return\ncaf\xe9,E-v0,0,1,2\n",
            r"column 'algo' is binary; text \(UTF-8\)",
        ),
        (
            "algo,env_id,seed,step,return\na,E-v0,0,1e20,2\n",
            r"1e\+20 in row 1; whole numbers up to 2\^53",
        ),
        ("algo;env_id;seed;step;return\na;E-v0;0;1;2\n", "no column for arm"),
    ],
)
def test_csv_files_that_are_not_tidy_are_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "runs.csv").write_text(text, encoding="latin-1")
    with pytest.raises(ImportRefused, match=expected):
        import_files("csv", [tmp_path / "runs.csv"], Request("out"))


@pytest.mark.parametrize(
    ("column", "value"), [("return", [1.0]), ("seed", {1}), ("return", 1j), ("global_step", "2 k")]
)
def test_frames_with_odd_values_are_refused(column: str, value: Any) -> None:
    values = frame()
    values[column] = [value] * len(values)
    assert "not tidy" in (text := refusal(values)) or "numbers without a unit" in text


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"rows": "evals"}, "rows 'evals': allowed: evaluations, episodes"),
        ({"incomplete": "drop"}, "incomplete 'drop': allowed: refuse, missing, keep"),
        ({"primary_score": "finl"}, "did you mean final"),
        ({"budget": 0}, "budget 0: a number of environment steps"),
        ({"factors": "algo"}, "factors 'algo': a list of columns"),
    ],
)
def test_declarations_that_mean_nothing_are_refused(declared: dict[str, Any], expected: str) -> None:
    assert expected in refusal(frame(), **declared)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ImportRefused, match="a pandas data frame is needed, not a str"):
        analysis.from_frame("runs.csv")  # type: ignore[arg-type]
    twice = frame().rename(columns={"global_step": "seed"})
    assert "Duplicate column" in refusal(twice)


def test_two_columns_for_one_thing_are_ambiguous() -> None:
    message = refusal(frame().assign(step=0))
    assert "'global_step' or 'step'" in message


def test_values_with_units_are_named() -> None:
    text = frame().astype({"return": object})
    text.loc[3, "return"] = "12 %"
    text["return"] = text["return"].astype(str)
    assert "'12 %' in row 4" in refusal(text)


def test_duplicated_rows_are_refused() -> None:
    assert "seed 0, CartPole-v1 has step 10 more than once (120 rows" in refusal(
        pd.concat([frame()] * 2)
    )


def test_episodes_of_one_evaluation_are_no_duplicates() -> None:
    two = pd.concat([frame().assign(episode=at) for at in range(2)])
    assert len(analysis.from_frame(two, baseline="dqn").evaluations()) == 240
    assert "more than once" in refusal(pd.concat([two, two]))


def test_missing_seeds_are_shown_as_missing() -> None:
    runs = from_frame(frame().query("algo == 'dqn' or seed != 3"))
    ppo = runs.arms("CartPole-v1")[1]
    assert runs.statuses(ppo) == {"complete": 5, "missing": 1}


def test_an_import_says_what_is_missing_in_each_environment() -> None:
    values = frame(env_ids=("CartPole-v1", "Acrobot-v1"))
    lacking = values.query("not (algo == 'ppo' and seed > 3 and env_id == 'CartPole-v1')")
    values = lacking.query("not (algo == 'ppo' and seed == 1 and global_step > 50)")
    imported = import_frame(values, Request("out", baseline="dqn", incomplete="missing"))
    assert imported.notes == [
        "seeds that other arms have are missing: ppo in CartPole-v1 lacks 2",
        "2 of 22 runs count as missing, the first: arm ppo, seed 1, CartPole-v1: its evaluations end at "
        "step 50, others go on to 100",
    ]


def test_short_runs_are_refused_or_missing_or_kept() -> None:
    short = frame().query("not (algo == 'ppo' and seed == 1 and global_step > 50)")
    message = refusal(short)
    assert "ppo, seed 1" in message
    assert "end at step 50, others go on to 100" in message
    missing = from_frame(short, incomplete="missing")
    assert missing.statuses(missing.arms("CartPole-v1")[1]) == {"complete": 5, "missing": 1}
    kept = from_frame(short, incomplete="keep")
    assert kept.statuses(kept.arms("CartPole-v1")[1]) == {"complete": 6}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_no_numbers_are_refused_or_missing(value: float) -> None:
    values = frame()
    values.loc[15, "return"] = value
    assert (
        "dqn, seed 1, CartPole-v1: 1 of its returns are no finite numbers, first at step 60"
        in refusal(values)
    )
    runs = from_frame(values, incomplete="missing")
    dqn = runs.arms("CartPole-v1")[0]
    assert runs.statuses(dqn) == {"complete": 5, "missing": 1}
    assert any("no finite numbers" in (run.record.error or "") for run in runs.of_cell(dqn))


def test_a_score_that_one_run_lacks_is_missing_for_that_run() -> None:
    scores = pd.DataFrame(
        {"arm": ["a", "a", "b", "b"], "seed": [0, 1, 0, 1], "final": [1.0, None, 3.0, 4.0], "best": 5.0}
    )
    runs = analysis.from_frame(scores, baseline="a", environment="E-v0").runs
    assert np.isnan(runs.scores(runs.plan.arms[0], "final")).tolist() == [False, True]
    assert runs.scores(runs.plan.arms[0], "best").tolist() == [5.0, 5.0]
    with pytest.raises(ImportRefused, match="none of its scores"):
        analysis.from_frame(scores.drop(columns="best"), baseline="a", environment="E-v0")


def test_names_that_no_table_can_show_are_refused() -> None:
    assert "printable" in refusal(frame({"dqn": 1.0, "a\nb": 2.0}))
    assert "printable" in refusal(frame({"dqn": 1.0, "": 2.0}))
    assert refusal(frame(), study="../x").startswith("study '../x': letters, digits")


def test_seeds_that_are_no_numbers_are_numbered_and_said(tmp_path: Path) -> None:
    values = frame().astype({"seed": str}).assign(seed=lambda rows: "run-" + rows["seed"])
    path = tmp_path / "a.csv"
    values.to_csv(path, index=False)
    done = import_files("csv", [path], Request("s", baseline="dqn"))
    assert any("'run-0' are no numbers" in note for note in done.notes)
    assert sorted({key.seed for key in done.data.keys}) == list(range(6))
    assert "no seeds can be shared" in refusal(values, shared_seeds=True)


# Other programs' files


def zoo(tmp_path: Path) -> Path:
    """Write runs as rl-zoo3 lays them out: two algorithms, three seeds."""
    for algorithm, level in LEVELS.items():
        for number in (1, 2, 3):
            directory = tmp_path / algorithm / f"CartPole-v1_{number}"
            (directory / "CartPole-v1").mkdir(parents=True)
            (directory / "CartPole-v1" / "args.yml").write_text(
                "!!python/object/apply:collections.OrderedDict\n- - - algo\n    - dqn\n"
                f"  - - seed\n    - {number * 11}\n"
            )
            steps = np.arange(1, 11) * 100
            results = level * np.ones((10, 5)) + np.arange(5)
            np.savez(
                directory / "evaluations.npz",
                timesteps=steps,
                results=results,
                ep_lengths=np.full((10, 5), 9),
            )
            for rank in (0, 1):
                lines = ['#{"t_start": 5.0, "env_id": "CartPole-v1"}', "r,l,t"]
                lines += [f"{level},{10 + rank},{at + rank / 2}" for at in range(20)]
                (directory / f"{rank}.monitor.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_rl_zoo_layout_says_arm_environment_and_seed(tmp_path: Path) -> None:
    request = Request("z", baseline="dqn")
    done = import_files("sb3-evaluations", [zoo(tmp_path)], request)
    runs = read(done.plan, Store(tmp_path), outside=done.data)
    assert [arm.name for arm in runs.plan.arms] == ["dqn", "ppo"]
    assert runs.plan.arms[0].seeds == [11, 22, 33]
    assert runs.scores(runs.plan.arms[1], "final").tolist() == [132.0] * 3


def test_monitors_of_parallel_environments_are_one_run(tmp_path: Path) -> None:
    done = import_files("sb3-monitor", [zoo(tmp_path)], Request("z", baseline="dqn"))
    assert len(done.data.keys) == 6
    rows = done.data.tables["episodes"].of_run(0)
    assert len(rows["env_step"]) == 40
    assert rows["env_step"][-1] == 20 * 11 * 2
    assert (np.diff(rows["env_step"]) >= 0).all()


def test_a_path_that_says_nothing_needs_labels(tmp_path: Path) -> None:
    source = zoo(tmp_path / "zoo") / "dqn" / "CartPole-v1_1" / "evaluations.npz"
    path = tmp_path / "elsewhere" / "evaluations.npz"
    path.parent.mkdir()
    path.write_bytes(source.read_bytes())
    with pytest.raises(ImportRefused, match="does not say"):
        import_files("sb3-evaluations", [path], Request("z"))
    labels = Request("z", arm="dqn", environment="CartPole-v1", seed=4)
    assert import_files("sb3-evaluations", [path], labels).data.keys[0].seed == 4


def test_a_monitor_is_read_until_its_last_line_was_cut_short(tmp_path: Path) -> None:
    run = tmp_path / "dqn" / "CartPole-v1_1"
    run.mkdir(parents=True)
    text = '#{"t_start": 1.0, "env_id": "CartPole-v1"}\nr,l,t\n5.0,10,1.0\n7.0,10,2.0\n9.0,1'
    (run / "0.monitor.csv").write_text(text)
    with pytest.raises(ImportRefused, match=r"line 5: r,l,t is '9.0,1': damaged or cut short; --incomp"):
        import_files("sb3-monitor", [tmp_path], Request("out"))
    imported = import_files("sb3-monitor", [tmp_path], Request("out", incomplete="missing"))
    assert imported.data.tables["episodes"].columns["episode_return"].tolist() == [5.0, 7.0]
    assert any("cut short" in note for note in imported.notes)


def test_files_are_named_below_the_directory_that_holds_them_all(tmp_path: Path) -> None:
    root = zoo(tmp_path)
    both = import_files("sb3-evaluations", [root / "dqn", root / "ppo"], Request("out", baseline="dqn"))
    names = [file["file"] for file in both.data.about["files"]]
    assert "dqn/CartPole-v1_1/evaluations.npz" in names
    assert len(set(names)) == len(names)


def test_two_files_of_one_run_are_refused(tmp_path: Path) -> None:
    path = zoo(tmp_path)
    with pytest.raises(ImportRefused, match="is given twice"):
        import_files("sb3-monitor", [path, path / "ppo" / "CartPole-v1_1"], Request("z", baseline="dqn"))
    args = path / "ppo" / "CartPole-v1_2" / "CartPole-v1" / "args.yml"
    args.write_text(args.read_text().replace("22", "11"))
    with pytest.raises(
        ImportRefused, match="are both arm ppo, environment CartPole-v1, seed 11; one run"
    ):
        import_files("sb3-evaluations", [path], Request("z", baseline="dqn"))


def test_seeds_of_any_length_and_spelling_are_kept_apart() -> None:
    values = frame().astype({"seed": str}).replace({"seed": {"1": "01", "2": "1", "3": "9" * 30}})
    runs = from_frame(values)
    assert [runs.statuses(arm) for arm in runs.plan.arms] == [{"complete": 6}] * 2


@pytest.mark.parametrize("form", ["sb3-evaluations", "sb3-monitor", "csv", "parquet", "wandb"])
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a_1" / "evaluations.npz"
    path.parent.mkdir()
    path.write_bytes(b"PK\x03\x04\x00\xff\xfe,,\n\x80\x81")
    with pytest.raises(ImportRefused) as error:
        import_files(form, [path], Request("z", arm="a", environment="b", seed=1))
    assert "\n" not in str(error.value)


def test_unknown_formats_and_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="no format 'neptune'; there are: csv"):
        import_files("neptune", [tmp_path], Request("z"))
    with pytest.raises(ImportRefused, match="no such file"):
        import_files("csv", [tmp_path / "x.csv"], Request("z"))
    with pytest.raises(ImportRefused, match="no file"):
        import_files("csv", [tmp_path], Request("z"))


def chart(axis: str = "global_step") -> pd.DataFrame:
    return pd.DataFrame(
        {
            axis: [100, 200, 300],
            "CartPole-v1__dqn__1__17 - charts/episodic_return": [1.0, None, 3.0],
            "CartPole-v1__dqn__1__17 - charts/episodic_return__MIN": [1.0, None, 2.0],
            "CartPole-v1__dqn__1__17 - charts/episodic_return__MAX": [1.0, None, 4.0],
            "CartPole-v1__ppo__1__18 - charts/episodic_return": [2.0, 4.0, 6.0],
        }
    )


def test_a_wandb_chart_has_a_column_per_run(tmp_path: Path) -> None:
    path = tmp_path / "chart.csv"
    chart().to_csv(path, index=False)
    done = import_files("wandb", [path], Request("w", baseline="dqn"))
    runs = read(done.plan, Store(tmp_path), outside=done.data)
    assert [runs.scores(arm, "last_training_episodes")[0] for arm in runs.plan.arms] == [2.0, 4.0]
    assert any("1 cells are empty" in note for note in done.notes)
    assert any("averaged" in note for note in done.notes)


def test_wandb_steps_are_no_environment_steps(tmp_path: Path) -> None:
    path = tmp_path / "chart.csv"
    chart("Step").to_csv(path, index=False)
    with pytest.raises(ImportRefused, match="over global_step"):
        import_files("wandb", [path], Request("w", baseline="dqn"))
    request = Request("w", baseline="dqn", columns={"env_step": "Step"})
    assert len(import_files("wandb", [path], request).data.keys) == 2


def events(tmp_path: Path) -> Path:
    """Write event files as CleanRL does."""
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    for arm, level in LEVELS.items():
        for seed in (1, 2):
            writer = SummaryWriter(str(tmp_path / f"CartPole-v1__{arm}__{seed}__170{seed}"))
            for step in range(100, 1001, 100):
                writer.add_scalar("charts/episodic_return", level + seed, step)
                writer.add_scalar("losses/td_loss", 1.0, step)
            writer.close()
    return tmp_path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_event_files_of_cleanrl(tmp_path: Path) -> None:
    done = import_files("tensorboard", [events(tmp_path)], Request("t", baseline="dqn"))
    runs = read(done.plan, Store(tmp_path), outside=done.data)
    assert runs.scores(runs.plan.arms[1], "last_training_episodes").tolist() == [131.0, 132.0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_damaged_event_files_are_refused_or_said(tmp_path: Path) -> None:
    path = next(events(tmp_path).rglob("*dqn__1*/*tfevents*"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ImportRefused, match="damaged or cut short after"):
        import_files("tensorboard", [tmp_path], Request("t", baseline="dqn"))
    done = import_files("tensorboard", [tmp_path], Request("t", baseline="dqn", incomplete="missing"))
    assert any("damaged" in note for note in done.notes)


# Out and back


def test_our_evaluations_come_back_to_1e_12(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, lambda arm, seed: 100 / 3 + math.sin(seed) * len(arm.name))
    ours = load("s", tmp_path)
    export_runs(ours, tmp_path / "zoo")
    # Runs that never reach the threshold count with the length asked for, which no file says.
    budget = ours.plan.cells[ours.plan.arms[0].cell]["train"]["env_steps"]
    request = Request("back", baseline="baseline", budget=budget)
    done = import_files("sb3-evaluations", [tmp_path / "zoo"], request)
    back = read(done.plan, Store(tmp_path), outside=done.data)
    rows = {row.arm.name: row for row in compare(back, "final")}
    assert len(rows) == len(ours.plan.arms)
    for row in compare(ours, "final"):
        same = rows[row.arm.name.replace("=", "-")]
        for score in ("final", "area_under_curve", "best", "steps_to_threshold", "kept_threshold"):
            expected = ours.scores(row.arm, score)
            assert back.scores(same.arm, score) == pytest.approx(expected, abs=1e-12, rel=1e-12)
        if row.unpaired is not None:
            assert same.difference is not None
            ends = [(i.value, i.low, i.high) for i in (same.difference, row.unpaired)]
            assert ends[0] == pytest.approx(ends[1], abs=1e-12, rel=1e-12)


def test_our_training_episodes_come_back_to_the_rounding_of_monitors(tmp_path: Path) -> None:
    make_store(tmp_path, STUDY, lambda arm, seed: 100 / 3 + math.sin(seed) * len(arm.name))
    ours = load("s", tmp_path)
    export_runs(ours, tmp_path / "zoo")
    done = import_files("sb3-monitor", [tmp_path / "zoo"], Request("back", baseline="baseline"))
    back = read(done.plan, Store(tmp_path), outside=done.data)
    for arm in ours.plan.arms:
        same = next(each for each in back.plan.arms if each.name == arm.name.replace("=", "-"))
        expected = ours.scores(arm, "last_training_episodes")
        assert back.scores(same, "last_training_episodes") == pytest.approx(expected, abs=0.5e-6)


def test_stable_baselines_reads_our_monitors(tmp_path: Path) -> None:
    monitor = pytest.importorskip("stable_baselines3.common.monitor")
    make_store(tmp_path, STUDY, outcome)
    directory = export_runs(load("s", tmp_path), tmp_path / "zoo")[0]
    assert len(monitor.load_results(str(directory))) == 20


# Runs of another results directory


def two_halves(tmp_path: Path) -> tuple[Path, Path]:
    one, other = tmp_path / "one", tmp_path / "other"
    make_store(one, CROSSED, lambda arm, seed: 100.0 if seed < 3 else "missing")
    make_store(other, CROSSED, lambda arm, seed: 100.0 if seed >= 3 else "missing")
    return one, other


def test_two_halves_of_a_study_become_one(tmp_path: Path) -> None:
    one, other = two_halves(tmp_path)
    lines = copy_runs(other, Store(one))
    assert lines[0].startswith("18 runs copied")
    runs = load("crossed", one)
    assert all(run.status == "complete" for run in runs.runs.values())
    assert copy_runs(other, Store(one))[0].startswith("0 runs copied, 18 are stored already")


@pytest.mark.parametrize("damage", ["schema", "cell", "table", "checksum", "arithmetic", "name"])
def test_runs_that_do_not_fit_are_named_and_not_copied(tmp_path: Path, damage: str) -> None:
    one, other = two_halves(tmp_path)
    store = Store(other)
    key = next(iter(store.run_keys()))
    directory = store.run_directory(key)
    record = json.loads((directory / "run.json").read_text())
    if damage == "schema":
        write_json(directory / "run.json", record | {"schema": 99})
    elif damage == "cell":
        write_json(directory / "run.json", record | {"cell": "../x"})
    elif damage == "checksum":
        write_json(directory / "run.json", record | {"checksums": {"episodes.parquet": "0" * 64}})
    elif damage == "arithmetic":
        ours = Store(one).run_directory(RunKey(key.cell, 0)) / "run.json"
        write_json(ours, read_json(ours) | {"arithmetic": "aaaaaaaaaaaa"})
        for path in directory.parent.glob("*/run.json"):
            write_json(path, read_json(path) | {"arithmetic": "bbbbbbbbbbbb"})
    elif damage == "table":
        (directory / "evaluations.parquet").write_bytes(b"PAR1 no PAR1")
    else:
        directory.parent.rename(directory.parent.with_name("strange"))
    lines = copy_runs(other, Store(one))
    refused = [line for line in lines if line.startswith("not copied")]
    assert len(refused) == (3 if damage in ("name", "arithmetic") else 1)
    assert not Store(one).run_directory(RunKey(key.cell, key.seed)).exists()
