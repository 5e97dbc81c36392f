"""`replay-ablation run ARM SEED study=NAME`: trains one run in this process, so that debuggers work."""

from __future__ import annotations

import signal
import sys
from bdb import BdbQuit
from collections.abc import Sequence
from typing import Any

from ablation.cli.as_swept import as_swept
from ablation.cli.messages import print_unread_variables
from ablation.cli.open_study import OpenStudy, open_study
from ablation.config.near import arms_like
from ablation.config.validation import ConfigError
from ablation.store.run_record import ENDED
from ablation.store.runs import RunKey
from ablation.study.plan import Arm
from ablation.sweep.claims import ClaimOwner, RunClaims
from ablation.sweep.config import check_machine
from ablation.sweep.interrupts import EXIT_STOPPED, Stopped
from ablation.sweep.scheduling import check_fit, schedule_jobs

USAGE = "write run ARM SEED study=NAME; `status` lists the arms"


def run_one(config_directory: str, arguments: Sequence[str]) -> int:
    """Train one run of a study and store it as a sweep does; return 0 if it is complete.

    What a component raises is raised here, after the run is stored as failed. Raises `ConfigError` for
    an arm or a seed that the study does not have.
    """
    if len(arguments) < 2 or not arguments[1].isdecimal():
        raise ConfigError("run", " ".join(arguments) or "(nothing)", USAGE)
    name, seed, *words = arguments
    study = open_study(config_directory, as_swept(config_directory, words))
    check_machine(study.settings)
    key = RunKey(_arm(study, name, int(seed)).cell, int(seed))
    record = study.store.read_record(key)
    if record is not None and record.status in ENDED:
        print(f"{record.status} already: {study.store.run_directory(key)} (`verify` trains it again)")
        return 0
    try:
        _train(study, key)
    except (Stopped, BdbQuit):
        print("Stopped: nothing is stored of this run.")
        return EXIT_STOPPED
    trained = study.store.read_record(key)
    assert trained is not None
    if trained.error:
        print(trained.error, file=sys.stderr)
    print(f"{trained.status}: {study.store.run_directory(key)}")
    return 0 if trained.status == "complete" else 1


def _arm(study: OpenStudy, name: str, seed: int) -> Arm:
    """Return the arm of a name that has a seed."""
    plan = study.plans[-1]
    arms = [arm for arm in plan.arms if arm.name == name]
    if not arms:
        raise ConfigError("arm", name, arms_like(name, (arm.name for arm in plan.arms)))
    if len(arms) > 1:
        environments = ", ".join(f"env={arm.environment}" for arm in arms)
        raise ConfigError("arm", name, f"is in several environments; add one of {environments}")
    if arms[0] in study.undecided:
        raise ConfigError("arm", name, "waits for the runs of the tuning stage; sweep the study first")
    if seed not in arms[0].seeds:
        seeds = ", ".join(map(str, arms[0].seeds))
        raise ConfigError("seed", seed, f"seeds of this arm: {seeds}")
    return arms[0]


def _train(study: OpenStudy, key: RunKey) -> None:
    from ablation.sweep.job import run_job

    tracking = study.settings.tracking
    print_unread_variables(study.settings.results_dir, tracking.mode, tracking.project, tracking.entity)
    (job,) = schedule_jobs(study.plans[-1], [key], study.settings, {})
    check_fit([job], 1, study.settings)
    claims = RunClaims(study.store.root, ClaimOwner.this_process("run"))
    with claims.heartbeats(), claims.claimed(key) as is_mine:
        if not is_mine:
            raise ConfigError("run", key.cell, f"seed {key.seed} is being trained by another process")
        before = signal.signal(signal.SIGINT, _stop)
        try:
            run_job(job.cell.config, job.spec, tracking, study.store)
        finally:
            signal.signal(signal.SIGINT, before)


def _stop(*_: Any) -> None:
    raise Stopped
