"""Where a study's numbers come from: runs, plan, commits, devices, versions, files from elsewhere."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from ablation.results.load import StudyRuns
from ablation.results.outside.data import directory_of
from ablation.store.files import read_json
from ablation.store.run_record import RunRecord
from ablation.store.runs import Store


def provenance(runs: StudyRuns) -> list[tuple[str, str]]:
    """Return where the numbers come from: runs, plan, commits, devices, arithmetic, versions, cost."""
    records = [run.record for run in runs.runs.values() if run.record]
    complete = sum(run.status == "complete" for run in runs.runs.values())
    facts = [("runs", f"{complete} complete of {len(runs.runs)}"), ("plan", runs.plan.hash)]
    facts += _outside_facts(runs)
    for key in ("git_commit", "device", "trained_by", "arithmetic"):
        counts = Counter(getattr(record, key) or "unknown" for record in records)
        text = ", ".join(f"{value} ({n} runs)" for value, n in counts.items())
        facts.append((key.removeprefix("git_").replace("_", " "), text or "none"))
    facts += [("equal numbers", text) for text in _portability(records)]
    if any(record.git_dirty for record in records):
        facts.append(("changed files", "some runs came from code that differs from its commit"))
    versions = {json.dumps(record.versions) for record in records if record.versions}
    facts += [("versions", _versions(text)) for text in sorted(versions)]
    speeds = [record.steps_per_second for record in records if record.steps_per_second is not None]
    memory = [record.peak_rss_bytes for record in records if record.peak_rss_bytes is not None]
    if speeds:
        facts.append(("speed", f"{min(speeds):,.0f} to {max(speeds):,.0f} env steps/s in a job"))
    if memory:
        facts.append(("memory", f"{max(memory) / 1e6:,.0f} MB at most in a process"))
    return facts


def _portability(records: Sequence[RunRecord]) -> list[str]:
    """Return on which machines the same runs have equal numbers, a text for each kind of run."""
    texts = {
        True: "on every x86-64 processor with fused multiply-add",
        False: "on one machine with the same versions only",
    }
    counts = Counter(record.portable for record in records if record.portable is not None)
    return [f"{texts[portable]} ({n} runs)" for portable, n in counts.items()]


def _outside_facts(runs: StudyRuns) -> list[tuple[str, str]]:
    """Return where runs from elsewhere come from; nothing for a study of ours."""
    about = read_json(directory_of(Store(runs.root), runs.plan.study.name) / "import.json")
    if not about or not any(map(runs.is_outside, runs.plan.arms)):
        return []
    files = [f"{file['file']} (sha256 {file['sha256'][:12]})" for file in about["files"]]
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    declared = ", ".join(f"{key} = {json.dumps(value)}" for key, value in about["declared"].items())
    return [
        (
            "trained elsewhere",
            f"imported {about['at']} as {about['format']}: {', '.join(files[:5])}{more}",
        ),
        ("declared at the import", declared),
    ]


def _versions(text: str) -> str:
    return ", ".join(f"{name} {version}" for name, version in json.loads(text).items())
