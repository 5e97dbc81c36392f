"""A study as a W&B report: its question, table and figures with intervals, and curves to regroup."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablation.results.load import load_plan
from ablation.store.files import read_json, write_json
from ablation.store.runs import Store
from ablation.study.declaration import Study
from ablation.study.plan import Plan
from ablation.tracking import client
from ablation.tracking.runs import STUDY, TRAIN, arm_column
from analysis.report.page import WANDB_LINK
from analysis.wandb.sync import Unreachable
from analysis.wandb.upload import current_report, study_id
from analysis.wandb.wanted import Target

DRY_RUN = "wandb-report.json"
CURVES = {
    "evaluation/return": "greedy evaluation return",
    "training/return": "return of the training episodes",
    "learner/loss": "loss",
    "learner/td_error_abs": "absolute TD error",
    "learner/q_value": "action value",
    "learner/gradient_norm": "norm of the gradient",
}
DIAGNOSTICS = {
    "learner/age_env_steps_mean": "age of the sampled transitions (environment steps, mean)",
    "learner/replays_mean": "times that a stored transition was drawn (mean)",
    "learner/batch_duplicate_share": "share of the batch drawn more than once",
    "learner/sampling_effective_share": "effective sample size of the draws (share of the buffer)",
    "learner/weight_effective_share": "effective sample size of the weights (share of the batch)",
    "learner/priority_staleness": "staleness of the priorities (0: fresh)",
}
INTERVALS = (
    "Table and figures have 95 % intervals. The bands of the curves below are standard errors, which is "
    "what W&B can draw: a 95 % interval is about twice as wide."
)


def publish(root: Path, study: str, target: Target) -> str:
    """Build or update a study's W&B report and return its address; the study's page links to it.

    Its id is kept next to the plan, so that the next call updates the same report. Raises `Unreachable`.
    """
    client.prepare(root)
    plan, _ = load_plan(study, Store(root))
    path = Store(root).study_directory(plan.study.name) / WANDB_LINK
    known = read_json(path) or {}
    report = _report(root, plan, target.project, target.entity)
    if known.get("project") == target.name:
        report.id = known["id"]
    try:
        report.save()
    except Exception as error:
        raise Unreachable(client.reason(error)) from None
    write_json(path, {"id": report.id, "url": report.url, "project": target.name})
    current_report(root, plan.study.name)
    return str(report.url)


def save_report(root: Path, study: str, project: str) -> Path:
    """Write the W&B report that `publish` would send to a file, and return its path."""
    client.prepare(root)
    plan, _ = load_plan(study, Store(root))
    model = _report(root, plan, project, "")._to_model()
    path = Store(root).study_directory(plan.study.name) / "report" / DRY_RUN
    content = {"title": model.display_name, "description": model.description}
    spec = model.spec.model_dump_json(by_alias=True, exclude_none=True)
    write_json(path, content | {"spec": json.loads(spec)})
    return path


def _report(root: Path, plan: Plan, project: str, entity: str) -> Any:
    import wandb_workspaces.reports.v2 as wr

    study = plan.study.name
    report, column = current_report(root, study), f"config.{arm_column(study)}"
    table = (report / "table.md").read_text(encoding="utf-8")
    return wr.Report(
        project=project,
        entity=entity,
        title=f"Study {study}"[:128],
        description=plan.study.question,
        width="fluid",
        blocks=[
            wr.H1(plan.study.question),
            wr.MarkdownBlock(table),
            wr.P(INTERVALS),
            wr.PanelGrid(runsets=[_study(study, project, entity)], panels=[_figures(report)]),
            wr.H2("Curves of every arm"),
            wr.PanelGrid(runsets=[_runs(plan, project, entity)], panels=_curves(CURVES, column)),
            wr.H2("What replay did"),
            wr.PanelGrid(runsets=[_runs(plan, project, entity)], panels=_curves(DIAGNOSTICS, column)),
            wr.H2("Factors and scores"),
            wr.PanelGrid(runsets=[_runs(plan, project, entity)], panels=_comparisons(plan.study)),
            wr.H2("Files"),
            wr.P("Plan, tables, figures and the Parquet files of every run:"),
            wr.WeaveBlockArtifact(entity, project, study_id(study), "files"),
        ],
    )


def _runs(plan: Plan, project: str, entity: str) -> Any:
    """Return the runs of the plan's cells, whichever study trained them, by environment and arm."""
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces import expr

    cells = [arm.cell for arm in plan.arms]
    return wr.Runset(
        entity=entity,
        project=project,
        name=plan.study.name,
        filters=expr.And(expr.Metric("JobType") == TRAIN, expr.Config("cell").isin(cells)),
        groupby=["config.environment", f"config.{arm_column(plan.study.name)}"],
    )


def _study(study: str, project: str, entity: str) -> Any:
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces import expr

    filters = expr.And(expr.Metric("JobType") == STUDY, expr.Config("study") == study)
    return wr.Runset(entity=entity, project=project, name="figures", filters=filters)


def _figures(report: Path) -> Any:
    import wandb_workspaces.reports.v2 as wr

    names = sorted(path.stem for path in report.glob("*.png"))
    layout = wr.Layout(x=0, y=0, w=24, h=16)
    return wr.MediaBrowser(title="Figures", media_keys=names, num_columns=2, layout=layout)


def _curves(curves: Mapping[str, str], arm: str) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.LinePlot(
            title=title,
            x="env_step",
            y=[metric],
            title_x="environment steps",
            groupby=arm,
            groupby_aggfunc="mean",
            groupby_rangefunc="stderr",
            aggregate=True,
            layout=wr.Layout(x=8 * (place % 3), y=8 * (place // 3), w=8, h=8),
        )
        for place, (metric, title) in enumerate(curves.items())
    ]


def _comparisons(study: Study) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    column = wr.ParallelCoordinatesPlotColumn
    axes = [column(wr.Config(f"factor/{name}"), display_name=name) for name in study.factors]
    score = wr.SummaryMetric(f"score/{study.primary_score}")
    return [
        wr.ParallelCoordinatesPlot(
            title="Factors and the score of every run",
            columns=[*axes, column(score, display_name=study.primary_score)],
            layout=wr.Layout(x=0, y=0, w=24, h=10),
        ),
        wr.RunComparer(diff_only="split", layout=wr.Layout(x=0, y=10, w=24, h=12)),
    ]
