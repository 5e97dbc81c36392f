"""The command that compares: each arm with the baseline, or two arms with each other."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ablation.config.near import arms_like
from analysis.commands.arguments import (
    Commands,
    add_command,
    json_argument,
    open_study,
    print_json,
    score_arguments,
)
from analysis.report.errors import RequestError

if TYPE_CHECKING:
    from analysis.effects.comparisons import PairwiseComparison
    from analysis.effects.study_results import StudyResults


def add_compare_command(commands: Commands) -> None:
    """Add `compare` to the command line."""
    parents = [score_arguments(), json_argument()]
    compare = add_command(
        commands,
        "compare",
        parents=parents,
    )
    compare.add_argument("--arms", nargs="+", metavar="ARM", help="an arm and what to compare it with")
    compare.set_defaults(run=_compare)


def _compare(arguments: argparse.Namespace) -> None:
    results = open_study(arguments)
    if not arguments.arms:
        _compare_with_baseline(results, arguments.json)
        return
    arms = _two_arms(results, arguments.arms)
    pairs = _pairs_by_environment(results, *arms)
    if arguments.json:
        print_json({env_id: asdict(pair) for env_id, pair in pairs.items()})
    else:
        _print_pairs(arms, results, pairs)


def _compare_with_baseline(results: StudyResults, as_json: bool) -> None:
    from analysis.tables.comparisons import comparison_table

    table = comparison_table(results)
    if as_json:
        print_json(table.values)
    else:
        print(table.to_terminal(), end="")


def _two_arms(results: StudyResults, names: Sequence[str]) -> tuple[str, str]:
    """Return the names of two arms; raises `RequestError` for other numbers and unknown names."""
    if len(names) != 2:
        raise RequestError("--arms takes two names: an arm and what it is compared with")
    known = list(dict.fromkeys(arm.name for arm in results.runs.plan.arms))
    for name in names:
        if name not in known:
            raise RequestError(f"no arm '{name}'; {arms_like(name, known)}")
    return names[0], names[1]


def _pairs_by_environment(results: StudyResults, one: str, other: str) -> dict[str, PairwiseComparison]:
    """Return the comparison of two arms by the id of each environment that has both."""
    from analysis.effects.comparisons import compare_pair

    pairs = {}
    for environment, env_id in results.environments:
        arms = {arm.name: arm for arm in results.runs.arms(environment)}
        if one in arms and other in arms:
            first, second = (results.runs.scores(arms[name], results.score) for name in (one, other))
            paired = results.runs.paired(arms[one], arms[other])
            pairs[env_id] = compare_pair(first, second, results.score, results.runs.plan, paired)
    return pairs


def _print_pairs(
    arms: tuple[str, str], results: StudyResults, pairs: Mapping[str, PairwiseComparison]
) -> None:
    from analysis.effects.verdict_rule import enough_seeds, verdict_notes
    from analysis.tables.wording import interval_text, number, p_value_text

    plan = results.runs.plan
    for env_id, pair in pairs.items():
        print(f"{arms[0]} minus {arms[1]}, {results.score}, {env_id}")
        for kind, difference in (("paired by seed", pair.paired), ("unpaired", pair.unpaired)):
            if difference is None:
                continue
            judged = enough_seeds(difference.n, plan)
            p_value = f", p {p_value_text(difference.p_value)}" if judged else ""
            print(f"  {kind}: {interval_text(difference, signed=True)}, n = {difference.n}{p_value}")
        if pair.paired is not None:
            print(f"  correlation over seeds: {number(pair.paired.correlation)}")
            if enough_seeds(pair.paired.n, plan):
                print(f"  permutation test: p {p_value_text(pair.permutation)}")
        print(f"  P({arms[0]} > {arms[1]}): {interval_text(pair.improvement)}")
    notes = verdict_notes((pair.difference for pair in pairs.values()), plan)
    print("\n".join(notes or ["p-values are not corrected: this is one comparison."]))
