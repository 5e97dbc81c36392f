"""What a notebook or a script imports: stored studies, and statistics of arrays.

    import replay_ablation as ra
    study = ra.load("replay")             # a Study: study.arms, study.scores(), study.compare()
    study.table()                         # shows itself; .to_latex(), .to_markdown()
    study.plot.curves(ax=ax, seeds=True)  # .differences, .sensitivity, .profiles
    study = ra.from_frame(frame)          # the same for runs that were trained elsewhere
    policy = ra.load_policy(study.run_directory("baseline", 0))   # policy.act(observation)
    ra.statistics.iqm([3.1, 4.0])         # an Estimate: value, low, high, n, method

`help(study)` and `help(ra.statistics)` list the rest; examples/notebook.ipynb shows it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_HERE = str(Path(__file__).resolve().parent)
# A project may have an analysis.py or an ablation.py, and its directory comes first when it is run.
sys.path.insert(0, _HERE)
try:
    import ablation
    import analysis
finally:
    sys.path.remove(_HERE)
for _package in (ablation, analysis):
    _file = str(getattr(_package, "__file__", _package))
    if not _file.startswith(_HERE):
        raise ImportError(
            f"{_file} was imported before and has the name of a package of ours: "
            "import replay_ablation first"
        )

from_frame, load = analysis.from_frame, analysis.load

_OURS = {
    "ScoreDefinition": "ablation.results.score_table",
    "load_policy": "ablation.agent.policy",
}
"""Where the names are that are not those of `analysis`."""

__all__ = ["ScoreDefinition", "Study", "from_frame", "load", "load_policy", "statistics"]  # noqa: F822


def __getattr__(name: str) -> Any:
    # Not on import: NumPy is loaded by what uses it.
    if name in _OURS:
        return getattr(import_module(_OURS[name]), name)
    if name in __all__:
        return getattr(analysis, name)
    raise AttributeError(f"module 'replay_ablation' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
