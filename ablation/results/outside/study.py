"""Merged rows to a plan: arms, seeds and cells of runs from elsewhere, alone or beside our own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ablation.results.outside.checks import budgets
from ablation.results.outside.names import cell_of, check_label, environment_keys
from ablation.results.outside.request import Argument, ImportRefused, Request
from ablation.results.outside.rows import MergedRows, RunLabels
from ablation.results.scores import SCORES
from ablation.store.runs import RunKey
from ablation.study.declaration import BASELINE, Study
from ablation.study.designs import Factor
from ablation.study.plan import Arm, Plan

DAGGER = "†"
NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
"""A seed that counts as a number: of 64 bits, written in one way."""
Levels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class OutsidePlan:
    """A plan with arms from elsewhere, the key of each run, and what the user should know."""

    plan: Plan
    keys: list[RunKey]
    notes: list[str]


def make_plan(
    merged: MergedRows, request: Request, data: str, beside: Plan | None = None
) -> OutsidePlan:
    """Return the plan of merged rows; `data` is the hash of the files.

    Beside a plan of ours, its arms come first and those from elsewhere carry a dagger.
    """
    for run in merged.runs:
        for name, level in run.levels:
            check_label("factor", name)
            check_label(name, level)
        check_label("environment", run.env_id)
    seeds, notes = _seeds(merged.runs, request)
    arms = list(dict.fromkeys((run.env_id, run.levels) for run in merged.runs))
    baseline = _baseline([levels for _, levels in arms], request) if beside is None else None
    ids = _environments(arms, beside)
    lengths = budgets(merged, request)
    plan_arms: dict[tuple[str, Levels], Arm] = {}
    cells: dict[str, dict[str, Any]] = {}
    for env_id in ids if beside is None else ():
        if (env_id, baseline) not in arms:
            raise ImportRefused(f"the baseline has no runs in {env_id}; import that environment apart")
    for env_id, levels in sorted(arms, key=lambda arm: (list(ids).index(arm[0]), arm[1] != baseline)):
        config = _config(request, env_id, levels, lengths[env_id], data)
        cell = cell_of(config)
        cells[cell] = config
        asked = _asked_seeds(merged.runs, seeds, env_id, levels)
        own = levels if beside is None else ()
        plan_arms[env_id, levels] = Arm(
            _arm_name(levels, baseline, beside is not None),
            "baseline" if levels == baseline else "arm",
            ids[env_id],
            env_id,
            _own_levels(own, baseline),
            {},
            cell,
            asked,
        )
    _require_names(list(plan_arms.values()))
    keys = [
        RunKey(plan_arms[run.env_id, run.levels].cell, seed)
        for run, seed in zip(merged.runs, seeds, strict=True)
    ]
    primary = _primary_score(merged, request, beside)
    study = _study(request, list(plan_arms.values()), baseline, primary)
    if beside is None:
        return OutsidePlan(Plan(study, list(plan_arms.values()), [], cells), keys, notes)
    ours = replace(beside.study, name=request.study, primary_score=primary)
    return OutsidePlan(
        Plan(ours, [*beside.arms, *plan_arms.values()], beside.merged, beside.cells | cells,
             beside.pruned, beside.choices), keys, notes
    )  # fmt: skip


def _config(
    request: Request, env_id: str, levels: Levels, budget: int | None, data: str
) -> dict[str, Any]:
    """Return what is known of an arm's configuration, in the sections that ours have."""
    outside: dict[str, Any] = {"study": request.study, "data": data, "levels": dict(levels)}
    outside |= {"shared_seeds": request.shared_seeds}
    return {"env": {"id": env_id}, "train": {"env_steps": budget}, "outside": outside}


def _seeds(runs: Sequence[RunLabels], request: Request) -> tuple[list[int], list[str]]:
    """Return the seed of each run: the file's number, else its place among the arm's runs."""
    odd = next((run.seed for run in runs if not NUMBER.fullmatch(run.seed)), None)
    if odd is None:
        return [int(run.seed) for run in runs], []
    if request.shared_seeds:
        raise ImportRefused(f"seed {odd!r} is no whole number from 0 on: no seeds can be shared")
    of_arm: dict[tuple[str, Levels], list[str]] = {}
    for run in runs:
        of_arm.setdefault((run.env_id, run.levels), []).append(run.seed)
    numbered = {
        arm: {name: at for at, name in enumerate(sorted(names))} for arm, names in of_arm.items()
    }
    seeds = [numbered[run.env_id, run.levels][run.seed] for run in runs]
    return seeds, [f"seeds such as {odd!r} are no numbers: the runs of each arm are numbered from 0"]


def _asked_seeds(
    runs: Sequence[RunLabels], seeds: Sequence[int], env_id: str, levels: Levels
) -> list[int]:
    """Return an arm's seeds: those of all arms in its environment if it shares any with another."""
    own: set[int] = set()
    others: set[int] = set()
    for run, seed in zip(runs, seeds, strict=True):
        if run.env_id == env_id:
            (own if run.levels == levels else others).add(seed)
    return sorted(own | others if own & others else own)


def _baseline(arms: Sequence[Levels], request: Request) -> Levels:
    """Return the levels of the declared baseline; the only arm needs no declaration."""
    known = list(dict.fromkeys(arms))
    given = request.baseline
    if given is None and len(known) == 1:
        return known[0]
    names = [name for name, _ in known[0]]
    if isinstance(given, str):
        chosen = [levels for levels in known if [level for _, level in levels] == [given]]
    else:
        chosen = [levels for levels in known if given and dict(levels) == dict(given)]
    if chosen:
        return chosen[0]
    if len(names) == 1:
        listed = ", ".join(levels[0][1] for levels in known[:12])
    else:
        listed = "; ".join(" ".join(f"{n}={v}" for n, v in levels) for levels in known[:6])
    shown = "is not given" if given is None else f"{given!r} is no arm of the files"
    raise ImportRefused(Argument("baseline"), f" {shown}; there are: {listed}")


def _arm_name(levels: Levels, baseline: Levels | None, daggered: bool) -> str:
    if len(levels) == 1:
        name = levels[0][1]
    elif levels == baseline:
        name = BASELINE
    else:
        shown = _own_levels(levels, baseline)
        name = ", ".join(f"{factor}={level}" for factor, level in shown.items())
    return f"{name} {DAGGER}" if daggered else name


def _own_levels(levels: Levels, baseline: Levels | None) -> dict[str, str]:
    """Return the levels off the baseline; all of them for the baseline itself."""
    base = dict(baseline or ())
    return {name: level for name, level in levels if levels == baseline or base.get(name) != level}


def _require_names(arms: Sequence[Arm]) -> None:
    seen: set[tuple[str, str]] = set()
    for arm in arms:
        if (arm.environment, arm.name) in seen:
            raise ImportRefused(f"two arms would be called '{arm.name}'; rename a level (',' and '=')")
        seen.add((arm.environment, arm.name))


def _environments(arms: Sequence[tuple[str, Levels]], beside: Plan | None) -> dict[str, str]:
    """Return the key of each environment id; beside a plan of ours, its own."""
    ids = list(dict.fromkeys(env_id for env_id, _ in arms))
    if beside is None:
        return environment_keys(ids)
    ours = {arm.env_id: arm.environment for arm in beside.arms}
    for env_id in ids:
        if env_id not in ours:
            raise ImportRefused(
                f"environment '{env_id}' is not in study '{beside.study.name}'; it has: "
                f"{', '.join(ours)}"
            )
    return {env_id: key for env_id, key in ours.items() if env_id in ids}


def _primary_score(merged: MergedRows, request: Request, beside: Plan | None) -> Any:
    """Return the score to show first: asked for, the study's, or the first that the rows allow."""
    allowed = _allowed_scores(merged)
    wanted = request.primary_score or (None if beside is None else beside.study.primary_score)
    if wanted is None:
        return allowed[0]
    if wanted not in allowed:
        raise ImportRefused(
            f"these files do not allow the score '{wanted}'; ",
            Argument("primary_score"),
            f" takes: {', '.join(allowed)}",
        )
    return wanted


def _allowed_scores(merged: MergedRows) -> list[str]:
    given = list(merged.tables["scores"].columns) if "scores" in merged.tables else []
    if "evaluations" in merged.tables:
        given += list(SCORES)
    if "episodes" in merged.tables:
        given += [name for name, score in SCORES.items() if score.rows == "episodes"]
    return list(dict.fromkeys(given))


def _study(request: Request, arms: Sequence[Arm], baseline: Levels | None, primary: Any) -> Study:
    values: dict[str, dict[str, None]] = {}
    for arm in arms:
        for name, level in [*(baseline or ()), *arm.levels.items()]:
            values.setdefault(name, {})[level] = None
    factors = {name: Factor({level: {} for level in levels}) for name, levels in values.items()}
    single = all(len(arm.levels) <= 1 or arm.role == "baseline" for arm in arms)
    return Study(
        name=request.study,
        question=request.question or "How do these runs, trained elsewhere, compare?",
        environments=list(dict.fromkeys(arm.environment for arm in arms)),
        baseline={},
        factors=factors,
        design="one_factor_at_a_time" if single else "arms",
        seeds=sorted({seed for arm in arms for seed in arm.seeds}),
        primary_score=primary,
        verdicts_from=request.verdicts_from,
    )
