"""Rules against common errors of empirical comparisons, each checked on a study's stored runs.

The errors are those of the list of Patterson et al. (2024, JMLR 25:318, section 6) that runs can show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ablation.results.references import reference
from ablation.results.scores import SCORES
from ablation.study.declaration import VERDICTS_FROM
from ablation.study.plan import Arm
from analysis.effects.comparability import find_differences
from analysis.effects.study_results import StudyResults
from analysis.expectations.claims import Claim, declared_claims

SPEED_SCORES = frozenset({"area_under_curve", "area_per_gradient_step", "steps_to_threshold"})
"""Scores that say how fast an arm learns, by greedy evaluations beside its training."""
RATE = "agent.learning_rate"
"""The key by which arms are tuned, if by any."""
_SPEED = re.compile(
    r"\b(fast|faster|quick(er|ly)?|speeds?|sooner|sample[- ]efficien\w*)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Finding:
    """A violation: the rule's name, and a sentence about the study."""

    rule: str
    text: str


def lint(results: StudyResults, claims: Sequence[Claim] | None = None) -> list[Finding]:
    """Return every violation of `RULES` in a study's results, in the order of the rules.

    `claims` are those that are evaluated with the study's runs, None for the article's.
    """
    found = [Finding(name, text) for name, rule in RULES.items() for text in rule(results)]
    known = declared_claims() if claims is None else claims
    return found + [Finding("greedy-speed", text) for text in _greedy_claims(results, known)]


def _few_seeds(results: StudyResults) -> Iterator[str]:
    for row in results.comparisons:
        if row.significant and row.difference is not None and row.difference.n < VERDICTS_FROM:
            n = row.difference.n
            yield f"{_arm(row.arm)} has a verdict from {n} seeds; it takes {VERDICTS_FROM} or more"


def _mixed_runs(results: StudyResults) -> Iterator[str]:
    for aspect, lines in find_differences(results.runs).items():
        yield f"runs differ in {aspect}: {'; '.join(lines)}"


def _edge_choices(results: StudyResults) -> Iterator[str]:
    for choice in results.runs.plan.choices:
        if choice.at_the_edge:
            levels = ", ".join(choice.means)
            yield (
                f"{choice.arm} ({choice.environment}) chose {choice.factor} {choice.level}, at the edge "
                f"of {levels}; a level beyond it may be better"
            )


def _untuned_arms(results: StudyResults) -> Iterator[str]:
    plan = results.runs.plan
    if plan.choices and plan.study.tune is not None:
        levels = plan.study.factors[plan.study.tune.factor].overrides()
        if any(RATE in overrides for overrides in levels.values()):
            return
    rates: dict[str, set[str]] = {}
    for cell in plan.cells.values():
        if "learning_rate" in (cell.get("agent") or {}):
            rates.setdefault(_but_for_the_rate(cell), set()).add(str(cell["agent"]["learning_rate"]))
    tried = {name: len(rates.get(_but_for_the_rate(cell), ())) for name, cell in plan.cells.items()}
    fixed = [_arm(arm) for arm in plan.arms if arm.role == "arm" and tried.get(arm.cell) == 1]
    if fixed:
        yield f"{'; '.join(fixed)}: trained at the baseline's learning rate alone, none of their own"


def _unequal_tuning(results: StudyResults) -> Iterator[str]:
    efforts: dict[tuple[int, ...], list[str]] = {}
    for choice in results.runs.plan.choices:
        runs = [n for level, n in choice.n.items() if level not in choice.widened]
        efforts.setdefault(tuple(runs), []).append(f"{choice.arm} ({choice.environment})")
    if len(efforts) > 1:
        texts = [f"{'; '.join(arms)}: {sum(n)} runs at {len(n)} levels" for n, arms in efforts.items()]
        yield f"arms were not tuned with equal effort: {'. '.join(texts)}"


def _one_environment(results: StudyResults) -> Iterator[str]:
    if len(results.environments) == 1:
        yield f"{results.environments[0][1]} alone; what holds there need not hold elsewhere"


def _greedy_speed(results: StudyResults) -> Iterator[str]:
    study, score = results.runs.plan.study, results.score
    if score in SPEED_SCORES:
        yield f"{score} says how fast arms learn by greedy evaluations; {_ONLINE}"
    elif _SPEED.search(study.question) and SCORES[score].rows == "evaluations":
        yield f"the question is about learning speed and {score} is of greedy evaluations; {_ONLINE}"


def _greedy_claims(results: StudyResults, claims: Sequence[Claim]) -> Iterator[str]:
    for claim in claims:
        measures = {test.measure for test in claim.tests if test.study == results.runs.plan.study.name}
        for measure in sorted(measures & SPEED_SCORES):
            yield f"claim {claim.id} ({claim.claim}) is evaluated by {measure}; {_ONLINE}"


def _no_reference(results: StudyResults) -> Iterator[str]:
    if SCORES[results.score].unit not in ("return", "share"):
        return
    for name, env_id in results.environments:
        if name not in results.runs.own_references and reference(env_id) is None:
            yield (
                f"{env_id} has neither a random policy's return nor a solved threshold to compare with; "
                "`references` of its file gives them"
            )


RULES: dict[str, Callable[[StudyResults], Iterator[str]]] = {
    "few-seeds": _few_seeds,
    "mixed-runs": _mixed_runs,
    "edge-choice": _edge_choices,
    "untuned-arms": _untuned_arms,
    "unequal-tuning": _unequal_tuning,
    "one-environment": _one_environment,
    "greedy-speed": _greedy_speed,
    "no-reference": _no_reference,
}
"""Each rule by the name under which its violations are found."""

_ONLINE = "online_return is of the training itself, exploration included"


def _arm(arm: Arm) -> str:
    return f"{arm.name} ({arm.env_id})"


def _but_for_the_rate(cell: dict[str, Any]) -> str:
    agent = {key: value for key, value in (cell.get("agent") or {}).items() if key != "learning_rate"}
    return json.dumps(cell | {"agent": agent}, sort_keys=True)
